#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "egress/on_demand/destination.h"
#include "egress/on_demand/endpoint_choice.h"

namespace envoy::service::discovery::v3 {
class DiscoveryResponse;
}

namespace lazymesh::egress {

/// The kinds of resource that the egress asks for by name, in the order in which it asks.
enum class ResourceType { kCluster, kEndpoints, kRoutes };
inline constexpr std::size_t kResourceTypes = 3;

std::string_view type_url(ResourceType type);
/// "cluster", "endpoints", "routes".
std::string_view to_string(ResourceType type);

/// A host name that a cluster wants resolved here.
struct DnsName {
  std::string host;
  std::uint16_t port = 0;
  std::uint32_t weight = 1;
  bool operator==(const DnsName&) const = default;
};

/// What the egress uses of an envoy.config.cluster.v3.Cluster.
struct ClusterFacts {
  enum class Type { kEds, kStatic, kStrictDns, kLogicalDns, kOriginalDestination };

  Type type = Type::kStatic;
  std::chrono::milliseconds connect_timeout{5'000};  ///< Envoy's default
  std::string endpoints_name;                        ///< kEds: the ClusterLoadAssignment to ask for
  EndpointsByHealth endpoints;                       ///< kStatic
  std::vector<DnsName> names;                        ///< kStrictDns, kLogicalDns
  DnsFamily dns_family = DnsFamily::kAuto;
  double panic_threshold = 50;           ///< percent; Envoy's default
  std::vector<std::string> unsupported;  ///< field paths set in it that cannot be honoured
  bool operator==(const ClusterFacts&) const = default;
};

/// What the egress uses of an envoy.config.endpoint.v3.ClusterLoadAssignment: its first priority
/// with an endpoint that is healthy or degraded, or just its first.
struct EndpointsFacts {
  EndpointsByHealth endpoints;
  std::vector<std::string> unsupported;
  bool operator==(const EndpointsFacts&) const = default;
};

/// An envoy.config.route.v3.RouteConfiguration, compiled.
struct RoutesFacts {
  std::shared_ptr<const RouteTable> table;
  std::string serialized;  ///< as received: the same bytes are the same table
  std::vector<std::string> unsupported;
  bool operator==(const RoutesFacts& other) const { return serialized == other.serialized; }
};

struct NamedResource {
  std::string name;
  std::variant<ClusterFacts, EndpointsFacts, RoutesFacts> content;
};

/// A DiscoveryResponse, decoded. What cannot be used is rejected by name, and the rest is used.
struct AdsResponse {
  ResourceType type = ResourceType::kCluster;
  std::string version;
  std::string nonce;
  std::vector<NamedResource> resources;
  std::vector<std::pair<std::string, std::string>> rejected;  ///< name (or empty) and reason
};

/// kInvalidArgument for a type that was not asked for.
Result<AdsResponse> decode(const envoy::service::discovery::v3::DiscoveryResponse& response);

}  // namespace lazymesh::egress
