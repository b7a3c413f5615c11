#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"

/// The words of the mesh as plain types: no I/O, no threads. Everything here is a value; what is
/// shared is immutable.
namespace lazymesh::mesh {

/// Labels of namespaces and workloads.
using Labels = std::map<std::string, std::string, std::less<>>;

/// The label by which laziness is switched, on a namespace or (winning over it) on a workload:
/// `enabled`, `observe` or `disabled`.
inline constexpr std::string_view kLazyLabel = "lazymesh.io/lazy";

/// How a workload's sidecar is treated.
enum class LazyMode {
  kDisabled,  ///< told about every service that it may see
  kObserve,   ///< told about every service; its access log is learned from, and nothing is changed
  kEnabled,   ///< told about its scope only
};

/// The application protocol of a service port, as Istio names it (the port's `appProtocol` or its
/// name's prefix).
enum class Protocol { kTcp, kTls, kHttp, kHttp2, kGrpc };

/// Whether requests on such a port are routed by host (HTTP) rather than by address.
bool is_http(Protocol protocol);
std::string_view to_string(Protocol protocol);
std::string_view to_string(LazyMode mode);
Result<Protocol> parse_protocol(std::string_view text);
Result<LazyMode> parse_lazy_mode(std::string_view text);

struct Namespace {
  std::string name;
  Labels labels;
  bool operator==(const Namespace&) const = default;
};

struct Port {
  std::uint16_t number = 0;
  Protocol protocol = Protocol::kTcp;
  std::string name;
  bool operator==(const Port&) const = default;
};

enum class Health : std::uint8_t { kHealthy, kUnhealthy, kDraining, kDegraded };

/// Where an endpoint runs: `region/zone/sub_zone`, any suffix empty. Interned, since thousands
/// share one.
struct Locality {
  std::string region;
  std::string zone;
  std::string sub_zone;
  auto operator<=>(const Locality&) const = default;
};

/// One address that serves one port of a service. Plain and small: a mesh has tens of thousands.
struct Endpoint {
  SocketAddress address;
  std::uint16_t service_port = 0;  ///< the Port::number that it serves
  Health health = Health::kHealthy;
  std::uint32_t weight = 1;                  ///< load balancing weight, at least 1
  std::shared_ptr<const Locality> locality;  ///< null: none
  bool operator==(const Endpoint& other) const;
};

/// A service of the registry.
struct Service {
  std::string
      host;  ///< fully qualified, lower case, no trailing dot: reviews.shop.svc.cluster.local
  std::string namespace_;  ///< whose it is
  std::vector<IpAddress> vips;
  std::vector<Port> ports;
  /// Namespaces that may see it: names, `.` (its own), `*` (all). Empty is all, as Istio's default
  /// exportTo.
  std::vector<std::string> export_to;
  std::vector<Endpoint> endpoints;
  /// envoy.config.route.v3.RouteConfiguration, serialized, as the user wrote it; empty where there
  /// is none. Passed on unchanged to sidecar and egress, so that the first answer equals the
  /// second.
  std::string routes;
  /// envoy.config.cluster.v3.Cluster, serialized, as the user wrote it; empty where there is none.
  /// Its fields are merged over those Lazymesh would send for each port of the service; its load
  /// balancing policy is always meant.
  std::string cluster;
  /// Hosts of the services that `routes` sends requests to (from clusters named
  /// `outbound|port|subset|host`), sorted, without its own. Wherever this service is in scope, they
  /// are, as `derived`.
  std::vector<std::string> route_hosts;

  bool operator==(const Service&) const = default;

  const Port* find_port(std::uint16_t number) const;
  bool visible_from(std::string_view from_namespace) const;
};

/// Names a workload: scopes are keyed by workload, never by service.
struct WorkloadId {
  std::string namespace_;
  std::string name;
  auto operator<=>(const WorkloadId&) const = default;
  /// "shop/web".
  std::string to_string() const;
  static Result<WorkloadId> parse(std::string_view text);

  template <class H>
  friend H AbslHashValue(H state, const WorkloadId& id) {
    return H::combine(std::move(state), id.namespace_, id.name);
  }
};

/// The pods that share an owner.
struct Workload {
  WorkloadId id;
  Labels labels;
  std::string service_account;
  std::vector<IpAddress> addresses;
  bool operator==(const Workload&) const = default;
};

/// Why a service is in a workload's scope.
enum class Reason {
  kLearned,   ///< seen in an access log
  kDeclared,  ///< asked for by the user
  kDerived,   ///< a route of a service in scope leads there
  kImported,  ///< taken over from another source
};
std::string_view to_string(Reason reason);
Result<Reason> parse_reason(std::string_view text);

/// A workload's need of one port of a service.
struct DependencyKey {
  WorkloadId source;
  std::string host;
  std::uint16_t port = 0;
  auto operator<=>(const DependencyKey&) const = default;

  template <class H>
  friend H AbslHashValue(H state, const DependencyKey& key) {
    return H::combine(std::move(state), key.source, key.host, key.port);
  }
};

struct Dependency {
  DependencyKey key;
  Protocol protocol = Protocol::kHttp;
  Reason reason = Reason::kLearned;
  WallTime first_seen;
  WallTime last_seen;
  std::uint64_t count = 0;  ///< access log entries that showed it
  bool operator==(const Dependency&) const = default;
};

/// The name that a service port's cluster, endpoints and routes carry, as Istio's:
/// `outbound|9080||host`.
std::string cluster_name(std::string_view host, std::uint16_t port, std::string_view subset = {});

/// The parts of such a name; nullopt-like: an empty host if `name` is no such name.
struct ClusterName {
  std::string_view host;
  std::string_view subset;
  std::uint16_t port = 0;
};
ClusterName parse_cluster_name(std::string_view name);

}  // namespace lazymesh::mesh
