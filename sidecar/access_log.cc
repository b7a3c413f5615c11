#include "sidecar/access_log.h"

#include "envoy/extensions/access_loggers/grpc/v3/als.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"

#include "sidecar/configuration.h"
#include "sidecar/messages.h"

namespace lazymesh::sidecar {
namespace {

using envoy::extensions::access_loggers::grpc::v3::CommonGrpcAccessLogConfig;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr auto kLogName = "lazymesh_sidecar";
// An entry of a request that goes on for long, so that a stream is learned while it lives.
constexpr auto kStillThere = 10s;

void to_controller(CommonGrpcAccessLogConfig& config) {
  config.set_log_name(kLogName);
  config.set_transport_api_version(envoy::config::core::v3::V3);
  config.mutable_grpc_service()->mutable_envoy_grpc()->set_cluster_name(
      std::string(kControllerCluster));
  set(100ms, *config.mutable_buffer_flush_interval());
}

}  // namespace

void report(envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager&
                manager) {
  envoy::extensions::access_loggers::grpc::v3::HttpGrpcAccessLogConfig config;
  to_controller(*config.mutable_common_config());
  auto& log = *manager.add_access_log();
  log.set_name("envoy.access_loggers.http_grpc");
  pack(config, *log.mutable_typed_config());
  set(kStillThere, *manager.mutable_access_log_options()->mutable_access_log_flush_interval());
}

void report(envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy& proxy) {
  envoy::extensions::access_loggers::grpc::v3::TcpGrpcAccessLogConfig config;
  to_controller(*config.mutable_common_config());
  auto& log = *proxy.add_access_log();
  log.set_name("envoy.access_loggers.tcp_grpc");
  pack(config, *log.mutable_typed_config());
  proxy.mutable_access_log_options()->set_flush_access_log_on_connected(true);
}

}  // namespace lazymesh::sidecar
