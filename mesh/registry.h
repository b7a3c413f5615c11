#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/ip.h"
#include "base/result.h"
#include "mesh/types.h"

namespace lazymesh::mesh {

using ServicePtr = std::shared_ptr<const Service>;
using WorkloadPtr = std::shared_ptr<const Workload>;

/// How a sidecar takes its application's connections.
enum class SidecarShape {
  kTransparent,  ///< 15001 and 15006 by iptables and the original destination, as Istio does
  kBound,        ///< listens on the workload's own loopback address, HTTP only: no root needed
};

/// What becomes of requests to hosts outside the registry.
enum class OutboundPolicy { kRegistryOnly, kAllowAny };

/// What holds for the mesh as a whole.
struct MeshSettings {
  std::string cluster_domain = "cluster.local";
  SidecarShape shape = SidecarShape::kTransparent;
  OutboundPolicy outbound = OutboundPolicy::kRegistryOnly;
  LazyMode default_lazy = LazyMode::kDisabled;  ///< of namespaces without the label
  std::vector<SocketAddress> egress;            ///< where sidecars reach the egress
  /// The egresses, by the peer address of their connection: see is_egress(). The addresses of
  /// `egress` if empty.
  std::vector<IpAddress> reporters;
  /// Bound shape only: believe the PROXY header's *destination* (the workload's loopback address)
  /// as the source.
  bool trust_bound_addresses = false;

  /// Whether a control connection from this peer is an egress's, which may ask for any service and
  /// report for any workload: a reporter, or the egress itself if none are named; any loopback peer
  /// where bound addresses are trusted.
  bool is_egress(const IpAddress& peer) const;
  bool operator==(const MeshSettings&) const = default;
};

/// Everything the registry is made from.
struct RegistryContent {
  MeshSettings settings;
  std::vector<Namespace> namespaces;
  std::vector<ServicePtr> services;
  std::vector<WorkloadPtr> workloads;
};

/// What Registry::build() refused, for whoever knows where it was written: the name of a namespace,
/// a service, or a workload.
using Culprit = std::variant<std::monostate, std::string, ServicePtr, WorkloadPtr>;

/// The services, endpoints and workloads that exist, at one moment: immutable, safe from any
/// thread. Successive registries share the Service and Workload objects that did not change, so
/// that a change is found by comparing pointers.
class Registry {
 public:
  /// An endpoint found by its address.
  struct EndpointMatch {
    ServicePtr service;
    const Endpoint* endpoint;
  };

  /// Index and check: duplicate namespaces, hosts, workloads, ports, endpoints; a VIP or a workload
  /// address claimed twice; a workload with an address of an egress or a reporter; an endpoint for
  /// a port the service lacks; a service or workload in an unknown namespace, or whose host names
  /// another; two services that callers would know by one name. kInvalidArgument names the first,
  /// and `culprit` (if not null) is what it is about.
  static Result<std::shared_ptr<const Registry>> build(RegistryContent content,
                                                       Culprit* culprit = nullptr);
  static std::shared_ptr<const Registry> empty();

  const MeshSettings& settings() const { return content_.settings; }
  /// By host, ascending.
  const std::vector<ServicePtr>& services() const { return content_.services; }
  /// By id, ascending.
  const std::vector<WorkloadPtr>& workloads() const { return content_.workloads; }
  const std::vector<Namespace>& namespaces() const { return content_.namespaces; }

  /// By full host, lower case; null if there is none.
  ServicePtr find_service(std::string_view host) const;
  /// The service with this VIP that has this port; null if there is none.
  ServicePtr find_vip(const SocketAddress& address) const;
  std::optional<EndpointMatch> find_endpoint(const SocketAddress& address) const;
  WorkloadPtr find_workload(const WorkloadId& id) const;
  WorkloadPtr find_workload(const IpAddress& address) const;

  /// The service that a caller in `from_namespace` means by `host` (already without a port), in any
  /// case: the full name (a trailing dot allowed), `svc.ns.svc`, `svc.ns`, `svc` in its own
  /// namespace, or a VIP as text (IPv6 with brackets or without). Null if there is none or it is
  /// not visible.
  ServicePtr resolve(std::string_view host, std::string_view from_namespace) const;

  /// Enabled, observed or disabled: the workload's label, else its namespace's, else the mesh's
  /// default.
  LazyMode lazy_mode(const Workload& workload) const;

  /// All names by which callers in `from_namespace` may call the service, in lower case, the full
  /// one first, VIPs last (IPv6 in brackets, as in an authority), without the absolute form (the
  /// full name and a dot). resolve() leads from each back to the service, so no two services
  /// visible from one namespace share a name.
  std::vector<std::string> names_of(const Service& service, std::string_view from_namespace) const;

 private:
  using Index = std::uint32_t;  // into services() or workloads(), or into a service's endpoints

  explicit Registry(RegistryContent content) : content_(std::move(content)) {}
  Result<void> index(Culprit& culprit);
  Result<void> index_namespaces(Culprit& culprit);
  Result<void> index_service(Index number);
  Result<void> index_endpoints(Index number);
  Result<void> index_workload(Index number);
  Result<void> check_names(const Service& service) const;
  const Namespace* find_namespace(std::string_view name) const;

  RegistryContent content_;
  absl::flat_hash_map<std::string_view, Index> by_host_;
  absl::flat_hash_map<IpAddress, Index> by_vip_;
  absl::flat_hash_map<SocketAddress, std::pair<Index, Index>> by_endpoint_;
  absl::flat_hash_map<IpAddress, Index> by_address_;
};

}  // namespace lazymesh::mesh
