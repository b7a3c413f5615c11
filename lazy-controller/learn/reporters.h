#pragma once

#include <memory>
#include <mutex>

#include "als/observation.h"
#include "base/result.h"
#include "mesh/registry.h"

namespace lazymesh::learn {

/// Who may open a stream of access logs, by the registry in force: so that nobody else takes room.
/// What a stream may report is the Learner's affair. Safe from any thread.
class Reporters {
 public:
  void set_registry(std::shared_ptr<const mesh::Registry> registry);
  /// kUnavailable before the first registry, kPermissionDenied for a stranger.
  Result<als::Role> role_of(const IpAddress& peer) const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const mesh::Registry> registry_;  // null before the first
};

}  // namespace lazymesh::learn
