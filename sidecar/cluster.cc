#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"

#include "sidecar/configuration.h"
#include "sidecar/messages.h"
#include "sidecar/upstream.h"

namespace lazymesh::sidecar {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
using std::chrono_literals::operator""s;

constexpr auto kHttpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

HttpProtocolOptions http_options(mesh::Protocol protocol) {
  HttpProtocolOptions options;
  if (protocol == mesh::Protocol::kHttp) {
    as_downstream(options);
  } else {
    always_http2(options);
  }
  return options;
}

Cluster plain_cluster(const std::string& name, const mesh::Port& port) {
  Cluster cluster;
  cluster.set_name(name);
  cluster.set_type(Cluster::EDS);
  auto& eds = *cluster.mutable_eds_cluster_config();
  eds.set_service_name(name);
  from_ads(1s, *eds.mutable_eds_config());
  set(10s, *cluster.mutable_connect_timeout());
  cluster.set_lb_policy(Cluster::LEAST_REQUEST);
  no_limits(*cluster.mutable_circuit_breakers());
  if (mesh::is_http(port.protocol)) set_http_options(http_options(port.protocol), cluster);
  return cluster;
}

// The user's HTTP options are merged like the rest, but for the choice of the protocol, which is
// theirs as a whole where they make one.
void merge_http_options(mesh::Protocol protocol, const Cluster& user, Cluster& cluster) {
  const auto found = user.typed_extension_protocol_options().find(kHttpOptions);
  if (found == user.typed_extension_protocol_options().end()) return;
  if (!mesh::is_http(protocol)) {
    cluster.mutable_typed_extension_protocol_options()->erase(kHttpOptions);
    return;
  }
  HttpProtocolOptions theirs;
  if (!found->second.UnpackTo(&theirs)) return;
  auto options = http_options(protocol);
  if (theirs.upstream_protocol_options_case() !=
      HttpProtocolOptions::UPSTREAM_PROTOCOL_OPTIONS_NOT_SET) {
    options.clear_upstream_protocol_options();
  }
  options.MergeFrom(theirs);
  set_http_options(options, cluster);
}

void merge_user_cluster(const mesh::Port& port, Cluster user, Cluster& cluster) {
  const std::string name = cluster.name();
  user.clear_name();
  // Envoy takes the first of several thresholds of one priority, so theirs must stand alone.
  if (user.has_circuit_breakers()) cluster.clear_circuit_breakers();
  // Seconds and nanoseconds would be merged one by one.
  if (user.has_connect_timeout()) cluster.clear_connect_timeout();
  // An enum's first value is not merged.
  cluster.set_lb_policy(user.lb_policy());
  const bool own_discovery =
      user.cluster_discovery_type_case() != Cluster::CLUSTER_DISCOVERY_TYPE_NOT_SET &&
      !(user.has_type() && user.type() == Cluster::EDS);
  if (own_discovery) {
    cluster.clear_eds_cluster_config();
    if (user.has_load_assignment() && user.load_assignment().cluster_name().empty()) {
      user.mutable_load_assignment()->set_cluster_name(name);
    }
  } else {
    user.clear_eds_cluster_config();
    user.clear_load_assignment();
  }
  cluster.MergeFrom(user);
  merge_http_options(port.protocol, user, cluster);
}

}  // namespace

ResourcePtr cluster_of(const mesh::Service& service, const mesh::Port& port) {
  auto name = mesh::cluster_name(service.host, port.number);
  auto cluster = plain_cluster(name, port);
  if (Cluster user; !service.cluster.empty() && user.ParseFromString(service.cluster)) {
    merge_user_cluster(port, std::move(user), cluster);
  }
  return make_resource(ResourceType::kCluster, std::move(name), cluster);
}

}  // namespace lazymesh::sidecar
