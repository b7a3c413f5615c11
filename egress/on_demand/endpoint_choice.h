#pragma once

#include <cstdint>
#include <vector>

#include "egress/on_demand/destination.h"

namespace lazymesh::egress {

/// The endpoints of one priority of a load assignment, by health.
struct EndpointsByHealth {
  std::vector<UpstreamEndpoint> healthy;
  std::vector<UpstreamEndpoint> degraded;
  std::vector<UpstreamEndpoint> unhealthy;  ///< draining ones too
  bool operator==(const EndpointsByHealth&) const = default;
};

/// Those that may be chosen, as Envoy's load balancers decide it: the healthy ones, else the
/// degraded ones; but all of them while fewer than `panic_threshold` percent are either
/// (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/panic_threshold).
std::vector<UpstreamEndpoint> choose(const EndpointsByHealth& endpoints, double panic_threshold);

/// Which addresses of a name are used (envoy.config.cluster.v3.Cluster.DnsLookupFamily).
enum class DnsFamily { kAuto, kV4Only, kV6Only, kV4Preferred, kAll };

std::vector<IpAddress> choose(const std::vector<IpAddress>& addresses, DnsFamily family);

}  // namespace lazymesh::egress
