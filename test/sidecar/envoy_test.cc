#include <algorithm>
#include <cstdint>

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

#include "test/sidecar/ads_server.h"
#include "test/sidecar/mesh.h"
#include "test/sidecar/real_envoy.h"
#include "test/sidecar/sockets.h"

namespace lazymesh::test {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using envoy::config::route::v3::RouteConfiguration;
using mesh::LazyMode;
using mesh::Protocol;
using sidecar::ResourceType;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

/// What no test may lack: every kind of service.
Mesh mesh_of_every_kind() {
  Mesh mesh;
  mesh.settings.egress = {address("127.0.0.1:15080"), address("127.0.0.2:15080")};
  auto web =
      service("reviews", {{9080, Protocol::kHttp, "http"}, {9081, Protocol::kHttp, "admin"}});
  web.vips = {ip("10.96.0.5"), ip("2001:db8::5")};
  web.endpoints = {endpoint("10.1.0.5:9080", 9080), endpoint("10.1.0.6:9081", 9081)};
  auto grpc = service("ratings", {{8079, Protocol::kGrpc, "grpc"}, {8080, Protocol::kHttp2, "h2"}});
  grpc.vips = {ip("10.96.0.6")};
  auto tcp = service("mysql", {{3306, Protocol::kTcp, "tcp"}, {3307, Protocol::kTls, "tls"}});
  tcp.vips = {ip("10.96.0.7")};
  auto headless = service("kafka", {{9092, Protocol::kTcp, "tcp"}});
  headless.endpoints = {endpoint("10.1.0.7:9092", 9092), endpoint("10.1.0.8:9092", 9092)};
  auto mine = service("details", {{9080, Protocol::kHttp, "http"}, {9082, Protocol::kHttp, "too"}});
  RouteConfiguration routes;
  auto& host = *routes.add_virtual_hosts();
  host.set_name("mine");
  host.add_domains("*");
  auto& route = *host.add_routes();
  route.mutable_match()->set_prefix("/v2");
  route.mutable_route()->set_cluster("outbound|9080||reviews.shop.svc.cluster.local");
  mine.routes = routes.SerializeAsString();
  mine.route_hosts = {"reviews.shop.svc.cluster.local"};
  envoy::config::cluster::v3::Cluster cluster;
  cluster.set_type(envoy::config::cluster::v3::Cluster::STRICT_DNS);
  cluster.mutable_load_assignment();
  mine.cluster = cluster.SerializeAsString();
  mesh.services = {web, grpc, tcp, headless, mine};
  return mesh;
}

Bootstrap bootstrap_of(const sidecar::Subject& subject,
                       const SocketAddress& controller = address("127.0.0.1:15010")) {
  Bootstrap bootstrap;
  const auto json = sidecar::bootstrap(subject.registry, subject.workload,
                                       {controller, address("127.0.0.1:0"), true});
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &bootstrap).ok());
  return bootstrap;
}

std::string to_json(const google::protobuf::Message& message) {
  std::string json;
  EXPECT_TRUE(google::protobuf::util::MessageToJsonString(message, &json).ok());
  return json;
}

/// Everything as static resources, the routes in a listener of their own, so that Envoy checks all
/// of it, clusters that routes name included, without binding anything.
std::string all_static(const sidecar::Subject& subject) {
  using namespace envoy::extensions::filters::network::http_connection_manager::v3;
  auto bootstrap = bootstrap_of(subject);
  auto& resources = *bootstrap.mutable_static_resources();
  const Told told(subject);
  EXPECT_EQ(told.contradiction(), "");
  for (const auto& cluster : told.clusters) {
    resources.add_clusters()->ParseFromString(cluster->body);
  }
  for (const auto& listener : told.listeners) {
    resources.add_listeners()->ParseFromString(listener->body);
  }
  auto& listener = *resources.add_listeners();
  listener.mutable_address()->mutable_socket_address()->set_address("127.0.0.1");
  listener.mutable_address()->mutable_socket_address()->set_port_value(0);
  HttpConnectionManager manager;
  manager.set_stat_prefix("routes");
  *manager.mutable_route_config() = parse<RouteConfiguration>(*told.routes.front());
  manager.mutable_route_config()->mutable_validate_clusters()->set_value(true);
  auto* filter = listener.add_filter_chains()->add_filters();
  filter->set_name("envoy.filters.network.http_connection_manager");
  filter->mutable_typed_config()->PackFrom(manager);
  return to_json(bootstrap);
}

class RealEnvoyValidates : public testing::TestWithParam<LazyMode> {};

TEST_P(RealEnvoyValidates, EveryResourceOfBothShapesWithoutAWarning) {
  const auto program = envoy_program();
  if (!program) GTEST_SKIP();
  auto mesh = mesh_of_every_kind();
  mesh.mode = GetParam();
  for (const auto shape : {mesh::SidecarShape::kTransparent, mesh::SidecarShape::kBound}) {
    for (const auto policy :
         {mesh::OutboundPolicy::kRegistryOnly, mesh::OutboundPolicy::kAllowAny}) {
      mesh.settings.shape = shape;
      mesh.settings.outbound = policy;
      mesh.workload_address = shape == mesh::SidecarShape::kBound ? "127.77.0.1" : "10.1.0.2";
      EXPECT_EQ(RealEnvoy::objection(*program, all_static(mesh.subject())), "");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, RealEnvoyValidates,
                         testing::Values(LazyMode::kEnabled, LazyMode::kObserve,
                                         LazyMode::kDisabled),
                         [](const auto& each) { return std::string(to_string(each.param)); });

/// A bound sidecar on a loopback address of this process's own, fed over ADS.
class RealSidecar : public testing::TestWithParam<bool> {
 protected:
  static std::string own_address() {
    const auto pid = static_cast<unsigned>(::getpid());
    return "127." + std::to_string(64 + pid / 65536 % 64) + "." + std::to_string(pid / 256 % 256) +
           "." + std::to_string(pid % 256);
  }

  void start(Mesh& mesh) {
    const auto program = envoy_program();
    if (!program) GTEST_SKIP();
    mesh.settings.shape = mesh::SidecarShape::kBound;
    mesh.workload_address = own_address();
    const auto subject = mesh.subject();
    const Told told(subject);
    ASSERT_EQ(told.contradiction(), "");
    std::vector<sidecar::ResourcePtr> all;
    for (const auto* some : {&told.clusters, &told.endpoints, &told.listeners, &told.routes}) {
      all.insert(all.end(), some->begin(), some->end());
    }
    ads.emplace(std::move(all));
    envoy.emplace(*program,
                  sidecar::bootstrap(subject.registry, subject.workload,
                                     {ads->address(), address("127.0.0.1:0"), GetParam()}));
    ASSERT_TRUE(eventually([&] { return ads->acknowledged(ResourceType::kRoutes) > 0; }))
        << envoy->log();
    ASSERT_TRUE(eventually([&] { return envoy->ready(); })) << envoy->log();
  }

  /// The head of the answer to a request on one of the sidecar's ports.
  std::string ask(std::uint16_t port, std::string_view head) {
    Connection connection({ip(own_address()), port});
    connection.write(head);
    return connection.read_until("\r\n\r\n");
  }

  void TearDown() override {
    if (!envoy) return;
    EXPECT_THAT(ads->refused(), IsEmpty());
    EXPECT_THAT(envoy->log(), IsEmpty());
  }

  std::optional<AdsServer> ads;
  std::optional<RealEnvoy> envoy;
};

// Envoy adds a date where there is none.
constexpr auto kAnswer =
    "HTTP/1.1 200 Fine Enough\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\n"
    "X-Served-By: reviews\r\nContent-Length: 0\r\n\r\n";
constexpr std::size_t kProxyHeader = 16 + 12;  // PROXY protocol v2 over IPv4

TEST_P(RealSidecar, RoutesByHostAndPort) {
  Origin one("HTTP/1.1 201 One\r\nContent-Length: 0\r\n\r\n");
  Origin two("HTTP/1.1 202 Two\r\nContent-Length: 0\r\n\r\n");
  Mesh mesh;
  mesh.mode = LazyMode::kDisabled;
  auto reviews = service("reviews", {{18080, Protocol::kHttp, "a"}, {18081, Protocol::kHttp, "b"}});
  reviews.vips = {ip("10.96.0.5")};
  reviews.endpoints = {endpoint(one.address().to_string(), 18080),
                       endpoint(two.address().to_string(), 18081)};
  mesh.services = {reviews, service("other", {{18082, Protocol::kHttp, "c"}})};
  start(mesh);
  if (IsSkipped()) return;
  for (const std::string host :
       {"reviews", "reviews.shop", "Reviews.Shop.svc", "reviews.shop.svc.cluster.local",
        "reviews.shop.svc.cluster.local.", "reviews:18080", "reviews.shop:99", "10.96.0.5:18080"}) {
    const auto head = "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
    EXPECT_THAT(ask(18080, head), StartsWith("HTTP/1.1 201 One\r\n")) << host;
    EXPECT_THAT(ask(18081, head), StartsWith("HTTP/1.1 202 Two\r\n")) << host;
    EXPECT_THAT(ask(18082, head), StartsWith("HTTP/1.1 502 ")) << host;
  }
  EXPECT_THAT(ask(18080, "GET / HTTP/1.1\r\nHost: nobody\r\n\r\n"), StartsWith("HTTP/1.1 502 "));
}

TEST_P(RealSidecar, ChangesNothingButForTheSchemeItSays) {
  Origin origin(kAnswer);
  Mesh mesh;
  mesh.mode = LazyMode::kObserve;
  auto reviews = service("reviews", {{18080, Protocol::kHttp, "http"}});
  reviews.endpoints = {endpoint(origin.address().to_string(), 18080)};
  mesh.services = {reviews};
  start(mesh);
  if (IsSkipped()) return;
  EXPECT_EQ(ask(18080, "GET /a//b/../c%2f HTTP/1.1\r\nHost: Reviews:18080\r\nX-MiXed: Yes\r\n\r\n"),
            kAnswer);
  EXPECT_EQ(origin.heads().front(),
            "GET /a//b/../c%2f HTTP/1.1\r\nHost: Reviews:18080\r\nX-MiXed: Yes\r\n"
            "x-forwarded-proto: http\r\n\r\n");
  EXPECT_EQ(origin.peers().front().ip, ip(own_address()));
}

TEST_P(RealSidecar, ReportsToTheControllerWhereItIsObserved) {
  Origin origin(kAnswer);
  Mesh mesh;
  mesh.mode = LazyMode::kObserve;
  auto reviews = service("reviews", {{18080, Protocol::kHttp, "http"}});
  reviews.endpoints = {endpoint(origin.address().to_string(), 18080)};
  mesh.services = {reviews};
  start(mesh);
  if (IsSkipped()) return;
  ask(18080, "GET / HTTP/1.1\r\nHost: reviews.shop:18080\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return !ads->access_logs().empty(); }));
  const auto entry = ads->access_logs().front();
  EXPECT_THAT(entry, HasSubstr("upstream_cluster: \"outbound|18080||reviews.shop"));
  EXPECT_THAT(entry, HasSubstr("authority: \"reviews.shop:18080\""));
  EXPECT_THAT(entry, HasSubstr("downstream_local_address { socket_address { address: \"" +
                               own_address() + "\" port_value: 18080 }"));
}

TEST_P(RealSidecar, TakesHttp10) {
  Origin origin(kAnswer);
  Mesh mesh;
  auto reviews = service("reviews", {{18080, Protocol::kHttp, "http"}});
  reviews.endpoints = {endpoint(origin.address().to_string(), 18080)};
  mesh.services = {reviews};
  start(mesh);
  if (IsSkipped()) return;
  Connection connection({ip(own_address()), 18080});
  connection.write("GET / HTTP/1.0\r\nHost: reviews\r\n\r\n");
  EXPECT_THAT(connection.read(std::string::npos), HasSubstr(" 200 Fine Enough\r\n"));
}

TEST_P(RealSidecar, SendsTheUnknownToTheEgressWithItsAddresses) {
  Origin egress(kAnswer, address("127.0.0.1:0"), kProxyHeader);
  Mesh mesh;
  mesh.settings.egress = {egress.address()};
  mesh.services = {service("reviews", {{18080, Protocol::kHttp, "http"}})};
  start(mesh);
  if (IsSkipped()) return;
  EXPECT_EQ(ask(18080, "GET / HTTP/1.1\r\nHost: nobody\r\nX-A: b\r\n\r\n"), kAnswer);
  EXPECT_THAT(egress.heads().front(), StartsWith("GET / HTTP/1.1\r\nHost: nobody\r\nX-A: b\r\n"));
  const auto header = egress.preambles().front();
  EXPECT_THAT(header, StartsWith("\r\n\r\n\0\r\nQUIT\n\x21\x11"));
  EXPECT_EQ(header.substr(20, 4), ip(own_address()).bytes());
  EXPECT_EQ(header.substr(26, 2), std::string({18080 / 256, static_cast<char>(18080 % 256)}));
}

TEST_P(RealSidecar, AnswersWithinTheUsersRoutesOnly) {
  Origin origin(kAnswer);
  Mesh mesh;
  mesh.mode = LazyMode::kDisabled;
  auto reviews = service("reviews", {{18080, Protocol::kHttp, "a"}, {18081, Protocol::kHttp, "b"}});
  reviews.endpoints = {endpoint(origin.address().to_string(), 18080)};
  RouteConfiguration routes;
  auto& added = *routes.add_response_headers_to_add()->mutable_header();
  added.set_key("x-by");
  added.set_value("the user");
  auto& host = *routes.add_virtual_hosts();
  host.set_name("mine");
  host.add_domains("reviews.shop");
  auto& route = *host.add_routes();
  route.mutable_match()->set_prefix("/good");
  route.mutable_route()->set_cluster("outbound|18080||reviews.shop.svc.cluster.local");
  reviews.routes = routes.SerializeAsString();
  mesh.services = {reviews, service("other", {{18082, Protocol::kHttp, "c"}})};
  start(mesh);
  if (IsSkipped()) return;
  for (const auto port : {std::uint16_t{18080}, std::uint16_t{18081}}) {
    const auto good = ask(port, "GET /good HTTP/1.1\r\nHost: reviews\r\n\r\n");
    EXPECT_THAT(good, StartsWith("HTTP/1.1 200 Fine Enough\r\n"));
    EXPECT_THAT(good, HasSubstr("x-by: the user\r\n"));
    EXPECT_THAT(ask(port, "GET /bad HTTP/1.1\r\nHost: reviews\r\n\r\n"),
                StartsWith("HTTP/1.1 404 "));
  }
  EXPECT_THAT(ask(18082, "GET /good HTTP/1.1\r\nHost: reviews\r\n\r\n"),
              StartsWith("HTTP/1.1 502 "));
}

INSTANTIATE_TEST_SUITE_P(Xds, RealSidecar, testing::Bool(),
                         [](const auto& each) { return each.param ? "Delta" : "Sotw"; });

}  // namespace
}  // namespace lazymesh::test
