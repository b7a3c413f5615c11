#include "lazy-controller/registry/file/envoy_text.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "google/protobuf/util/json_util.h"

#include "lazy-controller/registry/file/constraints.h"
#include "lazy-controller/registry/file/field_value.h"
#include "lazy-controller/registry/file/known_types.h"
#include "lazy-controller/registry/file/yaml_to_json.h"
#include "sidecar/resource.h"
#include "sidecar/user_parts.h"

namespace lazymesh::registry {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::route::v3::RouteAction;
using envoy::config::route::v3::RouteConfiguration;
using envoy::extensions::upstreams::http::v3::HttpProtocolOptions;

// The first key of that name, at any depth: protobuf does not say where in an Any it found one.
std::optional<Value> find_key(const Value& value, std::string_view name) {
  for (const auto& [key, entry] : value.entries()) {
    if (key.text() == name) return key;
  }
  for (const auto& [key, entry] : value.entries()) {
    if (const auto found = find_key(entry, name)) return found;
  }
  for (const Value element : value.elements()) {
    if (const auto found = find_key(element, name)) return found;
  }
  return std::nullopt;
}

// protobuf says "(PATH): invalid value …" or "(PATH) FIELD: Cannot find field.", without the path
// at the root.
void refuse(const Value& value, std::string_view message, Problems& problems) {
  Value at = value;
  if (message.starts_with('(')) {
    const auto close = message.find(')');
    at = descend(value, message.substr(1, close - 1));
    message.remove_prefix(std::min(close + 1, message.size()));
    while (message.starts_with(':') || message.starts_with(' ')) message.remove_prefix(1);
  }
  if (message.ends_with(": Cannot find field.")) {
    const auto name = message.substr(0, message.find(':'));
    if (const auto key = find_key(at, name)) {
      return problems.add(*key, "Envoy's API has no such field");
    }
  }
  problems.add(at, std::string(message));
}

bool parse(const Value& value, Problems& problems, google::protobuf::Message& message) {
  if (!value.is_mapping()) {
    problems.add(value, "must be a mapping");
    return false;
  }
  const std::string json = to_json(value, problems);
  if (problems.any()) return false;
  link_known_types();
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, &message);
  if (!parsed.ok()) {
    refuse(value, {parsed.message().data(), parsed.message().size()}, problems);
  }
  return parsed.ok();
}

// Collects the clusters that routes name, each with its path as protobuf writes it.
class TargetWalk {
 public:
  TargetWalk(const Value& root, Problems& problems, std::vector<RouteTarget>& targets)
      : root_(root), problems_(problems), targets_(targets) {}

  void configuration(const RouteConfiguration& routes) {
    mirrors(routes, "");
    each(routes.virtual_hosts(), "virtual_hosts", [&](const auto& host, const std::string& path) {
      if (host.has_matcher()) refuse(path + ".matcher", kUnknowable);
      mirrors(host, path + ".");
      each(host.routes(), path + ".routes", [&](const auto& route, const std::string& at) {
        if (route.has_route()) action(route.route(), at + ".route");
      });
    });
  }

 private:
  static constexpr std::string_view kUnknowable =
      "cannot be known in advance which clusters this leads to; name them by cluster or "
      "weighted_clusters";

  void action(const RouteAction& route, const std::string& path) {
    mirrors(route, path + ".");
    switch (route.cluster_specifier_case()) {
      case RouteAction::kCluster:
        return add(route.cluster(), path + ".cluster");
      case RouteAction::kWeightedClusters:
        return each(route.weighted_clusters().clusters(), path + ".weighted_clusters.clusters",
                    [&](const auto& weighted, const std::string& at) {
                      if (!weighted.cluster_header().empty()) {
                        return refuse(at + ".cluster_header", kUnknowable);
                      }
                      add(weighted.name(), at + ".name");
                    });
      case RouteAction::kClusterHeader:
        return refuse(path + ".cluster_header", kUnknowable);
      case RouteAction::kClusterSpecifierPlugin:
        return refuse(path + ".cluster_specifier_plugin", kUnknowable);
      case RouteAction::kInlineClusterSpecifierPlugin:
        return refuse(path + ".inline_cluster_specifier_plugin", kUnknowable);
      case RouteAction::CLUSTER_SPECIFIER_NOT_SET:
        return refuse(path, "names no cluster");
    }
  }

  template <class Message>
  void mirrors(const Message& message, const std::string& prefix) {
    each(message.request_mirror_policies(), prefix + "request_mirror_policies",
         [&](const auto& policy, const std::string& path) {
           if (!policy.cluster_header().empty()) {
             return refuse(path + ".cluster_header", kUnknowable);
           }
           add(policy.cluster(), path + ".cluster");
         });
  }

  template <class List, class Visit>
  void each(const List& list, const std::string& path, Visit visit) {
    for (int i = 0; i < list.size(); ++i) visit(list[i], path + "[" + std::to_string(i) + "]");
  }

  void add(const std::string& cluster, const std::string& path) {
    const auto known = std::any_of(targets_.begin(), targets_.end(),
                                   [&](const auto& target) { return target.cluster == cluster; });
    if (known) return;
    const Value value = descend(root_, path);
    targets_.push_back({cluster, value.mark(), value.path()});
  }

  void refuse(const std::string& path, std::string_view reason) {
    problems_.add(descend(root_, path), std::string(reason));
  }

  const Value& root_;
  Problems& problems_;
  std::vector<RouteTarget>& targets_;
};

// What of a RouteConfiguration has a meaning for one service; the rest rules a whole listener,
// which is Lazymesh's.
constexpr std::array<std::string_view, 8> kRouteFields = {"name",
                                                          "virtual_hosts",
                                                          "request_mirror_policies",
                                                          "typed_per_filter_config",
                                                          "request_headers_to_add",
                                                          "request_headers_to_remove",
                                                          "response_headers_to_add",
                                                          "response_headers_to_remove"};

void check_route_fields(const Value& value, Problems& problems) {
  for (const auto& [key, entry] : value.entries()) {
    const bool known = std::any_of(kRouteFields.begin(), kRouteFields.end(),
                                   [&](auto field) { return same_field(field, key.text()); });
    if (!known) problems.add(key, "rules more than this one service, so it cannot be set here");
  }
}

void check_cluster(const Value& value, const Cluster& cluster, Problems& problems) {
  const auto refuse = [&](std::string_view field, std::string reason) {
    problems.add(descend(value, field), std::move(reason));
  };
  if (!cluster.name().empty()) refuse("name", "Lazymesh names it: outbound|PORT||HOST");
  if (cluster.has_cluster_type()) refuse("cluster_type", "is not supported; use type");
  if (cluster.has_eds_cluster_config()) {
    refuse("eds_cluster_config", "Lazymesh sends the endpoints; write them under endpoints");
  }
  const bool by_dns =
      cluster.type() == Cluster::STRICT_DNS || cluster.type() == Cluster::LOGICAL_DNS;
  if (cluster.has_load_assignment() && !by_dns) {
    refuse("load_assignment", "needs type STRICT_DNS or LOGICAL_DNS; addresses go under endpoints");
  }
  if (by_dns && !cluster.has_load_assignment()) refuse("type", "needs load_assignment");
  if (cluster.has_type() && cluster.type() == Cluster::STATIC) {
    refuse("type", "leave it out and write addresses under endpoints");
  }
}

// With what Lazymesh adds where the user leaves it out (sidecar/cluster.cc, virtual_host.cc), so
// that it is not missed.
Cluster completed(Cluster cluster) {
  cluster.set_name("name");
  if (cluster.has_load_assignment()) cluster.mutable_load_assignment()->set_cluster_name("name");
  for (auto& [name, any] : *cluster.mutable_typed_extension_protocol_options()) {
    HttpProtocolOptions options;
    if (!any.UnpackTo(&options)) continue;
    if (options.upstream_protocol_options_case() ==
        HttpProtocolOptions::UPSTREAM_PROTOCOL_OPTIONS_NOT_SET) {
      options.mutable_explicit_http_config()->mutable_http_protocol_options();
    }
    any.PackFrom(options);
  }
  return cluster;
}

RouteConfiguration completed(RouteConfiguration routes) {
  for (auto& host : *routes.mutable_virtual_hosts()) host.set_name("name");
  return routes;
}

}  // namespace

std::string read_routes(const Value& value, Problems& problems, std::vector<RouteTarget>& targets) {
  RouteConfiguration routes;
  if (!parse(value, problems, routes)) return {};
  check_route_fields(value, problems);
  if (routes.virtual_hosts_size() != 1) {
    problems.add(descend(value, "virtual_hosts"),
                 "must have one virtual host, that of the service");
  }
  TargetWalk(value, problems, targets).configuration(routes);
  check_constraints(completed(routes), value, problems);
  auto bytes = sidecar::serialize(routes);
  bytes.shrink_to_fit();
  return bytes;
}

bool routes_apply_to(const mesh::Service& service) {
  envoy::config::route::v3::VirtualHost host;
  return sidecar::user_virtual_host(service, host);
}

std::string read_cluster(const Value& value, Problems& problems) {
  Cluster cluster;
  if (!parse(value, problems, cluster)) return {};
  check_cluster(value, cluster, problems);
  check_constraints(completed(cluster), value, problems);
  // Said where it was left out: the bytes of an enum's first value are those of none.
  if (!descend(value, "lb_policy").is_scalar()) cluster.set_lb_policy(Cluster::LEAST_REQUEST);
  auto bytes = sidecar::serialize(cluster);
  bytes.shrink_to_fit();
  return bytes;
}

}  // namespace lazymesh::registry
