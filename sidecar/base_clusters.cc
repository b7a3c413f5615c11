#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"

#include "sidecar/configuration.h"
#include "sidecar/messages.h"
#include "sidecar/upstream.h"

namespace lazymesh::sidecar {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::cluster::v3::OutlierDetection;
using envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""h;

// The PROXY protocol header tells the egress whom the caller meant, and from where.
void speak_proxy_protocol(Cluster& cluster) {
  envoy::extensions::transport_sockets::proxy_protocol::v3::ProxyProtocolUpstreamTransport wrapper;
  wrapper.mutable_config()->set_version(envoy::config::core::v3::ProxyProtocolConfig::V2);
  auto& inner = *wrapper.mutable_transport_socket();
  inner.set_name("envoy.transport_sockets.raw_buffer");
  pack(envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer(),
       *inner.mutable_typed_config());
  cluster.mutable_transport_socket()->set_name("envoy.transport_sockets.upstream_proxy_protocol");
  pack(wrapper, *cluster.mutable_transport_socket()->mutable_typed_config());
}

// An egress that cannot be reached is left out for a while; what destinations answer through it is
// not held against it.
void leave_out_unreachable(OutlierDetection& detection) {
  detection.set_split_external_local_origin_errors(true);
  detection.mutable_consecutive_local_origin_failure()->set_value(2);
  detection.mutable_enforcing_consecutive_local_origin_failure()->set_value(100);
  detection.mutable_enforcing_local_origin_success_rate()->set_value(0);
  detection.mutable_enforcing_consecutive_5xx()->set_value(0);
  detection.mutable_enforcing_consecutive_gateway_failure()->set_value(0);
  detection.mutable_enforcing_success_rate()->set_value(0);
  detection.mutable_max_ejection_percent()->set_value(50);
  set(1s, *detection.mutable_interval());
  set(10s, *detection.mutable_base_ejection_time());
}

ResourcePtr egress_cluster(const mesh::MeshSettings& settings) {
  Cluster cluster;
  cluster.set_name(std::string(kEgressCluster));
  cluster.set_type(Cluster::STATIC);
  set(1s, *cluster.mutable_connect_timeout());
  no_limits(*cluster.mutable_circuit_breakers());
  auto& assignment = *cluster.mutable_load_assignment();
  assignment.set_cluster_name(cluster.name());
  auto& locality = *assignment.add_endpoints();
  for (const auto& address : settings.egress) {
    set(address, *locality.add_lb_endpoints()->mutable_endpoint()->mutable_address());
  }
  if (settings.egress.size() > 1) leave_out_unreachable(*cluster.mutable_outlier_detection());
  // With the PROXY protocol a pool belongs to one downstream connection, so idle ones add up.
  HttpProtocolOptions options;
  as_downstream(options);
  set(5s, *options.mutable_common_http_protocol_options()->mutable_idle_timeout());
  set_http_options(options, cluster);
  speak_proxy_protocol(cluster);
  return make_resource(ResourceType::kCluster, cluster.name(), cluster);
}

ResourcePtr original_destination_cluster(std::string_view name) {
  Cluster cluster;
  cluster.set_name(std::string(name));
  cluster.set_type(Cluster::ORIGINAL_DST);
  cluster.set_lb_policy(Cluster::CLUSTER_PROVIDED);
  set(10s, *cluster.mutable_connect_timeout());
  // Envoy's 5 s makes it forget and remake hosts all the time.
  set(1h, *cluster.mutable_cleanup_interval());
  no_limits(*cluster.mutable_circuit_breakers());
  HttpProtocolOptions options;
  as_downstream(options);
  set_http_options(options, cluster);
  return make_resource(ResourceType::kCluster, cluster.name(), cluster);
}

}  // namespace

std::vector<ResourcePtr> base_clusters(const Subject& subject) {
  const auto& settings = subject.registry.settings();
  std::vector<ResourcePtr> clusters;
  if (settings.shape == mesh::SidecarShape::kTransparent) {
    clusters.push_back(original_destination_cluster(kInboundCluster));
    clusters.push_back(original_destination_cluster(kPassthroughCluster));
  }
  if (subject.mode == mesh::LazyMode::kEnabled) clusters.push_back(egress_cluster(settings));
  return clusters;
}

}  // namespace lazymesh::sidecar
