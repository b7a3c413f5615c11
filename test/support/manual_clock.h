#pragma once

#include "base/clock.h"

namespace lazymesh::test {

/// A clock that stands still until it is moved. One thread.
class ManualClock final : public Clock {
 public:
  SteadyTime steady() const override { return SteadyTime{} + elapsed_; }
  WallTime wall() const override {
    return WallTime{} + std::chrono::hours(24 * 365 * 50) +
           std::chrono::duration_cast<WallTime::duration>(elapsed_);
  }
  void advance(std::chrono::nanoseconds by) { elapsed_ += by; }

 private:
  std::chrono::nanoseconds elapsed_{0};
};

}  // namespace lazymesh::test
