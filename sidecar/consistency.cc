#include <set>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"

#include "sidecar/configuration.h"

namespace lazymesh::sidecar {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::config::listener::v3::FilterChain;
using envoy::config::listener::v3::Listener;
using envoy::config::route::v3::RouteAction;
using envoy::config::route::v3::RouteConfiguration;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;

using Names = std::set<std::string, std::less<>>;

// The names of each type, and the first contradiction found.
class Check {
 public:
  void declare(std::span<const ResourcePtr> clusters, std::span<const ResourcePtr> endpoints,
               std::span<const ResourcePtr> listeners, std::span<const ResourcePtr> routes) {
    declare(clusters, clusters_);
    declare(endpoints, endpoints_);
    declare(listeners, listeners_);
    declare(routes, routes_);
  }

  template <class Message>
  Message parse(const Resource& resource) {
    Message message;
    if (!message.ParseFromString(resource.body)) wrong(resource.name + " cannot be parsed");
    return message;
  }

  void cluster(const Resource& resource) {
    const auto cluster = parse<Cluster>(resource);
    same_name(resource, cluster.name());
    if (!cluster.has_type() || cluster.type() != Cluster::EDS) return;
    const auto& service = cluster.eds_cluster_config().service_name();
    const auto& name = service.empty() ? cluster.name() : service;
    if (!endpoints_.contains(name)) wrong("cluster " + cluster.name() + " lacks endpoints " + name);
  }

  void endpoints(const Resource& resource) {
    same_name(resource, parse<ClusterLoadAssignment>(resource).cluster_name());
  }

  void listener(const Resource& resource) {
    const auto listener = parse<Listener>(resource);
    same_name(resource, listener.name());
    const std::string where = "listener " + listener.name();
    for (const auto& chain : listener.filter_chains()) filter_chain(chain, where);
    filter_chain(listener.default_filter_chain(), where);
  }

  void routes(const Resource& resource) {
    const auto routes = parse<RouteConfiguration>(resource);
    same_name(resource, routes.name());
    route_configuration(routes, "route configuration " + routes.name());
  }

  const std::string& contradiction() const { return contradiction_; }

 private:
  void wrong(std::string what) {
    if (contradiction_.empty()) contradiction_ = std::move(what);
  }

  void declare(std::span<const ResourcePtr> resources, Names& names) {
    for (const auto& resource : resources) {
      if (!names.insert(resource->name).second) {
        wrong(std::string(type_url(resource->type)) + " " + resource->name + " is there twice");
      }
    }
  }

  void same_name(const Resource& resource, const std::string& name) {
    if (resource.name != name) wrong("resource " + resource.name + " calls itself " + name);
  }

  void needs_cluster(const std::string& name, const std::string& where) {
    if (!clusters_.contains(name)) wrong(where + " names cluster " + name + ", which is missing");
  }

  void filter_chain(const FilterChain& chain, const std::string& where) {
    for (const auto& filter : chain.filters()) {
      if (TcpProxy proxy; filter.typed_config().UnpackTo(&proxy)) {
        if (!proxy.cluster().empty()) needs_cluster(proxy.cluster(), where);
        for (const auto& weighted : proxy.weighted_clusters().clusters()) {
          needs_cluster(weighted.name(), where);
        }
      }
      HttpConnectionManager manager;
      if (!filter.typed_config().UnpackTo(&manager)) continue;
      route_configuration(manager.route_config(), where);
      const auto& rds = manager.rds().route_config_name();
      if (manager.has_rds() && !routes_.contains(rds)) {
        wrong(where + " names route configuration " + rds + ", which is missing");
      }
    }
  }

  void route_configuration(const RouteConfiguration& routes, const std::string& where) {
    Names hosts;
    Names domains;
    mirrors(routes.request_mirror_policies(), where);
    for (const auto& host : routes.virtual_hosts()) {
      const std::string place = where + ", virtual host " + host.name();
      if (!hosts.insert(host.name()).second) wrong(place + " is there twice");
      for (const auto& domain : host.domains()) {
        if (!domains.insert(domain).second) {
          wrong(place + ": domain " + domain + " is there twice");
        }
      }
      mirrors(host.request_mirror_policies(), place);
      for (const auto& route : host.routes()) action(route.route(), place);
    }
  }

  void action(const RouteAction& action, const std::string& where) {
    if (!action.cluster().empty()) needs_cluster(action.cluster(), where);
    for (const auto& weighted : action.weighted_clusters().clusters()) {
      if (!weighted.name().empty()) needs_cluster(weighted.name(), where);
    }
    mirrors(action.request_mirror_policies(), where);
  }

  void mirrors(const auto& policies, const std::string& where) {
    for (const auto& mirror : policies) {
      if (!mirror.cluster().empty()) needs_cluster(mirror.cluster(), where);
    }
  }

  Names clusters_;
  Names endpoints_;
  Names listeners_;
  Names routes_;
  std::string contradiction_;
};

}  // namespace

std::string contradiction(std::span<const ResourcePtr> clusters,
                          std::span<const ResourcePtr> endpoints,
                          std::span<const ResourcePtr> listeners,
                          std::span<const ResourcePtr> routes) {
  Check check;
  check.declare(clusters, endpoints, listeners, routes);
  for (const auto& resource : clusters) check.cluster(*resource);
  for (const auto& resource : endpoints) check.endpoints(*resource);
  for (const auto& resource : listeners) check.listener(*resource);
  for (const auto& resource : routes) check.routes(*resource);
  return check.contradiction();
}

}  // namespace lazymesh::sidecar
