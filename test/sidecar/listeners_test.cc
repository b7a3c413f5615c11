#include <gmock/gmock.h>

#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/access_loggers/grpc/v3/als.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/set_filter_state/v3/set_filter_state.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"

#include "test/sidecar/mesh.h"

namespace lazymesh::test {
namespace {

using envoy::config::listener::v3::FilterChain;
using envoy::config::listener::v3::Listener;
using envoy::extensions::access_loggers::grpc::v3::HttpGrpcAccessLogConfig;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
using mesh::LazyMode;
using mesh::Protocol;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<sidecar::ResourcePtr> listeners_of(Mesh& mesh) {
  const auto subject = mesh.subject();
  return sidecar::listeners(subject, subject.registry.services());
}

std::vector<std::string> names(const std::vector<sidecar::ResourcePtr>& resources) {
  std::vector<std::string> result;
  for (const auto& resource : resources) result.push_back(resource->name);
  return result;
}

Listener named(Mesh& mesh, std::string_view name) {
  const auto found = find(listeners_of(mesh), name);
  if (!found) throw std::logic_error("no listener " + std::string(name));
  return parse<Listener>(*found);
}

TcpProxy tcp(const FilterChain& chain) { return unpack<TcpProxy>(chain.filters(0).typed_config()); }

HttpConnectionManager http(const FilterChain& chain) {
  return unpack<HttpConnectionManager>(chain.filters(chain.filters_size() - 1).typed_config());
}

FilterChain chain(const Listener& listener, std::string_view name) {
  for (const auto& each : listener.filter_chains()) {
    if (each.name() == name) return each;
  }
  throw std::logic_error("no filter chain " + std::string(name));
}

std::string at(const Listener& listener) {
  const auto& socket = listener.address().socket_address();
  return socket.address() + ":" + std::to_string(socket.port_value());
}

TEST(VirtualOutbound, TreatsHttpByWhatItIsAndTheRestByWhereItWasGoing) {
  Mesh mesh;
  const auto listener = named(mesh, "virtualOutbound");
  EXPECT_EQ(at(listener), "0.0.0.0:15001");
  EXPECT_TRUE(listener.use_original_dst().value());
  const auto requests = chain(listener, "http");
  EXPECT_THAT(requests.filter_chain_match().application_protocols(),
              ElementsAre("http/1.0", "http/1.1", "h2c"));
  const auto manager = http(requests);
  EXPECT_EQ(manager.rds().route_config_name(), sidecar::kOutboundRoutes);
  EXPECT_TRUE(manager.rds().config_source().has_ads());
  EXPECT_EQ(tcp(listener.default_filter_chain()).cluster(), sidecar::kEgressCluster);
  EXPECT_TRUE(tcp(listener.default_filter_chain()).has_idle_timeout());
  EXPECT_EQ(tcp(listener.default_filter_chain()).idle_timeout().seconds(), 0);
}

TEST(VirtualOutbound, RemembersThePortForTheRoutes) {
  Mesh mesh;
  const auto listener = named(mesh, "virtualOutbound");
  const auto config = unpack<envoy::extensions::filters::network::set_filter_state::v3::Config>(
      chain(listener, "http").filters(0).typed_config());
  EXPECT_EQ(config.on_new_connection(0).object_key(), "lazymesh.port");
  EXPECT_EQ(config.on_new_connection(0).format_string().text_format_source().inline_string(),
            "%DOWNSTREAM_LOCAL_PORT%");
}

// Envoy skips the listener filters after one that gave up, so a silent connection would be taken
// for one to the sidecar itself.
TEST(VirtualOutbound, RestoresTheDestinationBeforeItInspectsForAShortWhile) {
  Mesh mesh;
  for (const auto* name : {"virtualOutbound", "virtualInbound"}) {
    const auto listener = named(mesh, name);
    ASSERT_THAT(listener.listener_filters(), SizeIs(2));
    EXPECT_EQ(listener.listener_filters(0).name(), "envoy.filters.listener.original_dst");
    EXPECT_EQ(listener.listener_filters(1).name(), "envoy.filters.listener.http_inspector");
    EXPECT_EQ(listener.listener_filters_timeout().nanos(), 100'000'000);
    EXPECT_TRUE(listener.continue_on_listener_filters_timeout());
  }
}

TEST(VirtualOutbound, ClosesConnectionsToItself) {
  Mesh mesh;
  const auto outbound = chain(named(mesh, "virtualOutbound"), "blackhole");
  EXPECT_EQ(outbound.filter_chain_match().destination_port().value(), 15001);
  EXPECT_THAT(outbound.filters(), IsEmpty());
  const auto inbound = chain(named(mesh, "virtualInbound"), "blackhole");
  EXPECT_EQ(inbound.filter_chain_match().destination_port().value(), 15006);
  EXPECT_THAT(inbound.filters(), IsEmpty());
}

// A client may connect long before its first request.
TEST(VirtualOutbound, OfASidecarThatKnowsTheMeshPassesThroughOrTakesItForHttp) {
  Mesh mesh;
  mesh.mode = LazyMode::kDisabled;
  const auto listener = named(mesh, "virtualOutbound");
  EXPECT_EQ(http(listener.default_filter_chain()).rds().route_config_name(),
            sidecar::kOutboundRoutes);
  mesh.settings.outbound = mesh::OutboundPolicy::kAllowAny;
  EXPECT_EQ(tcp(named(mesh, "virtualOutbound").default_filter_chain()).cluster(),
            sidecar::kPassthroughCluster);
}

// The metadata service of the workload's node is not that of the egress's.
TEST(VirtualOutbound, NeverSendsLinkLocalTrafficToTheEgress) {
  Mesh mesh;
  mesh.settings.outbound = mesh::OutboundPolicy::kAllowAny;
  const auto listener = named(mesh, "virtualOutbound");
  const auto direct = chain(listener, "link-local");
  ASSERT_THAT(direct.filter_chain_match().prefix_ranges(), SizeIs(2));
  EXPECT_EQ(direct.filter_chain_match().prefix_ranges(0).address_prefix(), "169.254.0.0");
  EXPECT_EQ(direct.filter_chain_match().prefix_ranges(0).prefix_len().value(), 16);
  EXPECT_EQ(tcp(direct).cluster(), sidecar::kPassthroughCluster);
}

// So that Envoy replaces filter chains in place and drains no HTTP connection.
TEST(VirtualOutbound, DiffersBetweenModesInItsTcpChainOnly) {
  Mesh mesh;
  auto lazy = named(mesh, "virtualOutbound");
  mesh.mode = LazyMode::kDisabled;
  auto full = named(mesh, "virtualOutbound");
  lazy.clear_default_filter_chain();
  full.clear_default_filter_chain();
  EXPECT_EQ(sidecar::serialize(lazy), sidecar::serialize(full));
}

TEST(VirtualOutbound, IsNotTouchedByLearningAnHttpService) {
  Mesh mesh;
  mesh.services = {service("mysql", {{3306, Protocol::kTcp, "tcp"}})};
  mesh.services[0].vips = {ip("10.96.0.7")};
  const auto before = listeners_of(mesh);
  mesh.services.push_back(service("reviews", {{12345, Protocol::kHttp, "http"}}));
  const auto after = listeners_of(mesh);
  ASSERT_EQ(names(before), names(after));
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i]->body, after[i]->body);
}

TEST(VirtualInbound, SendsToTheApplicationAndNamesThePeer) {
  Mesh mesh;
  const auto listener = named(mesh, "virtualInbound");
  EXPECT_EQ(at(listener), "0.0.0.0:15006");
  EXPECT_FALSE(listener.use_original_dst().value());
  const auto manager = http(chain(listener, "http"));
  const auto& route = manager.route_config().virtual_hosts(0).routes(0);
  EXPECT_EQ(route.route().cluster(), sidecar::kInboundCluster);
  EXPECT_EQ(route.request_headers_to_add(0).header().key(), "x-forwarded-for");
  EXPECT_EQ(manager.http_protocol_options().default_host_for_http_10(), "10.1.0.2");
  EXPECT_EQ(tcp(listener.default_filter_chain()).cluster(), sidecar::kInboundCluster);
}

TEST(VirtualOutbound, IsOfTheWorkloadsAddressFamily) {
  Mesh mesh;
  mesh.workload_address = "2001:db8::2";
  EXPECT_EQ(at(named(mesh, "virtualOutbound")), ":::15001");
}

TEST(HttpConnectionManager, ChangesNothingThatItNeedNotChange) {
  Mesh mesh;
  for (const auto* name : {"virtualOutbound", "virtualInbound"}) {
    const auto manager = http(chain(named(mesh, name), "http"));
    EXPECT_TRUE(manager.http_protocol_options().accept_http_10());
    EXPECT_TRUE(manager.http_protocol_options().header_key_format().has_stateful_formatter());
    EXPECT_TRUE(manager.has_stream_idle_timeout());
    EXPECT_EQ(manager.stream_idle_timeout().seconds(), 0);
    EXPECT_TRUE(manager.has_delayed_close_timeout());
    EXPECT_EQ(manager.delayed_close_timeout().seconds(), 0);
    EXPECT_FALSE(manager.generate_request_id().value());
    EXPECT_EQ(manager.server_header_transformation(), HttpConnectionManager::PASS_THROUGH);
    EXPECT_EQ(manager.upgrade_configs(0).upgrade_type(), "websocket");
  }
}

TEST(AccessLog, IsSentWhereASidecarIsObserved) {
  Mesh mesh;
  mesh.settings.outbound = mesh::OutboundPolicy::kAllowAny;
  for (const auto mode : {LazyMode::kEnabled, LazyMode::kDisabled}) {
    mesh.mode = mode;
    const auto listener = named(mesh, "virtualOutbound");
    EXPECT_THAT(http(chain(listener, "http")).access_log(), IsEmpty());
    EXPECT_THAT(tcp(listener.default_filter_chain()).access_log(), IsEmpty());
  }
  mesh.mode = LazyMode::kObserve;
  const auto listener = named(mesh, "virtualOutbound");
  const auto manager = http(chain(listener, "http"));
  ASSERT_THAT(manager.access_log(), SizeIs(1));
  const auto config = unpack<HttpGrpcAccessLogConfig>(manager.access_log(0).typed_config());
  EXPECT_EQ(config.common_config().grpc_service().envoy_grpc().cluster_name(),
            sidecar::kControllerCluster);
  EXPECT_EQ(config.common_config().buffer_flush_interval().nanos(), 100'000'000);
  EXPECT_EQ(tcp(listener.default_filter_chain()).access_log(0).name(),
            "envoy.access_loggers.tcp_grpc");
  EXPECT_THAT(http(chain(named(mesh, "virtualInbound"), "http")).access_log(), IsEmpty());
}

TEST(TcpService, HasAListenerWithoutASocketForEachAddress) {
  Mesh mesh;
  auto mysql = service("mysql", {{3306, Protocol::kTcp, "a"}, {3307, Protocol::kTls, "b"}});
  mysql.vips = {ip("10.96.0.7"), ip("2001:db8::7")};
  mesh.services = {mysql};
  EXPECT_THAT(names(listeners_of(mesh)),
              ElementsAre("virtualOutbound", "virtualInbound", "10.96.0.7_3306", "2001:db8::7_3306",
                          "10.96.0.7_3307", "2001:db8::7_3307"));
  const auto listener = named(mesh, "10.96.0.7_3307");
  EXPECT_TRUE(listener.has_bind_to_port());
  EXPECT_FALSE(listener.bind_to_port().value());
  EXPECT_EQ(tcp(listener.filter_chains(0)).cluster(),
            "outbound|3307||mysql.shop.svc.cluster.local");
}

TEST(TcpService, WithoutAddressesIsReachedAtTheEndpointThatWasChosen) {
  Mesh mesh;
  auto kafka = service("kafka", {{9092, Protocol::kTcp, "tcp"}});
  kafka.endpoints = {endpoint("10.1.0.7:9092", 9092), endpoint("10.1.0.8:9092", 9092)};
  auto same_pods = service("kafka2", {{9092, Protocol::kTcp, "tcp"}});
  same_pods.endpoints = {endpoint("10.1.0.8:9092", 9092)};
  mesh.services = {kafka, same_pods};
  EXPECT_THAT(names(listeners_of(mesh)),
              ElementsAre("virtualOutbound", "virtualInbound", "10.1.0.7_9092", "10.1.0.8_9092"));
  EXPECT_EQ(tcp(named(mesh, "10.1.0.8_9092").filter_chains(0)).cluster(),
            sidecar::kPassthroughCluster);
}

TEST(BoundSidecar, ListensOnEveryHttpPortThatItMaySee) {
  Mesh mesh;
  mesh.settings.shape = mesh::SidecarShape::kBound;
  mesh.workload_address = "127.1.0.2";
  auto hidden = service("hidden", {{9999, Protocol::kHttp, "http"}});
  hidden.host = "hidden.bank.svc.cluster.local";
  hidden.namespace_ = "bank";
  hidden.export_to = {"."};
  mesh.services = {service("a", {{9081, Protocol::kHttp, "http"}, {9080, Protocol::kGrpc, "grpc"}}),
                   service("b", {{9081, Protocol::kHttp, "http"}, {3306, Protocol::kTcp, "tcp"}}),
                   hidden};
  const auto subject = mesh.subject();
  // Known or not.
  EXPECT_THAT(names(sidecar::listeners(subject, {})),
              ElementsAre("127.1.0.2_9080", "127.1.0.2_9081"));
  const auto listener = parse<Listener>(*sidecar::listeners(subject, {}).front());
  EXPECT_EQ(at(listener), "127.1.0.2:9080");
  EXPECT_TRUE(listener.has_enable_reuse_port());
  EXPECT_FALSE(listener.enable_reuse_port().value());
  EXPECT_EQ(http(listener.filter_chains(0)).rds().route_config_name(), sidecar::kOutboundRoutes);
}

}  // namespace
}  // namespace lazymesh::test
