#include "sidecar/filter_chain.h"

#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/listener/http_inspector/v3/http_inspector.pb.h"
#include "envoy/extensions/filters/listener/original_dst/v3/original_dst.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/set_filter_state/v3/set_filter_state.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"

#include "sidecar/access_log.h"
#include "sidecar/configuration.h"
#include "sidecar/messages.h"
#include "sidecar/port_match.h"

namespace lazymesh::sidecar {
namespace {

using envoy::config::listener::v3::FilterChain;
using envoy::config::listener::v3::Listener;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

void add_filter(const std::string& name, const google::protobuf::Message& config,
                FilterChain& chain) {
  auto& filter = *chain.add_filters();
  filter.set_name(name);
  pack(config, *filter.mutable_typed_config());
}

void add_http_filter(const std::string& name, const google::protobuf::Message& config,
                     HttpConnectionManager& manager) {
  auto& filter = *manager.add_http_filters();
  filter.set_name(name);
  pack(config, *filter.mutable_typed_config());
}

// A sidecar changes nothing that it need not change: no request id, no server header, no x-envoy
// headers, no limit of time.
HttpConnectionManager manager_of(std::string_view stat_prefix) {
  HttpConnectionManager manager;
  manager.set_stat_prefix(std::string(stat_prefix));
  auto& http1 = *manager.mutable_http_protocol_options();
  http1.set_accept_http_10(true);
  keep_header_case(http1);
  set(0s, *manager.mutable_stream_idle_timeout());
  // Otherwise each HTTP/1.0 response lingers for a second.
  set(0s, *manager.mutable_delayed_close_timeout());
  manager.set_server_header_transformation(HttpConnectionManager::PASS_THROUGH);
  manager.mutable_generate_request_id()->set_value(false);
  manager.add_upgrade_configs()->set_upgrade_type("websocket");
  return manager;
}

void add_router(HttpConnectionManager& manager) {
  envoy::extensions::filters::http::router::v3::Router router;
  router.set_suppress_envoy_headers(true);
  add_http_filter("envoy.filters.http.router", router, manager);
}

// Routes match on the original destination's port by this (add_port_match).
void remember_port(FilterChain& chain) {
  envoy::extensions::filters::network::set_filter_state::v3::Config config;
  auto& value = *config.add_on_new_connection();
  value.set_object_key(std::string(kPortKey));
  value.set_factory_key("envoy.string");
  value.mutable_format_string()->mutable_text_format_source()->set_inline_string(
      "%DOWNSTREAM_LOCAL_PORT%");
  add_filter("envoy.filters.network.set_filter_state", config, chain);
}

}  // namespace

void add_outbound_http(bool observed, FilterChain& chain) {
  remember_port(chain);
  auto manager = manager_of("outbound");
  auto& rds = *manager.mutable_rds();
  rds.set_route_config_name(std::string(kOutboundRoutes));
  from_ads(0s, *rds.mutable_config_source());
  // Idle unless the user's routes configure them.
  add_http_filter("envoy.filters.http.fault",
                  envoy::extensions::filters::http::fault::v3::HTTPFault(), manager);
  add_http_filter("envoy.filters.http.cors", envoy::extensions::filters::http::cors::v3::Cors(),
                  manager);
  add_router(manager);
  if (observed) report(manager);
  add_filter("envoy.filters.network.http_connection_manager", manager, chain);
}

void add_inbound_http(const std::string& default_host, FilterChain& chain) {
  auto manager = manager_of("inbound");
  manager.mutable_http_protocol_options()->set_default_host_for_http_10(default_host);
  auto& routes = *manager.mutable_route_config();
  routes.set_name("inbound-http");
  auto& host = *routes.add_virtual_hosts();
  host.set_name("inbound");
  host.add_domains("*");
  auto& route = *host.add_routes();
  route.mutable_match()->set_prefix("/");
  route.mutable_route()->set_cluster(std::string(kInboundCluster));
  set(0s, *route.mutable_route()->mutable_timeout());
  auto& forwarded = *route.add_request_headers_to_add();
  forwarded.mutable_header()->set_key("x-forwarded-for");
  forwarded.mutable_header()->set_value("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%");
  forwarded.set_append_action(envoy::config::core::v3::HeaderValueOption::APPEND_IF_EXISTS_OR_ADD);
  add_router(manager);
  add_filter("envoy.filters.network.http_connection_manager", manager, chain);
}

void add_tcp(std::string_view cluster, bool observed, FilterChain& chain) {
  envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy proxy;
  proxy.set_stat_prefix(std::string(cluster));
  proxy.set_cluster(std::string(cluster));
  set(0s, *proxy.mutable_idle_timeout());
  if (observed) report(proxy);
  add_filter("envoy.filters.network.tcp_proxy", proxy, chain);
}

void restore_original_destination(Listener& listener) {
  auto& original = *listener.add_listener_filters();
  original.set_name("envoy.filters.listener.original_dst");
  pack(envoy::extensions::filters::listener::original_dst::v3::OriginalDst(),
       *original.mutable_typed_config());
}

void inspect_http(Listener& listener) {
  auto& inspector = *listener.add_listener_filters();
  inspector.set_name("envoy.filters.listener.http_inspector");
  pack(envoy::extensions::filters::listener::http_inspector::v3::HttpInspector(),
       *inspector.mutable_typed_config());
  set(100ms, *listener.mutable_listener_filters_timeout());
  listener.set_continue_on_listener_filters_timeout(true);
}

void match_http(FilterChain& chain) {
  auto& match = *chain.mutable_filter_chain_match();
  for (const auto* protocol : {"http/1.0", "http/1.1", "h2c"}) {
    match.add_application_protocols(protocol);
  }
}

void add_blackhole(std::uint16_t own_port, Listener& listener) {
  auto& chain = *listener.add_filter_chains();
  chain.set_name("blackhole");
  chain.mutable_filter_chain_match()->mutable_destination_port()->set_value(own_port);
}

}  // namespace lazymesh::sidecar
