#pragma once

#include <chrono>

namespace lazymesh::als {

/// How long to wait before the next attempt: doubling from `first` to `longest`, each drawn from
/// the upper half, so that the peers of a restarted server come back spread out. Pure; one thread.
class Backoff {
 public:
  struct Limits {
    std::chrono::milliseconds first{100};
    std::chrono::milliseconds longest{5000};
  };

  explicit Backoff(Limits limits) : limits_(limits), next_(limits.first) {}

  /// After a failure. `random` in [0, 1).
  std::chrono::milliseconds next(double random);
  /// After a success.
  void reset() { next_ = limits_.first; }

 private:
  Limits limits_;
  std::chrono::milliseconds next_;
};

}  // namespace lazymesh::als
