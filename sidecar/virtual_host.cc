#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h"

#include "sidecar/configuration.h"
#include "sidecar/messages.h"
#include "sidecar/port_match.h"
#include "sidecar/user_parts.h"

namespace lazymesh::sidecar {
namespace {

using envoy::config::route::v3::RetryPolicy;
using envoy::config::route::v3::RouteConfiguration;
using envoy::config::route::v3::VirtualHost;
using std::chrono_literals::operator""s;

std::vector<std::uint16_t> http_ports(const mesh::Service& service) {
  std::vector<std::uint16_t> ports;
  for (const auto& port : service.ports) {
    if (mesh::is_http(port.protocol)) ports.push_back(port.number);
  }
  return ports;
}

void add_domains(const mesh::Registry& registry, const mesh::Service& service,
                 std::string_view from_namespace, VirtualHost& host) {
  for (auto& name : registry.names_of(service, from_namespace)) host.add_domains(std::move(name));
  // The absolute form, which resolvers accept and Envoy does not shorten.
  host.add_domains(service.host + ".");
}

// Istio's default: what is known not to have been handled is tried on other endpoints.
void retry_elsewhere(RetryPolicy& policy) {
  policy.set_retry_on(
      "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes");
  policy.mutable_num_retries()->set_value(2);
  policy.set_host_selection_retry_max_attempts(5);
  auto& predicate = *policy.add_retry_host_predicate();
  predicate.set_name("envoy.retry_host_predicates.previous_hosts");
  pack(envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate(),
       *predicate.mutable_typed_config());
}

void add_default_route(const mesh::Service& service, std::uint16_t port, VirtualHost& host) {
  auto& route = *host.add_routes();
  route.mutable_match()->set_prefix("/");
  add_port_match(std::array{port}, *route.mutable_match());
  auto& action = *route.mutable_route();
  action.set_cluster(mesh::cluster_name(service.host, port));
  set(0s, *action.mutable_timeout());
  retry_elsewhere(*action.mutable_retry_policy());
}

// The user's routes on the service's own ports, and there nothing but them: what none of them
// matches is answered as Envoy would with these routes alone.
void confine_to_ports(std::span<const std::uint16_t> ports, VirtualHost& host) {
  auto& rest = *host.add_routes();
  rest.mutable_match()->set_prefix("/");
  rest.mutable_direct_response()->set_status(404);
  for (auto& route : *host.mutable_routes()) add_port_match(ports, *route.mutable_match());
}

}  // namespace

std::string virtual_host(const mesh::Registry& registry, const mesh::Service& service,
                         std::string_view from_namespace) {
  const auto ports = http_ports(service);
  if (ports.empty()) return {};
  VirtualHost host;
  if (user_virtual_host(service, host)) {
    confine_to_ports(ports, host);
  } else {
    for (const auto port : ports) add_default_route(service, port, host);
  }
  host.set_name(service.host);
  host.clear_domains();
  add_domains(registry, service, from_namespace, host);
  return serialize(host);
}

ResourcePtr routes_of(const mesh::Service& service, const mesh::Port& port) {
  VirtualHost host;
  if (!mesh::is_http(port.protocol) || !user_virtual_host(service, host)) return nullptr;
  RouteConfiguration routes;
  routes.set_name(mesh::cluster_name(service.host, port.number));
  host.set_name(service.host);
  host.clear_domains();
  host.add_domains("*");
  *routes.add_virtual_hosts() = std::move(host);
  return make_resource(ResourceType::kRoutes, routes.name(), routes);
}

}  // namespace lazymesh::sidecar
