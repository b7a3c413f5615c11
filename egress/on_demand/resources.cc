#include "egress/on_demand/resources.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

#include "egress/on_demand/field_audit.h"
#include "egress/on_demand/routing.h"

namespace lazymesh::egress {
namespace {

namespace cluster = envoy::config::cluster::v3;
namespace core = envoy::config::core::v3;
namespace endpoint = envoy::config::endpoint::v3;
namespace route = envoy::config::route::v3;
namespace http = envoy::extensions::upstreams::http::v3;

constexpr std::string_view kTypeUrls[] = {
    "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
};
constexpr std::string_view kNames[] = {"cluster", "endpoints", "routes"};
constexpr char kHttpProtocolOptions[] = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

// One endpoint of a load assignment, before it is known whether its address must be resolved.
struct Host {
  std::string address;
  std::uint16_t port = 0;
  std::uint32_t weight = 1;
};
struct Priority {
  std::vector<Host> healthy;
  std::vector<Host> degraded;
  std::vector<Host> unhealthy;
};

Result<Host> host_of(const endpoint::LbEndpoint& lb_endpoint) {
  const auto& address = lb_endpoint.endpoint().address();
  if (!address.has_socket_address() ||
      address.socket_address().port_specifier_case() != core::SocketAddress::kPortValue ||
      address.socket_address().port_value() > 0xffff) {
    return fail(Code::kInvalidArgument, "an endpoint without an address and a port");
  }
  const auto& socket = address.socket_address();
  const auto weight =
      lb_endpoint.has_load_balancing_weight() ? lb_endpoint.load_balancing_weight().value() : 1;
  return Host{socket.address(), static_cast<std::uint16_t>(socket.port_value()), weight};
}

std::vector<Host>& group_of(Priority& priority, core::HealthStatus health) {
  switch (health) {
    case core::UNKNOWN:
    case core::HEALTHY:
      return priority.healthy;
    case core::DEGRADED:
      return priority.degraded;
    default:
      break;
  }
  return priority.unhealthy;
}

// The first priority that has somebody to serve. Envoy spills over between priorities, and between
// healthy and degraded endpoints, by shares of health: said to be unsupported where it matters.
Result<Priority> first_priority(const endpoint::ClusterLoadAssignment& assignment,
                                FieldAudit& audit) {
  audit.fields(assignment, "endpoints", {"cluster_name", "endpoints", "policy"});
  audit.fields(assignment.policy(), "endpoints.policy", {"overprovisioning_factor"});
  std::map<std::uint32_t, Priority> priorities;
  for (const auto& locality : assignment.endpoints()) {
    audit.fields(locality, "endpoints.endpoints",
                 {"locality", "metadata", "lb_endpoints", "load_balancing_weight", "priority"});
    for (const auto& lb_endpoint : locality.lb_endpoints()) {
      audit.fields(lb_endpoint, "endpoints.endpoints.lb_endpoints",
                   {"endpoint", "health_status", "metadata", "load_balancing_weight"});
      audit.fields(lb_endpoint.endpoint(), "endpoints.endpoints.lb_endpoints.endpoint",
                   {"address", "hostname"});
      auto host = host_of(lb_endpoint);
      if (!host) return tl::unexpected(std::move(host.error()));
      group_of(priorities[locality.priority()], lb_endpoint.health_status())
          .push_back(std::move(*host));
    }
  }
  if (priorities.empty()) return Priority{};
  if (priorities.size() > 1) audit.add("endpoints.endpoints.priority");
  auto chosen = std::find_if(priorities.begin(), priorities.end(), [](const auto& each) {
    return !each.second.healthy.empty() || !each.second.degraded.empty();
  });
  if (chosen == priorities.end()) chosen = priorities.begin();
  auto& priority = chosen->second;
  if (!priority.healthy.empty() && !priority.degraded.empty()) {
    audit.add("endpoints.endpoints.lb_endpoints.health_status");
  }
  return std::move(priority);
}

Result<void> add_addresses(const std::vector<Host>& hosts,
                           std::vector<UpstreamEndpoint>& endpoints) {
  endpoints.reserve(hosts.size());
  for (const auto& host : hosts) {
    auto address = IpAddress::parse(host.address);
    if (!address) {
      return fail(Code::kInvalidArgument, "'" + host.address + "' is not an IP address");
    }
    endpoints.push_back({{*address, host.port}, host.weight});
  }
  return {};
}

Result<EndpointsByHealth> addresses_of(const Priority& priority) {
  EndpointsByHealth endpoints;
  for (auto added : {add_addresses(priority.healthy, endpoints.healthy),
                     add_addresses(priority.degraded, endpoints.degraded),
                     add_addresses(priority.unhealthy, endpoints.unhealthy)}) {
    if (!added) return tl::unexpected(std::move(added.error()));
  }
  return endpoints;
}

std::chrono::milliseconds milliseconds(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) +
         std::chrono::milliseconds(duration.nanos() / 1'000'000);
}

Result<ClusterFacts::Type> type_of(const cluster::Cluster& message) {
  if (message.has_cluster_type()) {
    return fail(Code::kInvalidArgument,
                "cluster_type " + message.cluster_type().name() + " is not supported");
  }
  switch (message.type()) {
    case cluster::Cluster::EDS:
      return ClusterFacts::Type::kEds;
    case cluster::Cluster::STATIC:
      return ClusterFacts::Type::kStatic;
    case cluster::Cluster::STRICT_DNS:
      return ClusterFacts::Type::kStrictDns;
    case cluster::Cluster::LOGICAL_DNS:
      return ClusterFacts::Type::kLogicalDns;
    case cluster::Cluster::ORIGINAL_DST:
      return ClusterFacts::Type::kOriginalDestination;
    default:
      break;
  }
  return fail(Code::kInvalidArgument, "an unknown discovery type");
}

// Limits that nothing can reach are none; an unset one is Envoy's default, as for any cluster.
void audit_circuit_breakers(const cluster::Cluster& message, FieldAudit& audit) {
  constexpr auto kUnlimited = std::numeric_limits<std::uint32_t>::max();
  audit.fields(message.circuit_breakers(), "cluster.circuit_breakers", {"thresholds"});
  for (const auto& threshold : message.circuit_breakers().thresholds()) {
    const std::string path = "cluster.circuit_breakers.thresholds";
    audit.fields(threshold, path,
                 {"priority", "track_remaining", "max_connections", "max_pending_requests",
                  "max_requests", "max_retries"});
    const auto limit = [&](const char* field, bool set, std::uint32_t value) {
      if (set && value != kUnlimited) audit.add(path + field);
    };
    limit(".max_connections", threshold.has_max_connections(), threshold.max_connections().value());
    limit(".max_pending_requests", threshold.has_max_pending_requests(),
          threshold.max_pending_requests().value());
    limit(".max_requests", threshold.has_max_requests(), threshold.max_requests().value());
    limit(".max_retries", threshold.has_max_retries(), threshold.max_retries().value());
  }
}

DnsFamily family_of(const cluster::Cluster& message) {
  switch (message.dns_lookup_family()) {
    case cluster::Cluster::V4_ONLY:
      return DnsFamily::kV4Only;
    case cluster::Cluster::V6_ONLY:
      return DnsFamily::kV6Only;
    case cluster::Cluster::V4_PREFERRED:
      return DnsFamily::kV4Preferred;
    case cluster::Cluster::ALL:
      return DnsFamily::kAll;
    default:
      break;
  }
  return DnsFamily::kAuto;
}

void audit_http_options(const cluster::Cluster& message, FieldAudit& audit) {
  for (const auto& [name, packed] : message.typed_extension_protocol_options()) {
    http::HttpProtocolOptions options;
    if (name != kHttpProtocolOptions || !packed.UnpackTo(&options)) {
      audit.add("cluster.typed_extension_protocol_options");
      continue;
    }
    // Which protocol is spoken follows the service's protocol, as the Resolver tells it; header
    // names keep their case anyway.
    const std::string path = "cluster.http_protocol_options";
    audit.fields(
        options, path,
        {"explicit_http_config", "use_downstream_protocol_config", "common_http_protocol_options"});
    audit.fields(options.common_http_protocol_options(), path + ".common_http_protocol_options",
                 {});
    for (const auto* http1 : {&options.explicit_http_config().http_protocol_options(),
                              &options.use_downstream_protocol_config().http_protocol_options()}) {
      audit.fields(*http1, path + ".http_protocol_options", {"header_key_format"});
    }
    for (const auto* http2 : {&options.explicit_http_config().http2_protocol_options(),
                              &options.use_downstream_protocol_config().http2_protocol_options()}) {
      audit.fields(*http2, path + ".http2_protocol_options", {});
    }
  }
}

Result<ClusterFacts> decode_one(const cluster::Cluster& message) {
  ClusterFacts facts;
  FieldAudit audit;
  audit.fields(
      message, "cluster",
      {"name", "alt_stat_name", "type", "eds_cluster_config", "connect_timeout",
       "per_connection_buffer_limit_bytes", "lb_policy", "load_assignment", "circuit_breakers",
       "common_lb_config", "typed_extension_protocol_options", "dns_lookup_family",
       "cleanup_interval", "wait_for_warm_on_init", "metadata", "track_cluster_stats"});
  auto type = type_of(message);
  if (!type) return tl::unexpected(std::move(type.error()));
  facts.type = *type;
  const bool original = facts.type == ClusterFacts::Type::kOriginalDestination;
  // Both spread evenly by weight; the egress does it by least request.
  if (message.lb_policy() != cluster::Cluster::ROUND_ROBIN &&
      message.lb_policy() != cluster::Cluster::LEAST_REQUEST &&
      !(original && message.lb_policy() == cluster::Cluster::CLUSTER_PROVIDED)) {
    audit.add("cluster.lb_policy");
  }
  audit_http_options(message, audit);
  audit_circuit_breakers(message, audit);
  audit.fields(message.common_lb_config(), "cluster.common_lb_config", {"healthy_panic_threshold"});
  if (message.common_lb_config().has_healthy_panic_threshold()) {
    facts.panic_threshold = message.common_lb_config().healthy_panic_threshold().value();
  }
  if (message.has_connect_timeout()) {
    facts.connect_timeout = milliseconds(message.connect_timeout());
    if (facts.connect_timeout.count() <= 0) {
      return fail(Code::kInvalidArgument, "connect_timeout must be greater than 0");
    }
  }
  facts.dns_family = family_of(message);
  if (facts.type == ClusterFacts::Type::kEds) {
    const auto& name = message.eds_cluster_config().service_name();
    facts.endpoints_name = name.empty() ? message.name() : name;
  } else if (!original) {
    auto priority = first_priority(message.load_assignment(), audit);
    if (!priority) return tl::unexpected(std::move(priority.error()));
    if (facts.type == ClusterFacts::Type::kStatic) {
      auto endpoints = addresses_of(*priority);
      if (!endpoints) return tl::unexpected(std::move(endpoints.error()));
      facts.endpoints = std::move(*endpoints);
    } else {
      for (auto& host : priority->healthy.empty() ? priority->degraded : priority->healthy) {
        facts.names.push_back({std::move(host.address), host.port, host.weight});
      }
    }
  }
  facts.unsupported = audit.take();
  return facts;
}

Result<EndpointsFacts> decode_one(const endpoint::ClusterLoadAssignment& message) {
  FieldAudit audit;
  auto priority = first_priority(message, audit);
  if (!priority) return tl::unexpected(std::move(priority.error()));
  auto endpoints = addresses_of(*priority);
  if (!endpoints) return tl::unexpected(std::move(endpoints.error()));
  return EndpointsFacts{std::move(*endpoints), audit.take()};
}

Result<RoutesFacts> decode_one(const route::RouteConfiguration& message) {
  RoutesFacts facts;
  auto table = RouteTable::compile(message, facts.unsupported);
  if (!table) return tl::unexpected(std::move(table.error()));
  facts.table = std::move(*table);
  return facts;
}

const std::string& name_of(const cluster::Cluster& message) { return message.name(); }
const std::string& name_of(const route::RouteConfiguration& message) { return message.name(); }
const std::string& name_of(const endpoint::ClusterLoadAssignment& message) {
  return message.cluster_name();
}

template <class Message>
void decode_all(const envoy::service::discovery::v3::DiscoveryResponse& response,
                AdsResponse& decoded) {
  for (const auto& packed : response.resources()) {
    Message message;
    // The bytes, not UnpackTo(): a server may wrap resources whose type URL has another prefix.
    if (!message.ParseFromString(packed.value()) || name_of(message).empty()) {
      decoded.rejected.emplace_back("", "a resource that is not what its type URL says");
      continue;
    }
    auto content = decode_one(message);
    if (!content) {
      decoded.rejected.emplace_back(name_of(message), std::move(content.error().message));
      continue;
    }
    if constexpr (std::is_same_v<Message, route::RouteConfiguration>) {
      content->serialized = packed.value();
    }
    decoded.resources.push_back({name_of(message), std::move(*content)});
  }
}

}  // namespace

std::string_view type_url(ResourceType type) { return kTypeUrls[static_cast<std::size_t>(type)]; }
std::string_view to_string(ResourceType type) { return kNames[static_cast<std::size_t>(type)]; }

Result<AdsResponse> decode(const envoy::service::discovery::v3::DiscoveryResponse& response) {
  AdsResponse decoded;
  decoded.version = response.version_info();
  decoded.nonce = response.nonce();
  if (response.type_url() == type_url(ResourceType::kCluster)) {
    decoded.type = ResourceType::kCluster;
    decode_all<cluster::Cluster>(response, decoded);
  } else if (response.type_url() == type_url(ResourceType::kEndpoints)) {
    decoded.type = ResourceType::kEndpoints;
    decode_all<endpoint::ClusterLoadAssignment>(response, decoded);
  } else if (response.type_url() == type_url(ResourceType::kRoutes)) {
    decoded.type = ResourceType::kRoutes;
    decode_all<route::RouteConfiguration>(response, decoded);
  } else {
    return fail(Code::kInvalidArgument, "type " + response.type_url() + " was not asked for",
                Origin::kControlPlane);
  }
  return decoded;
}

}  // namespace lazymesh::egress
