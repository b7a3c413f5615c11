#pragma once

#include <cstddef>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "base/ip.h"
#include "lazy-controller/publish/xds/messages.h"
#include "mesh/registry.h"

namespace lazymesh::publish::xds {

/// Whose stream it is: the workload of a sidecar, or null for an egress. kPermissionDenied if the
/// peer may not speak for it: a sidecar shares an address with its workload, an egress is one by
/// MeshSettings::is_egress; where bound addresses are trusted, loopback may speak for either.
/// kNotFound if the registry has no such workload. Pure.
Result<mesh::WorkloadPtr> admit(const mesh::Registry& registry, const Node& node,
                                const IpAddress& peer);

/// The address of a gRPC peer as ServerContext::peer() gives it: "ipv4:10.0.0.1:80",
/// "ipv6:%5B::1%5D:80", "unix:…" (which counts as loopback).
Result<IpAddress> parse_peer(std::string_view peer);

/// How many streams there may be, in all and of one address, so that nobody takes the places of all
/// others. Loopback, where many sidecars may be, has no limit of its own. One thread.
class Places {
 public:
  Places(std::size_t in_all, std::size_t of_one) : in_all_(in_all), of_one_(of_one) {}

  /// kResourceExhausted if there is none left.
  Result<void> take(const IpAddress& peer);
  /// Of a place that was taken.
  void give_back(const IpAddress& peer);

 private:
  std::size_t in_all_;
  std::size_t of_one_;
  std::size_t taken_ = 0;
  absl::flat_hash_map<IpAddress, std::size_t> taken_by_;
};

}  // namespace lazymesh::publish::xds
