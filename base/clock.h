#pragma once

#include <chrono>

namespace lazymesh {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

/// Where time comes from. Passed in wherever time matters, so that tests decide what time it is;
/// `./run lint` refuses any other reading of a clock. Pure code takes a time as an argument
/// instead. Safe from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime steady() const = 0;
  virtual WallTime wall() const = 0;
};

/// The machine's own clocks.
const Clock& system_clock();

}  // namespace lazymesh
