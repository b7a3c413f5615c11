#include "test/lazy-controller/publish/fake_envoy.h"

#include <algorithm>
#include <stdexcept>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/route/v3/route.pb.h"

#include "sidecar/configuration.h"

namespace lazymesh::publish::xds::test {
namespace {

constexpr auto index(ResourceType type) { return static_cast<std::size_t>(type); }

sidecar::ResourcePtr to_resource(const Entry& entry) {
  return sidecar::make_resource(entry.type, std::string(entry.name.text()),
                                std::string(entry.message()));
}

using envoy::config::cluster::v3::Cluster;

Cluster parse_cluster(std::string_view bytes) {
  Cluster cluster;
  if (!cluster.ParseFromString(std::string(bytes))) throw std::runtime_error("not a cluster");
  return cluster;
}

bool has_eds(const sidecar::Resource& resource) {
  return parse_cluster(resource.body).type() == Cluster::EDS;
}

bool is_checked(const sidecar::Resource& resource) {
  return !parse_cluster(resource.body).health_checks().empty();
}

// One of the constraints that the protos put on their fields.
bool is_out_of_bounds(std::string_view cluster) {
  return parse_cluster(cluster).outlier_detection().max_ejection_percent().value() > 100;
}

bool has_bad_pattern(std::string_view bytes) {
  envoy::config::route::v3::RouteConfiguration routes;
  if (!routes.ParseFromString(std::string(bytes))) throw std::runtime_error("no routes");
  for (const auto& host : routes.virtual_hosts()) {
    for (const auto& route : host.routes()) {
      if (route.match().safe_regex().regex() == "(") return true;
    }
  }
  return false;
}

bool complete(ResourceType type) {
  return type == ResourceType::kCluster || type == ResourceType::kListener;
}

}  // namespace

std::map<std::string, FakeEnvoy::Held>& FakeEnvoy::held(ResourceType type) {
  return held_[index(type)];
}

Request FakeEnvoy::request(ResourceType type) {
  Request request;
  request.type = type;
  if (variant_ == Variant::kDelta) return request;
  request.nonce = nonces_[index(type)];
  request.version = versions_[index(type)];
  if (type == ResourceType::kEndpoints) {
    request.names.assign(wanted_endpoints_.begin(), wanted_endpoints_.end());
  } else if (type == ResourceType::kRoutes) {
    request.names = {std::string(sidecar::kOutboundRoutes)};
  }
  return request;
}

void FakeEnvoy::send(Request request) {
  if (std::find(order_.begin(), order_.end(), request.type) == order_.end()) {
    order_.push_back(request.type);
  }
  const bool paused = !paused_.empty() || (is_warming() && clusters_initialized_);
  if (request.type == ResourceType::kCluster && paused) {
    paused_.push_back(std::move(request));
  } else {
    outbox_.push_back(std::move(request));
  }
}

void FakeEnvoy::connect() {
  outbox_.clear();
  paused_.clear();
  nonces_.fill({});
  const auto open = [this](ResourceType type) {
    auto opening = request(type);
    if (variant_ == Variant::kDelta) {
      if (type == ResourceType::kCluster) {
        for (const auto& [name, cluster] : clusters_) {
          const auto& newest = cluster.warming ? cluster.warming : cluster.active;
          if (newest->version != 0) opening.initial_versions.emplace_back(name, newest->version);
        }
      }
      if (type == ResourceType::kEndpoints) {
        opening.names.assign(wanted_endpoints_.begin(), wanted_endpoints_.end());
      }
      if (type == ResourceType::kRoutes) opening.names = {std::string(sidecar::kOutboundRoutes)};
      for (const auto& [name, held] : held(type)) {
        if (type == ResourceType::kEndpoints && !wanted_endpoints_.contains(name)) continue;
        if (held.version != 0) opening.initial_versions.emplace_back(name, held.version);
      }
    }
    send(std::move(opening));
  };
  if (order_.empty()) return open(ResourceType::kCluster);
  for (const auto type : order_) {
    if (type != ResourceType::kEndpoints || !wanted_endpoints_.empty()) open(type);
  }
}

void FakeEnvoy::receive(const Response& response) {
  ++received_;
  received_resources_ += response.resources.size();
  nonces_[index(response.type)] = std::to_string(response.nonce);
  std::set<std::string_view> names;
  for (const auto& entry : response.resources) {
    if (!names.insert(entry->name.text()).second) throw std::runtime_error("resource sent twice");
  }
  switch (response.type) {
    case ResourceType::kCluster:
      receive_clusters(response);
      break;
    case ResourceType::kEndpoints:
      receive_endpoints(response);
      break;
    default:
      receive_rest(response);
  }
  progress();
}

void FakeEnvoy::answer(const Response& response, const std::string& error) {
  if (error.empty()) versions_[index(response.type)] = sidecar::version_text(response.version);
  auto answer = request(response.type);
  answer.nonce = std::to_string(response.nonce);
  if (!error.empty()) answer.error = error;
  send(std::move(answer));
}

// All that comes is decoded and checked before any of it is taken.
bool FakeEnvoy::reject_clusters(const Response& response) {
  for (const auto& entry : response.resources) {
    if (!is_out_of_bounds(entry->message())) continue;
    std::string error = "Proto constraint validation failed (ClusterValidationError.Outlier";
    if (names_the_invalid) error += "Detection): name: \"" + std::string(entry->name.text()) + "\"";
    answer(response, error);
    first_clusters_received_ = true;
    return true;
  }
  return false;
}

void FakeEnvoy::receive_clusters(const Response& response) {
  if (reject_clusters(response)) return;
  std::string error;
  std::vector<std::string> taken;
  std::set<std::string> named;
  for (const auto& entry : response.resources) {
    const std::string name(entry->name.text());
    named.insert(name);
    if (refuses.contains(name)) {
      error += (error.empty() ? "Error adding/updating cluster(s) " : ", ") + name + ": refused";
      continue;
    }
    taken.push_back(name);
    auto& cluster = clusters_[name];
    const auto& newest = cluster.warming ? cluster.warming : cluster.active;
    Held held{to_resource(*entry), entry->version};
    if (newest && newest->resource->body == held.resource->body) continue;
    cluster.warming = std::move(held);
    if (!has_eds(*cluster.warming->resource)) finish_warming(cluster);
  }
  if (variant_ == Variant::kDelta) {
    for (const auto& name : response.removed) clusters_.erase(std::string(name.text()));
  } else {
    std::erase_if(clusters_, [&](const auto& cluster) { return !named.contains(cluster.first); });
  }
  // Versions of a refused response are not remembered.
  for (const auto& name : taken) {
    auto& cluster = clusters_[name];
    auto& newest = cluster.warming ? cluster.warming : cluster.active;
    if (!error.empty()) newest->version = 0;
  }
  if (cuts_errors_short && !error.empty())
    error = "Error adding/updating cluster(s) ...(truncated)";
  answer(response, error);
  first_clusters_received_ = true;
  ask_for_endpoints();
}

void FakeEnvoy::ask_for_endpoints() {
  std::set<std::string> wanted;
  for (const auto& [name, cluster] : clusters_) {
    const auto& newest = cluster.warming ? cluster.warming : cluster.active;
    if (newest && has_eds(*newest->resource)) wanted.insert(name);
  }
  if (wanted == wanted_endpoints_) return;
  auto change = request(ResourceType::kEndpoints);
  for (const auto& name : wanted) {
    if (!wanted_endpoints_.contains(name)) change.names.push_back(name);
  }
  for (const auto& name : wanted_endpoints_) {
    if (wanted.contains(name)) continue;
    change.unsubscribe.push_back(name);
    held(ResourceType::kEndpoints).erase(name);
  }
  wanted_endpoints_ = std::move(wanted);
  if (variant_ == Variant::kStateOfTheWorld) change = request(ResourceType::kEndpoints);
  send(std::move(change));
}

void FakeEnvoy::receive_endpoints(const Response& response) {
  for (const auto& entry : response.resources) {
    const std::string name(entry->name.text());
    if (!wanted_endpoints_.contains(name)) continue;
    held(ResourceType::kEndpoints)[name] = {to_resource(*entry), entry->version};
    const auto at = clusters_.find(name);
    if (at == clusters_.end() || !at->second.warming) continue;
    if (!is_checked(*at->second.warming->resource)) finish_warming(at->second);
  }
  answer(response, {});
}

void FakeEnvoy::receive_rest(const Response& response) {
  if (response.type == ResourceType::kRoutes) {
    for (const auto& entry : response.resources) {
      if (has_bad_pattern(entry->message())) return answer(response, "missing ): (");
    }
  }
  auto& all = held(response.type);
  std::set<std::string> named;
  for (const auto& entry : response.resources) {
    named.insert(std::string(entry->name.text()));
    all[std::string(entry->name.text())] = {to_resource(*entry), entry->version};
  }
  for (const auto& name : response.removed) all.erase(std::string(name.text()));
  if (variant_ == Variant::kStateOfTheWorld && complete(response.type)) {
    std::erase_if(all, [&](const auto& held) { return !named.contains(held.first); });
  }
  answer(response, {});
}

void FakeEnvoy::finish_warming(Cluster& cluster) {
  if (cluster.warming) cluster.active = std::exchange(cluster.warming, std::nullopt);
}

void FakeEnvoy::finish_checks() {
  for (auto& [name, cluster] : clusters_) {
    if (held(ResourceType::kEndpoints).contains(name)) finish_warming(cluster);
  }
  progress();
}

void FakeEnvoy::time_out() {
  for (auto& [_, cluster] : clusters_) finish_warming(cluster);
  progress();
}

bool FakeEnvoy::is_warming() const {
  return std::any_of(clusters_.begin(), clusters_.end(),
                     [](const auto& cluster) { return cluster.second.warming.has_value(); });
}

void FakeEnvoy::progress() {
  if (is_warming()) return;
  while (!paused_.empty()) {
    outbox_.push_back(std::move(paused_.front()));
    paused_.pop_front();
  }
  if (!first_clusters_received_) return;
  clusters_initialized_ = true;
  if (!asked_listeners_) {
    asked_listeners_ = true;
    send(request(ResourceType::kListener));
  }
  if (!asked_routes_ && !held(ResourceType::kListener).empty()) {
    asked_routes_ = true;
    auto routes = request(ResourceType::kRoutes);
    routes.names = {std::string(sidecar::kOutboundRoutes)};
    send(std::move(routes));
  }
}

std::string FakeEnvoy::contradiction() const {
  std::vector<sidecar::ResourcePtr> clusters, endpoints, listeners, routes;
  for (const auto& [_, cluster] : clusters_) {
    if (!cluster.active) continue;
    clusters.push_back(cluster.active->resource);
    // Endpoints are not what is looked at: a cluster may do without for a while.
    if (has_eds(*cluster.active->resource)) {
      endpoints.push_back(sidecar::make_resource(ResourceType::kEndpoints,
                                                 cluster.active->resource->name, std::string()));
    }
  }
  for (auto& resource : endpoints) {
    std::string body("\x0a");
    body.push_back(static_cast<char>(resource->name.size()));
    resource =
        sidecar::make_resource(ResourceType::kEndpoints, resource->name, body + resource->name);
  }
  const auto collect = [this](ResourceType type, auto& into) {
    for (const auto& [_, held] : held_[index(type)]) into.push_back(held.resource);
  };
  collect(ResourceType::kListener, listeners);
  collect(ResourceType::kRoutes, routes);
  if (routes.empty()) listeners.clear();  // they wait for their routes
  return sidecar::contradiction(clusters, endpoints, listeners, routes);
}

std::set<std::string> FakeEnvoy::clusters() const {
  std::set<std::string> names;
  for (const auto& [name, cluster] : clusters_) {
    if (cluster.active) names.insert(name);
  }
  return names;
}

std::set<std::string> FakeEnvoy::clusters_without_version() const {
  std::set<std::string> names;
  for (const auto& [name, cluster] : clusters_) {
    if (cluster.active && cluster.active->version == 0) names.insert(name);
  }
  return names;
}

bool FakeEnvoy::accepted_clusters() const {
  return !versions_[index(ResourceType::kCluster)].empty();
}

std::string FakeEnvoy::routes() const {
  const auto& all = held_[index(ResourceType::kRoutes)];
  const auto found = all.find(std::string(sidecar::kOutboundRoutes));
  return found == all.end() ? std::string() : found->second.resource->body;
}

}  // namespace lazymesh::publish::xds::test
