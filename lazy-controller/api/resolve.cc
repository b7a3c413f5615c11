#include "lazy-controller/api/resolve.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "lazymesh/v1/resolver.pb.h"

#include "sidecar/configuration.h"

namespace lazymesh::api {
namespace {

v1::Protocol to_proto(mesh::Protocol protocol) {
  switch (protocol) {
    case mesh::Protocol::kTcp:
      return v1::TCP;
    case mesh::Protocol::kTls:
      return v1::TLS;
    case mesh::Protocol::kHttp:
      return v1::HTTP;
    case mesh::Protocol::kHttp2:
      return v1::HTTP2;
    case mesh::Protocol::kGrpc:
      return v1::GRPC;
  }
  return v1::PROTOCOL_UNSPECIFIED;
}

// The user's cluster may find its endpoints in another way than EDS.
v1::Discovery discovery_of(const mesh::Service& service) {
  using envoy::config::cluster::v3::Cluster;
  Cluster cluster;
  if (service.cluster.empty() || !cluster.ParseFromString(service.cluster)) return v1::EDS;
  if (!cluster.has_type()) return v1::EDS;
  switch (cluster.type()) {
    case Cluster::STRICT_DNS:
    case Cluster::LOGICAL_DNS:
      return v1::DNS;
    case Cluster::ORIGINAL_DST:
      return v1::ORIGINAL_DESTINATION;
    default:
      return v1::EDS;
  }
}

void answer_caller(const mesh::Registry& registry, const v1::CallerQuery& query,
                   v1::Resolution& resolution) {
  const auto& settings = registry.settings();
  const auto not_found = [&](std::string reason) {
    resolution.mutable_not_found()->set_reason(std::move(reason));
  };
  mesh::WorkloadPtr workload;
  if (!query.bound_address().empty()) {
    if (settings.shape != mesh::SidecarShape::kBound || !settings.trust_bound_addresses) {
      return not_found("bound addresses are not trusted (settings.trustBoundAddresses)");
    }
    const auto bound = IpAddress::parse(query.bound_address());
    workload = bound ? registry.find_workload(*bound) : nullptr;
    if (!workload) return not_found("no workload has the address " + query.bound_address());
  } else {
    const auto peer = IpAddress::parse(query.peer_address());
    const auto source = IpAddress::parse(query.source_address());
    workload = source ? registry.find_workload(*source) : nullptr;
    if (!workload) return not_found("no workload has the address " + query.source_address());
    if (!peer || registry.find_workload(*peer) != workload) {
      return not_found("the peer " + query.peer_address() + " is not the workload " +
                       workload->id.to_string() + " that it claims to speak for");
    }
  }
  resolution.mutable_caller()->set_namespace_(workload->id.namespace_);
  resolution.mutable_caller()->set_workload(workload->id.name);
}

void answer_service(const mesh::Service& service, std::uint16_t port_number,
                    v1::Discovery discovery, v1::Resolution& resolution) {
  const mesh::Port* port = service.find_port(port_number);
  if (port == nullptr) {
    resolution.mutable_not_found()->set_reason("service " + service.host + " has no port " +
                                               std::to_string(port_number));
    return;
  }
  auto& destination = *resolution.mutable_destination();
  destination.set_host(service.host);
  destination.set_port(port_number);
  destination.set_protocol(to_proto(port->protocol));
  destination.set_cluster(mesh::cluster_name(service.host, port_number));
  if (!service.routes.empty() && mesh::is_http(port->protocol)) {
    destination.set_route_configuration(destination.cluster());
  }
  destination.set_namespace_(service.namespace_);
  destination.set_discovery(discovery);
}

void answer_outside(const mesh::Registry& registry, std::string what, std::uint16_t port,
                    const std::string& caller_namespace, v1::Resolution& resolution) {
  if (registry.settings().outbound == mesh::OutboundPolicy::kAllowAny) {
    auto& destination = *resolution.mutable_destination();
    destination.set_host(std::move(what));
    destination.set_port(port);
    destination.set_cluster(std::string(sidecar::kPassthroughCluster));
    destination.set_discovery(v1::ORIGINAL_DESTINATION);
    return;
  }
  resolution.mutable_not_found()->set_reason(
      "no service '" + what + "' is visible from namespace '" + caller_namespace + "'");
}

void answer_destination(const mesh::Registry& registry, const v1::DestinationQuery& query,
                        v1::Resolution& resolution) {
  if (query.port() == 0 || query.port() > 65535) {
    resolution.mutable_not_found()->set_reason("port " + std::to_string(query.port()) +
                                               " does not exist");
    return;
  }
  const auto port = static_cast<std::uint16_t>(query.port());
  const auto& from = query.caller_namespace();
  if (!query.host().empty()) {
    if (const auto service = registry.resolve(query.host(), from)) {
      return answer_service(*service, port, discovery_of(*service), resolution);
    }
    return answer_outside(registry, query.host(), port, from, resolution);
  }
  const auto ip = IpAddress::parse(query.address());
  if (!ip) {
    resolution.mutable_not_found()->set_reason("'" + query.address() + "' is not an address");
    return;
  }
  const SocketAddress address{*ip, port};
  if (const auto service = registry.find_vip(address); service && service->visible_from(from)) {
    return answer_service(*service, port, discovery_of(*service), resolution);
  }
  if (const auto match = registry.find_endpoint(address);
      match && match->service->visible_from(from)) {
    return answer_service(*match->service, match->endpoint->service_port, v1::ORIGINAL_DESTINATION,
                          resolution);
  }
  answer_outside(registry, address.to_string(), port, from, resolution);
}

}  // namespace

v1::Resolution resolve(const mesh::Registry& registry, const v1::Query& query) {
  v1::Resolution resolution;
  *resolution.mutable_query() = query;
  switch (query.of_case()) {
    case v1::Query::kCaller:
      answer_caller(registry, query.caller(), resolution);
      break;
    case v1::Query::kDestination:
      answer_destination(registry, query.destination(), resolution);
      break;
    case v1::Query::OF_NOT_SET:
      resolution.mutable_not_found()->set_reason("the query asks for nothing");
      break;
  }
  return resolution;
}

}  // namespace lazymesh::api
