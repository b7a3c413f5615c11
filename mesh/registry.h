#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
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
  /// Who may report access logs for others, by the peer address of its connection; the egress's
  /// addresses if empty.
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

  /// Index and check: duplicate namespaces, hosts, workloads; a VIP or a workload address claimed
  /// twice; an endpoint for a port the service lacks; a service in an unknown namespace.
  /// kInvalidArgument names the first.
  static Result<std::shared_ptr<const Registry>> build(RegistryContent content);
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

  /// The service that a caller in `from_namespace` means by `host` (already without a port): any
  /// case, a trailing dot, `svc`, `svc.ns`, `svc.ns.svc`, the full name, or a VIP as text. Null if
  /// there is none or it is not visible.
  ServicePtr resolve(std::string_view host, std::string_view from_namespace) const;

  /// Enabled, observed or disabled: the workload's label, else its namespace's, else the mesh's
  /// default.
  LazyMode lazy_mode(const Workload& workload) const;

  /// All names by which callers in `from_namespace` may call the service, in lower case, the full
  /// one first, VIPs last: what resolve() accepts and a virtual host's domains say.
  std::vector<std::string> names_of(const Service& service, std::string_view from_namespace) const;

 private:
  explicit Registry(RegistryContent content) : content_(std::move(content)) {}
  Result<void> index();

  RegistryContent content_;
  absl::flat_hash_map<std::string_view, ServicePtr> by_host_;
  absl::flat_hash_map<IpAddress, const Service*> by_vip_;
  absl::flat_hash_map<SocketAddress, std::pair<const Service*, const Endpoint*>> by_endpoint_;
  absl::flat_hash_map<WorkloadId, WorkloadPtr> by_workload_;
  absl::flat_hash_map<IpAddress, const Workload*> by_address_;
};

}  // namespace lazymesh::mesh
