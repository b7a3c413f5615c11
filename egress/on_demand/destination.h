#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ip.h"
#include "mesh/types.h"

/// What the egress knows of a destination: plain, immutable snapshots, shared by the event loops.
namespace lazymesh::egress {

/// Identifies a caller by its connection (CallerQuery in proto/lazymesh/v1/resolver.proto).
struct CallerKey {
  IpAddress peer;
  IpAddress source;
  /// The PROXY header's destination where it is a loopback address (bound sidecars), else
  /// unspecified (0.0.0.0).
  IpAddress bound;

  auto operator<=>(const CallerKey&) const = default;
  template <class H>
  friend H AbslHashValue(H state, const CallerKey& key) {
    return H::combine(std::move(state), key.peer, key.source, key.bound);
  }
};

struct Caller {
  mesh::WorkloadId workload;
};
using CallerPtr = std::shared_ptr<const Caller>;

/// Identifies a destination as one caller's namespace names it (DestinationQuery in the same file).
struct DestinationKey {
  std::string caller_namespace;
  std::string host;        ///< the authority without its port, lower case; empty for raw TCP
  IpAddress address;       ///< the original destination's, where `host` is empty
  std::uint16_t port = 0;  ///< the original destination's

  auto operator<=>(const DestinationKey&) const = default;
  template <class H>
  friend H AbslHashValue(H state, const DestinationKey& key) {
    return H::combine(std::move(state), key.caller_namespace, key.host, key.address, key.port);
  }
};

struct UpstreamEndpoint {
  SocketAddress address;
  std::uint32_t weight = 1;
  bool operator==(const UpstreamEndpoint&) const = default;
};

/// One cluster as the egress uses it: from the Cluster and ClusterLoadAssignment of the same name.
struct UpstreamCluster {
  std::string name;
  std::chrono::milliseconds connect_timeout{10'000};
  std::vector<UpstreamEndpoint> endpoints;  ///< those that may be chosen
  bool operator==(const UpstreamCluster&) const = default;
};
using UpstreamClusterPtr = std::shared_ptr<const UpstreamCluster>;

class RouteTable;  // egress/on_demand/routing.h

enum class Discovery { kEds, kDns, kOriginalDestination };

/// Everything needed to serve a request to a destination.
struct Destination {
  std::string host;
  std::uint16_t port = 0;
  mesh::Protocol protocol = mesh::Protocol::kHttp;
  Discovery discovery = Discovery::kEds;
  UpstreamClusterPtr cluster;                ///< where requests go that no route sends elsewhere
  std::shared_ptr<const RouteTable> routes;  ///< null: the host has no routes of its own
  std::vector<UpstreamClusterPtr> route_clusters;  ///< those that `routes` names, by name ascending
  /// When a loop last used it, in steady-clock seconds: written by loops (relaxed), read by the
  /// on-demand client, which lets go of idle destinations. Shared by successive snapshots of one
  /// destination.
  std::shared_ptr<std::atomic<std::int64_t>> last_used;
};
using DestinationPtr = std::shared_ptr<const Destination>;

}  // namespace lazymesh::egress
