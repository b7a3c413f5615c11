#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mesh/registry.h"
#include "sidecar/resource.h"

/// What one sidecar is told: pure functions from the mesh's words to Envoy resources. No I/O, no
/// state, any thread.
namespace lazymesh::sidecar {

/// Names that sidecars, egress and controller agree on.
inline constexpr std::string_view kEgressCluster = "lazymesh-egress";
inline constexpr std::string_view kControllerCluster = "lazymesh-controller";
inline constexpr std::string_view kPassthroughCluster = "PassthroughCluster";
inline constexpr std::string_view kInboundCluster = "InboundPassthroughCluster";
inline constexpr std::string_view kOutboundRoutes = "outbound-http";
inline constexpr std::uint16_t kOutboundPort = 15001;
inline constexpr std::uint16_t kInboundPort = 15006;

/// Resources of one service port, the same for every sidecar and for the egress:
/// `outbound|port||host`.
ResourcePtr cluster_of(const mesh::Service& service, const mesh::Port& port);
ResourcePtr endpoints_of(const mesh::Service& service, const mesh::Port& port);
/// The user's routes under the port's name, for the egress; null if the service has none.
ResourcePtr routes_of(const mesh::Service& service, const mesh::Port& port);

/// The sidecar that is configured.
struct Subject {
  const mesh::Registry& registry;
  const mesh::Workload& workload;
  mesh::LazyMode mode;
};

/// Clusters that do not belong to a service: the egress (lazy sidecars), pass-through, inbound.
std::vector<ResourcePtr> base_clusters(const Subject& subject);

/// The listeners. `services` are those whose clusters the sidecar already has (make before break),
/// ascending by host.
std::vector<ResourcePtr> listeners(const Subject& subject,
                                   std::span<const mesh::ServicePtr> services);

/// The one route configuration, kOutboundRoutes, made by joining virtual hosts in the wire format.
ResourcePtr route_configuration(const Subject& subject, std::span<const mesh::ServicePtr> services);

/// One VirtualHost of the route configuration, serialized: worth caching by (service, caller
/// namespace). Empty for a service without HTTP ports.
std::string virtual_host(const mesh::Registry& registry, const mesh::Service& service,
                         std::string_view from_namespace);

/// The same from virtual hosts as virtual_host() made them (empty ones are left out), in the order
/// of their services: for who keeps them. They hold for every mode; the fallback is added here.
ResourcePtr join_route_configuration(const Subject& subject,
                                     std::span<const std::string_view> virtual_hosts);

/// Whether two things that must agree do: every cluster that listeners and routes name is among
/// `clusters`, every EDS cluster has endpoints, every RDS name a route configuration, no name
/// twice. An empty string if consistent, else the first contradiction. For tests.
std::string contradiction(std::span<const ResourcePtr> clusters,
                          std::span<const ResourcePtr> endpoints,
                          std::span<const ResourcePtr> listeners,
                          std::span<const ResourcePtr> routes);

/// What a sidecar is started with.
struct BootstrapOptions {
  SocketAddress controller;  ///< the controller's gRPC address
  SocketAddress admin;       ///< Envoy's own admin listener
  bool delta = true;         ///< delta xDS, else state of the world
};

/// An Envoy bootstrap for the workload, as JSON.
std::string bootstrap(const mesh::Registry& registry, const mesh::Workload& workload,
                      const BootstrapOptions& options);

/// `sidecar~ADDRESS~WORKLOAD.NAMESPACE~NAMESPACE.svc.DOMAIN`, as Istio's sidecars call themselves.
std::string node_id(const mesh::Workload& workload, std::string_view cluster_domain);

/// The workload that a node id names; an error if it is not of that form.
Result<mesh::WorkloadId> parse_node_id(std::string_view node_id);

}  // namespace lazymesh::sidecar
