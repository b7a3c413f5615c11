#include "envoy/config/route/v3/route.pb.h"

#include "sidecar/configuration.h"
#include "sidecar/fallback.h"
#include "sidecar/messages.h"

namespace lazymesh::sidecar {
namespace {

using envoy::config::route::v3::Route;
using envoy::config::route::v3::RouteConfiguration;
using envoy::config::route::v3::VirtualHost;
using std::chrono_literals::operator""s;

Route to_cluster(std::string_view cluster) {
  Route route;
  route.mutable_match()->set_prefix("/");
  route.mutable_route()->set_cluster(std::string(cluster));
  set(0s, *route.mutable_route()->mutable_timeout());
  return route;
}

// The name is what access logs say of such requests, as Istio's do.
Route fallback_route(Fallback fallback) {
  Route route;
  switch (fallback) {
    case Fallback::kEgress: {
      route = to_cluster(kEgressCluster);
      route.set_name("fallback");
      set(0s, *route.mutable_route()->mutable_idle_timeout());
      // Nothing wider: the egress itself knows what may be tried again.
      auto& retry = *route.mutable_route()->mutable_retry_policy();
      retry.set_retry_on("connect-failure,refused-stream,reset-before-request");
      retry.mutable_num_retries()->set_value(2);
      break;
    }
    case Fallback::kPassthrough:
      route = to_cluster(kPassthroughCluster);
      route.set_name("allow_any");
      break;
    case Fallback::kRefuse:
      route.mutable_match()->set_prefix("/");
      route.mutable_direct_response()->set_status(502);
      route.set_name("block_all");
      break;
  }
  return route;
}

std::string catch_all(const Route& fallback) {
  VirtualHost host;
  host.set_name(fallback.name());
  host.add_domains("*");
  *host.add_routes() = fallback;
  return serialize(host);
}

}  // namespace

ResourcePtr join_route_configuration(const Subject& subject,
                                     std::span<const std::string_view> virtual_hosts) {
  const auto fallback = fallback_route(fallback_of(subject));
  // A known host's other ports fall back as well: a last route of its virtual host.
  std::string last_route;
  append_field(VirtualHost::kRoutesFieldNumber, serialize(fallback), last_route);

  std::string body;
  append_field(RouteConfiguration::kNameFieldNumber, kOutboundRoutes, body);
  std::string host;
  for (const auto fragment : virtual_hosts) {
    if (fragment.empty()) continue;
    host.assign(fragment).append(last_route);
    append_field(RouteConfiguration::kVirtualHostsFieldNumber, host, body);
  }
  append_field(RouteConfiguration::kVirtualHostsFieldNumber, catch_all(fallback), body);
  RouteConfiguration rest;
  rest.set_ignore_port_in_host_matching(true);
  body.append(serialize(rest));
  return make_resource(ResourceType::kRoutes, std::string(kOutboundRoutes), std::move(body));
}

ResourcePtr route_configuration(const Subject& subject,
                                std::span<const mesh::ServicePtr> services) {
  std::vector<std::string> hosts;
  hosts.reserve(services.size());
  for (const auto& service : services) {
    hosts.push_back(virtual_host(subject.registry, *service, subject.workload.id.namespace_));
  }
  return join_route_configuration(subject,
                                  std::vector<std::string_view>(hosts.begin(), hosts.end()));
}

}  // namespace lazymesh::sidecar
