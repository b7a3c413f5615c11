#include "egress/on_demand/resource_cache.h"

#include <algorithm>
#include <utility>

namespace lazymesh::egress {
namespace {

std::string words(const std::vector<std::pair<std::string, std::string>>& rejected) {
  std::string text;
  for (const auto& [name, reason] : rejected) {
    if (!text.empty()) text += "; ";
    text.append(name).append(name.empty() ? "" : ": ").append(reason);
  }
  return text;
}

template <class Resource>
bool is_over(const Resource& resource, SteadyTime released_before) {
  return resource.users.empty() && resource.released_at <= released_before;
}

}  // namespace

SotwSubscription& ResourceCache::subscription(ResourceType type) {
  return subscriptions_[static_cast<std::size_t>(type)];
}

void ResourceCache::use_cluster(const std::string& name, User user, bool with_endpoints,
                                SteadyTime released_before) {
  auto& cluster = clusters_[name];
  if (is_over(cluster, released_before)) clear(name, cluster);
  cluster.users.insert(user);
  subscription(ResourceType::kCluster).add(name);
  if (with_endpoints && !cluster.facts) set_endpoints_name(name, cluster, name);
  subscribe_endpoints(cluster.endpoints_name);
}

void ResourceCache::release_cluster(SteadyTime now, const std::string& name, User user) {
  const auto found = clusters_.find(name);
  if (found == clusters_.end()) return;
  auto& cluster = found->second;
  if (cluster.users.erase(user) == 0 || !cluster.users.empty()) return;
  cluster.released_at = now;
  subscription(ResourceType::kCluster).remove(name);
  subscribe_endpoints(cluster.endpoints_name);
}

void ResourceCache::use_routes(const std::string& name, User user, SteadyTime released_before) {
  auto& routes = routes_[name];
  if (is_over(routes, released_before)) routes = {};
  routes.users.insert(user);
  subscription(ResourceType::kRoutes).add(name);
}

void ResourceCache::release_routes(SteadyTime now, const std::string& name, User user) {
  const auto found = routes_.find(name);
  if (found == routes_.end()) return;
  auto& routes = found->second;
  if (routes.users.erase(user) == 0 || !routes.users.empty()) return;
  routes.released_at = now;
  subscription(ResourceType::kRoutes).remove(name);
}

void ResourceCache::clear(const std::string& name, Cluster& cluster) {
  set_endpoints_name(name, cluster, {});
  if (cluster.facts) set_dns_names(name, cluster.facts->names, {});
  cluster = {};
}

void ResourceCache::purge(SteadyTime released_before) {
  for (auto each = clusters_.begin(); each != clusters_.end();) {
    if (!is_over(each->second, released_before)) {
      ++each;
      continue;
    }
    clear(each->first, each->second);
    each = clusters_.erase(each);
  }
  std::erase_if(routes_, [&](const auto& each) { return is_over(each.second, released_before); });
}

bool ResourceCache::empty() const {
  return subscriptions_[static_cast<std::size_t>(ResourceType::kCluster)].empty() &&
         subscriptions_[static_cast<std::size_t>(ResourceType::kRoutes)].empty();
}

UpstreamClusterPtr ResourceCache::cluster(std::string_view name) const {
  const auto found = clusters_.find(name);
  return found == clusters_.end() ? nullptr : found->second.built;
}

std::shared_ptr<const RouteTable> ResourceCache::routes(std::string_view name) const {
  const auto found = routes_.find(name);
  if (found == routes_.end() || !found->second.facts) return nullptr;
  return found->second.facts->table;
}

ResourceCache::ClusterStatus ResourceCache::cluster_status(std::string_view name) const {
  ClusterStatus status{std::string(name), "not asked for", {}};
  const auto found = clusters_.find(name);
  if (found == clusters_.end()) return status;
  const auto& cluster = found->second;
  if (cluster.facts) status.unsupported = cluster.facts->unsupported;
  const auto endpoints = endpoints_.find(cluster.endpoints_name);
  std::string rejected = cluster.rejected;
  if (endpoints != endpoints_.end()) {
    if (endpoints->second.facts) {
      const auto& more = endpoints->second.facts->unsupported;
      status.unsupported.insert(status.unsupported.end(), more.begin(), more.end());
    }
    if (rejected.empty()) rejected = endpoints->second.rejected;
  }
  if (cluster.built) {
    status.state = "ready";
  } else if (!cluster.facts) {
    status.state = "no cluster";
  } else if (cluster.facts->type == ClusterFacts::Type::kEds) {
    status.state = "no endpoints";
  } else {
    status.state = "resolving names";
  }
  if (!rejected.empty()) status.state += ", rejected: " + rejected;
  return status;
}

std::string ResourceCache::routes_status(std::string_view name) const {
  const auto found = routes_.find(name);
  if (found == routes_.end()) return "not asked for";
  std::string state = found->second.facts ? "ready" : "no routes";
  if (!found->second.rejected.empty()) state += ", rejected: " + found->second.rejected;
  return state;
}

std::vector<std::string> ResourceCache::routes_unsupported(std::string_view name) const {
  const auto found = routes_.find(name);
  if (found == routes_.end() || !found->second.facts) return {};
  return found->second.facts->unsupported;
}

void ResourceCache::on_stream_open() {
  purge(SteadyTime::max());
  for (auto& each : subscriptions_) each.on_stream_open();
}

ResourceCache::Change ResourceCache::on_response(AdsResponse response) {
  Change change;
  for (auto& resource : response.resources) {
    std::visit([&](auto& content) { tell(resource.name, std::move(content), change); },
               resource.content);
  }
  for (const auto& [name, reason] : response.rejected) reject(response.type, name, reason);
  subscription(response.type)
      .on_response(std::move(response.version), std::move(response.nonce),
                   words(response.rejected));
  return change;
}

void ResourceCache::tell(const std::string& name, ClusterFacts facts, Change& change) {
  const auto found = clusters_.find(name);
  if (found == clusters_.end()) return;
  auto& cluster = found->second;
  cluster.rejected.clear();
  if (cluster.facts == facts) return;
  if (!facts.unsupported.empty() &&
      (!cluster.facts || cluster.facts->unsupported != facts.unsupported)) {
    change.unsupported.push_back({ResourceType::kCluster, name, facts.unsupported});
  }
  set_endpoints_name(name, cluster,
                     facts.type == ClusterFacts::Type::kEds ? facts.endpoints_name : "");
  set_dns_names(name, cluster.facts ? cluster.facts->names : std::vector<DnsName>{}, facts.names);
  cluster.facts = std::move(facts);
  rebuild(name, cluster, change);
}

void ResourceCache::tell(const std::string& name, EndpointsFacts facts, Change& change) {
  const auto found = endpoints_.find(name);
  if (found == endpoints_.end()) return;
  auto& endpoints = found->second;
  endpoints.rejected.clear();
  if (endpoints.facts == facts) return;
  if (!facts.unsupported.empty() &&
      (!endpoints.facts || endpoints.facts->unsupported != facts.unsupported)) {
    change.unsupported.push_back({ResourceType::kEndpoints, name, facts.unsupported});
  }
  endpoints.facts = std::move(facts);
  for (const auto& user : endpoints.clusters) rebuild(user, clusters_.find(user)->second, change);
}

void ResourceCache::tell(const std::string& name, RoutesFacts facts, Change& change) {
  const auto found = routes_.find(name);
  if (found == routes_.end()) return;
  auto& routes = found->second;
  routes.rejected.clear();
  if (routes.facts == facts) return;
  if (!facts.unsupported.empty() &&
      (!routes.facts || routes.facts->unsupported != facts.unsupported)) {
    change.unsupported.push_back({ResourceType::kRoutes, name, facts.unsupported});
  }
  routes.facts = std::move(facts);
  change.users.insert(routes.users.begin(), routes.users.end());
}

void ResourceCache::reject(ResourceType type, const std::string& name, const std::string& reason) {
  const auto note = [&](auto& resources) {
    if (const auto found = resources.find(name); found != resources.end()) {
      found->second.rejected = reason;
    }
  };
  if (type == ResourceType::kCluster) note(clusters_);
  if (type == ResourceType::kEndpoints) note(endpoints_);
  if (type == ResourceType::kRoutes) note(routes_);
}

void ResourceCache::set_endpoints_name(const std::string& cluster_name, Cluster& cluster,
                                       std::string name) {
  if (cluster.endpoints_name == name) return;
  const auto old_name = std::exchange(cluster.endpoints_name, std::move(name));
  if (const auto old = endpoints_.find(old_name); old != endpoints_.end()) {
    old->second.clusters.erase(cluster_name);
    subscribe_endpoints(old_name);
    if (old->second.clusters.empty()) endpoints_.erase(old);
  }
  if (cluster.endpoints_name.empty()) return;
  endpoints_[cluster.endpoints_name].clusters.insert(cluster_name);
  subscribe_endpoints(cluster.endpoints_name);
}

// Endpoints are subscribed to for as long as a cluster that is in use has them.
void ResourceCache::subscribe_endpoints(const std::string& name) {
  const auto found = endpoints_.find(name);
  if (found == endpoints_.end()) return;
  const auto& clusters = found->second.clusters;
  const bool used = std::any_of(clusters.begin(), clusters.end(), [this](const auto& cluster) {
    return !clusters_.at(cluster).users.empty();
  });
  if (used) {
    subscription(ResourceType::kEndpoints).add(name);
  } else {
    subscription(ResourceType::kEndpoints).remove(name);
  }
}

void ResourceCache::set_dns_names(const std::string& cluster_name,
                                  const std::vector<DnsName>& before,
                                  const std::vector<DnsName>& after) {
  for (const auto& name : after) dns_[name.host].clusters.insert(cluster_name);
  for (const auto& name : before) {
    const auto kept = std::any_of(after.begin(), after.end(),
                                  [&](const DnsName& other) { return other.host == name.host; });
    const auto found = dns_.find(name.host);
    if (kept || found == dns_.end()) continue;
    found->second.clusters.erase(cluster_name);
    if (found->second.clusters.empty()) dns_.erase(found);
  }
}

std::optional<std::vector<UpstreamEndpoint>> ResourceCache::endpoints_of(
    const Cluster& cluster) const {
  if (!cluster.facts) return std::nullopt;
  const auto& facts = *cluster.facts;
  switch (facts.type) {
    case ClusterFacts::Type::kOriginalDestination:
      return std::vector<UpstreamEndpoint>{};
    case ClusterFacts::Type::kStatic:
      return choose(facts.endpoints, facts.panic_threshold);
    case ClusterFacts::Type::kEds: {
      const auto found = endpoints_.find(cluster.endpoints_name);
      if (found == endpoints_.end() || !found->second.facts) return std::nullopt;
      return choose(found->second.facts->endpoints, facts.panic_threshold);
    }
    case ClusterFacts::Type::kStrictDns:
    case ClusterFacts::Type::kLogicalDns:
      break;
  }
  std::vector<UpstreamEndpoint> endpoints;
  for (const auto& name : facts.names) {
    const auto found = dns_.find(name.host);
    if (found == dns_.end() || !found->second.addresses) return std::nullopt;
    auto addresses = choose(*found->second.addresses, facts.dns_family);
    // A logical cluster is one host, wherever its name leads at the moment.
    if (facts.type == ClusterFacts::Type::kLogicalDns && addresses.size() > 1) addresses.resize(1);
    for (const auto& address : addresses) endpoints.push_back({{address, name.port}, name.weight});
  }
  return endpoints;
}

void ResourceCache::rebuild(const std::string& name, Cluster& cluster, Change& change) {
  auto endpoints = endpoints_of(cluster);
  if (!endpoints) return;
  UpstreamCluster built;
  built.name = name;
  built.connect_timeout = cluster.facts->connect_timeout;
  built.endpoints = std::move(*endpoints);
  if (cluster.built && *cluster.built == built) return;
  cluster.built = std::make_shared<const UpstreamCluster>(std::move(built));
  change.users.insert(cluster.users.begin(), cluster.users.end());
}

std::optional<AdsRequest> ResourceCache::next_request() {
  for (auto& each : subscriptions_) {
    if (auto request = each.next()) return request;
  }
  return std::nullopt;
}

std::size_t ResourceCache::size(ResourceType type) const {
  return subscriptions_[static_cast<std::size_t>(type)].size();
}

std::vector<std::string> ResourceCache::dns_due(SteadyTime now) {
  std::vector<std::string> due;
  for (auto& [host, name] : dns_) {
    if (name.in_flight || name.due > now) continue;
    name.in_flight = true;
    due.push_back(host);
  }
  return due;
}

std::optional<SteadyTime> ResourceCache::dns_wake() const {
  std::optional<SteadyTime> wake;
  for (const auto& [host, name] : dns_) {
    if (!name.in_flight && (!wake || name.due < *wake)) wake = name.due;
  }
  return wake;
}

ResourceCache::Change ResourceCache::on_dns(const std::string& host,
                                            const std::optional<std::vector<IpAddress>>& addresses,
                                            SteadyTime again) {
  Change change;
  const auto found = dns_.find(host);
  if (found == dns_.end()) return change;
  auto& name = found->second;
  name.in_flight = false;
  name.due = again;
  if (addresses) {
    name.addresses = *addresses;
    // Resolvers rotate: the same set is the same answer.
    std::sort(name.addresses->begin(), name.addresses->end());
  } else if (!name.addresses) {
    name.addresses.emplace();
  }
  for (const auto& user : name.clusters) rebuild(user, clusters_.find(user)->second, change);
  return change;
}

}  // namespace lazymesh::egress
