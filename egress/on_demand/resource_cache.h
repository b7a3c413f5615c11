#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "egress/on_demand/resources.h"
#include "egress/on_demand/sotw.h"

namespace lazymesh::egress {

/// A resource with fields that cannot be honoured.
struct UnsupportedReport {
  ResourceType type = ResourceType::kCluster;
  std::string name;
  std::vector<std::string> fields;
};

/// The resources of one ADS stream: who uses which, what is therefore subscribed, and what is known
/// of each. A resource is kept for as long as it has a user, whatever the stream does: the last
/// good content stays in force through a NACK, an absence from a response and a reconnect. (Whether
/// a destination exists at all is the Resolver's word.) Pure.
class ResourceCache {
 public:
  /// Numbers that the owner gives to what depends on a resource.
  using User = std::uint64_t;

  /// What an event changed.
  struct Change {
    std::set<User> users;  ///< of a cluster or route table that is new or another one
    std::vector<UnsupportedReport> unsupported;
  };

  /// What of a cluster is still missing, or wrong with it; for messages and the admin page.
  struct ClusterStatus {
    std::string name;
    std::string state;  ///< "ready", or what it waits for
    std::vector<std::string> unsupported;
  };

  /// Subscribe to the cluster and, `with_endpoints`, at once to the endpoints of the same name;
  /// otherwise to endpoints only when the cluster says so. Content that nobody has used since
  /// `released_before` is dropped first: nobody kept it up to date.
  void use_cluster(const std::string& name, User user, bool with_endpoints,
                   SteadyTime released_before);
  void release_cluster(SteadyTime now, const std::string& name, User user);
  void use_routes(const std::string& name, User user, SteadyTime released_before);
  void release_routes(SteadyTime now, const std::string& name, User user);
  /// Nothing is used.
  bool empty() const;
  /// Drop what nobody has used since then. Until it is dropped the content of a released resource
  /// stays, because a server that finds a name dropped and wanted again within one request, or that
  /// ignores the request which dropped it (its nonce was overtaken by a response), does not answer
  /// the name again.
  void purge(SteadyTime released_before);

  /// Null until all of it is there. Stays the same object until its content is another.
  UpstreamClusterPtr cluster(std::string_view name) const;
  std::shared_ptr<const RouteTable> routes(std::string_view name) const;
  ClusterStatus cluster_status(std::string_view name) const;
  std::string routes_status(std::string_view name) const;
  std::vector<std::string> routes_unsupported(std::string_view name) const;

  void on_stream_open();
  Change on_response(AdsResponse response);
  std::optional<AdsRequest> next_request();
  std::size_t size(ResourceType type) const;
  const std::string& version(ResourceType type) const {
    return subscriptions_[static_cast<std::size_t>(type)].version();
  }

  /// Host names to resolve now; each once, until on_dns() tells.
  std::vector<std::string> dns_due(SteadyTime now);
  std::optional<SteadyTime> dns_wake() const;
  /// nullopt: the name could not be resolved; the last good addresses stay.
  Change on_dns(const std::string& host, const std::optional<std::vector<IpAddress>>& addresses,
                SteadyTime again);

 private:
  struct Cluster {
    std::set<User> users;
    std::optional<ClusterFacts> facts;
    std::string endpoints_name;  // subscribed; empty: none
    std::string rejected;        // why the last content was refused
    UpstreamClusterPtr built;
    SteadyTime released_at{};  // while it has no users
  };
  struct Endpoints {
    std::set<std::string> clusters;
    std::optional<EndpointsFacts> facts;
    std::string rejected;
  };
  struct Routes {
    std::set<User> users;
    std::optional<RoutesFacts> facts;
    std::string rejected;
    SteadyTime released_at{};  // while it has no users
  };
  struct Dns {
    std::set<std::string> clusters;
    std::optional<std::vector<IpAddress>> addresses;  // told, if only that there are none
    SteadyTime due{};
    bool in_flight = false;
  };

  /// Drop the content of a cluster that nobody uses.
  void clear(const std::string& name, Cluster& cluster);
  SotwSubscription& subscription(ResourceType type);
  void subscribe_endpoints(const std::string& name);
  void set_endpoints_name(const std::string& cluster_name, Cluster& cluster, std::string name);
  void set_dns_names(const std::string& cluster_name, const std::vector<DnsName>& before,
                     const std::vector<DnsName>& after);
  void tell(const std::string& name, ClusterFacts facts, Change& change);
  void tell(const std::string& name, EndpointsFacts facts, Change& change);
  void tell(const std::string& name, RoutesFacts facts, Change& change);
  void reject(ResourceType type, const std::string& name, const std::string& reason);
  void rebuild(const std::string& name, Cluster& cluster, Change& change);
  /// nullopt while something that they are made from is missing.
  std::optional<std::vector<UpstreamEndpoint>> endpoints_of(const Cluster& cluster) const;

  std::map<std::string, Cluster, std::less<>> clusters_;
  std::map<std::string, Endpoints, std::less<>> endpoints_;
  std::map<std::string, Routes, std::less<>> routes_;
  std::map<std::string, Dns, std::less<>> dns_;
  SotwSubscription subscriptions_[kResourceTypes] = {SotwSubscription(ResourceType::kCluster),
                                                     SotwSubscription(ResourceType::kEndpoints),
                                                     SotwSubscription(ResourceType::kRoutes)};
};

}  // namespace lazymesh::egress
