#include "lazy-controller/registry/file/known_types.h"

#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/access_loggers/grpc/v3/als.pb.h"
#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "envoy/extensions/filters/http/on_demand/v3/on_demand.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/listener/http_inspector/v3/http_inspector.pb.h"
#include "envoy/extensions/filters/listener/original_dst/v3/original_dst.pb.h"
#include "envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.pb.h"
#include "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/set_filter_state/v3/set_filter_state.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.pb.h"
#include "envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config.pb.h"
#include "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h"
#include "envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"

namespace lazymesh::registry {
namespace {

namespace extensions = envoy::extensions;

template <class... Messages>
void link() {
  (google::protobuf::LinkMessageReflection<Messages>(), ...);
}

}  // namespace

// One message of each file in proto/envoy/roots.txt brings the whole file.
void link_known_types() {
  link<extensions::access_loggers::file::v3::FileAccessLog,
       extensions::access_loggers::grpc::v3::HttpGrpcAccessLogConfig,
       extensions::filters::http::cors::v3::CorsPolicy,
       extensions::filters::http::fault::v3::HTTPFault,
       extensions::filters::http::on_demand::v3::PerRouteConfig,
       extensions::filters::http::router::v3::Router,
       extensions::filters::listener::http_inspector::v3::HttpInspector,
       extensions::filters::listener::original_dst::v3::OriginalDst,
       extensions::filters::listener::proxy_protocol::v3::ProxyProtocol,
       extensions::filters::listener::tls_inspector::v3::TlsInspector,
       extensions::filters::network::http_connection_manager::v3::HttpConnectionManager,
       extensions::filters::network::set_filter_state::v3::Config,
       extensions::filters::network::tcp_proxy::v3::TcpProxy,
       extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig,
       extensions::internal_redirect::previous_routes::v3::PreviousRoutesConfig,
       extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate,
       extensions::transport_sockets::proxy_protocol::v3::ProxyProtocolUpstreamTransport,
       extensions::transport_sockets::raw_buffer::v3::RawBuffer,
       extensions::transport_sockets::tls::v3::UpstreamTlsContext,
       extensions::upstreams::http::v3::HttpProtocolOptions>();
}

}  // namespace lazymesh::registry
