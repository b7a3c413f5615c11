#include "lazy-controller/learn/reporters.h"

#include <utility>

namespace lazymesh::learn {

void Reporters::set_registry(std::shared_ptr<const mesh::Registry> registry) {
  const std::lock_guard lock(mutex_);
  registry_.swap(registry);
}

Result<als::Role> Reporters::role_of(const IpAddress& peer) const {
  std::shared_ptr<const mesh::Registry> registry;
  {
    const std::lock_guard lock(mutex_);
    registry = registry_;
  }
  if (!registry) {
    return fail(Code::kUnavailable, "the registry is not loaded yet", Origin::kLocal, Retry::kSafe);
  }
  if (registry->settings().is_egress(peer)) return als::Role::kEgress;
  if (registry->find_workload(peer)) return als::Role::kWorkload;
  return fail(Code::kPermissionDenied,
              peer.to_string() +
                  " is neither an egress (settings.egress, settings.reporters) nor a workload's"
                  " address",
              Origin::kDownstream);
}

}  // namespace lazymesh::learn
