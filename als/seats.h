#pragma once

#include <cstddef>
#include <mutex>

#include <absl/container/flat_hash_map.h>

#include "als/observation.h"
#include "base/ip.h"

namespace lazymesh::als {

/// How many streams of access logs there may be at once. An Envoy has one for each of its workers
/// and loggers, so the address of a workload may have several, but not all that there are; and
/// whatever workloads do, there is room for egresses. Safe from any thread.
class Seats {
 public:
  struct Limits {
    std::size_t streams = 16'384;      ///< in all
    std::size_t for_egresses = 1'024;  ///< of those, what workloads leave free
    std::size_t of_a_workload = 128;   ///< from one of its addresses
  };

  enum class Taken { kYes, kFull, kTooManyOfPeer };

  explicit Seats(Limits limits) : limits_(limits) {}

  Taken take(const IpAddress& peer, Role role);
  /// A stream that took a seat has ended.
  void give_back(const IpAddress& peer, Role role);

 private:
  const Limits limits_;
  std::mutex mutex_;
  std::size_t taken_ = 0;
  absl::flat_hash_map<IpAddress, std::size_t> of_workloads_;
};

}  // namespace lazymesh::als
