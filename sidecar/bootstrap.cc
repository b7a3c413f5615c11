#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"

#include "sidecar/configuration.h"
#include "sidecar/messages.h"
#include "sidecar/upstream.h"

namespace lazymesh::sidecar {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using envoy::config::cluster::v3::Cluster;
using envoy::config::core::v3::ApiConfigSource;
using envoy::config::core::v3::Node;
using envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
using std::chrono_literals::operator""s;

void describe(const mesh::Workload& workload, std::string_view cluster_domain, Node& node) {
  node.set_id(node_id(workload, cluster_domain));
  node.set_cluster(workload.id.name + "." + workload.id.namespace_);
  auto& metadata = *node.mutable_metadata()->mutable_fields();
  metadata["NAMESPACE"].set_string_value(workload.id.namespace_);
  metadata["WORKLOAD_NAME"].set_string_value(workload.id.name);
  metadata["SERVICE_ACCOUNT"].set_string_value(workload.service_account);
  std::string addresses;
  for (const auto& address : workload.addresses) {
    addresses.append(addresses.empty() ? "" : ",").append(address.to_string());
  }
  metadata["INSTANCE_IPS"].set_string_value(addresses);
  auto& labels = *metadata["LABELS"].mutable_struct_value()->mutable_fields();
  for (const auto& [key, value] : workload.labels) labels[key].set_string_value(value);
}

// A connection that silently died is found out within 35 s.
void reach_controller(const SocketAddress& address, Cluster& cluster) {
  cluster.set_name(std::string(kControllerCluster));
  cluster.set_type(Cluster::STATIC);
  set(1s, *cluster.mutable_connect_timeout());
  auto& assignment = *cluster.mutable_load_assignment();
  assignment.set_cluster_name(cluster.name());
  set(address,
      *assignment.add_endpoints()->add_lb_endpoints()->mutable_endpoint()->mutable_address());
  no_limits(*cluster.mutable_circuit_breakers());
  cluster.mutable_upstream_connection_options()
      ->mutable_tcp_keepalive()
      ->mutable_keepalive_time()
      ->set_value(300);
  HttpProtocolOptions options;
  auto& http2 = *options.mutable_explicit_http_config()->mutable_http2_protocol_options();
  set(30s, *http2.mutable_connection_keepalive()->mutable_interval());
  set(5s, *http2.mutable_connection_keepalive()->mutable_timeout());
  set_http_options(options, cluster);
}

void discover(bool delta, Bootstrap::DynamicResources& resources) {
  auto& ads = *resources.mutable_ads_config();
  ads.set_api_type(delta ? ApiConfigSource::DELTA_GRPC : ApiConfigSource::GRPC);
  ads.set_transport_api_version(envoy::config::core::v3::V3);
  ads.set_set_node_on_first_message_only(true);
  ads.add_grpc_services()->mutable_envoy_grpc()->set_cluster_name(std::string(kControllerCluster));
  // Nothing is served before the controller has said what.
  from_ads(0s, *resources.mutable_cds_config());
  from_ads(0s, *resources.mutable_lds_config());
}

// As Istio's sidecars: statistics of each service's cluster would be half of an Envoy's memory.
void keep_few_statistics(envoy::config::metrics::v3::StatsConfig& config) {
  auto& kept = *config.mutable_stats_matcher()->mutable_inclusion_list();
  for (const auto* prefix : {"access_logs", "cluster.lazymesh-", "cluster_manager", "control_plane",
                             "http.inbound.", "http.outbound.", "listener_manager", "server"}) {
    kept.add_patterns()->set_prefix(prefix);
  }
}

// The printer writes fields in the order of the bytes, which are deterministic.
std::string to_json(const Bootstrap& bootstrap) {
  using namespace google::protobuf;
  const std::unique_ptr<util::TypeResolver> types(util::NewTypeResolverForDescriptorPool(
      "type.googleapis.com", DescriptorPool::generated_pool()));
  util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = util::BinaryToJsonString(
      types.get(), "type.googleapis.com/" + bootstrap.GetDescriptor()->full_name(),
      serialize(bootstrap), &json, options);
  return status.ok() ? json : "{}";
}

}  // namespace

std::string bootstrap(const mesh::Registry& registry, const mesh::Workload& workload,
                      const BootstrapOptions& options) {
  Bootstrap bootstrap;
  const auto& settings = registry.settings();
  describe(workload, settings.cluster_domain, *bootstrap.mutable_node());
  set(options.admin, *bootstrap.mutable_admin()->mutable_address());
  reach_controller(options.controller, *bootstrap.mutable_static_resources()->add_clusters());
  discover(options.delta, *bootstrap.mutable_dynamic_resources());
  keep_few_statistics(*bootstrap.mutable_stats_config());
  if (settings.shape == mesh::SidecarShape::kBound && !workload.addresses.empty()) {
    // Destinations see the workload's own address.
    auto& source = *bootstrap.mutable_cluster_manager()
                        ->mutable_upstream_bind_config()
                        ->mutable_source_address();
    source.set_address(workload.addresses.front().to_string());
    source.set_port_value(0);
  }
  return to_json(bootstrap);
}

}  // namespace lazymesh::sidecar
