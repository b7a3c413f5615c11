#include "als/seats.h"

#include <algorithm>

namespace lazymesh::als {

Seats::Taken Seats::take(const IpAddress& peer, Role role) {
  const std::lock_guard lock(mutex_);
  const std::size_t kept_free = role == Role::kEgress ? 0 : limits_.for_egresses;
  if (taken_ + kept_free >= limits_.streams) return Taken::kFull;
  if (role == Role::kWorkload) {
    auto& of_peer = of_workloads_[peer];
    if (of_peer >= limits_.of_a_workload) return Taken::kTooManyOfPeer;
    ++of_peer;
  }
  ++taken_;
  return Taken::kYes;
}

void Seats::give_back(const IpAddress& peer, Role role) {
  const std::lock_guard lock(mutex_);
  --taken_;
  if (role != Role::kWorkload) return;
  const auto of_peer = of_workloads_.find(peer);
  if (--of_peer->second == 0) of_workloads_.erase(of_peer);
}

}  // namespace lazymesh::als
