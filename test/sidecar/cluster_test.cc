#include <gmock/gmock.h>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"

#include "test/sidecar/mesh.h"

namespace lazymesh::test {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::extensions::transport_sockets::proxy_protocol::v3::ProxyProtocolUpstreamTransport;
using envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
using mesh::Protocol;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kHttpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

HttpProtocolOptions http_options(const Cluster& cluster) {
  return unpack<HttpProtocolOptions>(cluster.typed_extension_protocol_options().at(kHttpOptions));
}

Cluster cluster_of(const mesh::Service& service) {
  return parse<Cluster>(*sidecar::cluster_of(service, service.ports.front()));
}

std::vector<std::string> names(const std::vector<sidecar::ResourcePtr>& resources) {
  std::vector<std::string> result;
  for (const auto& resource : resources) result.push_back(resource->name);
  return result;
}

TEST(Cluster, IsFoundOverTheAggregatedStreamUnderIstiosName) {
  const auto cluster = cluster_of(service("reviews", {{9080, Protocol::kHttp, "http"}}));
  EXPECT_EQ(cluster.name(), "outbound|9080||reviews.shop.svc.cluster.local");
  EXPECT_EQ(cluster.type(), Cluster::EDS);
  EXPECT_EQ(cluster.eds_cluster_config().service_name(), cluster.name());
  EXPECT_TRUE(cluster.eds_cluster_config().eds_config().has_ads());
  EXPECT_EQ(cluster.eds_cluster_config().eds_config().initial_fetch_timeout().seconds(), 1);
  EXPECT_EQ(cluster.connect_timeout().seconds(), 10);
  ASSERT_EQ(cluster.circuit_breakers().thresholds_size(), 1);
  EXPECT_EQ(cluster.circuit_breakers().thresholds(0).max_requests().value(), 4294967295);
}

TEST(Cluster, HttpKeepsTheVersionAndTheHeaderCaseOfTheRequest) {
  const auto options =
      http_options(cluster_of(service("reviews", {{9080, Protocol::kHttp, "http"}})));
  const auto& config = options.use_downstream_protocol_config();
  EXPECT_EQ(config.http_protocol_options().header_key_format().stateful_formatter().name(),
            "preserve_case");
  EXPECT_TRUE(config.has_http2_protocol_options());
}

TEST(Cluster, GrpcAndHttp2AreAlwaysHttp2) {
  for (const auto protocol : {Protocol::kGrpc, Protocol::kHttp2}) {
    const auto options = http_options(cluster_of(service("ratings", {{8079, protocol, "h2"}})));
    EXPECT_TRUE(options.explicit_http_config().has_http2_protocol_options());
  }
}

TEST(Cluster, TcpHasNoHttpOptions) {
  const auto cluster = cluster_of(service("mysql", {{3306, Protocol::kTcp, "tcp"}}));
  EXPECT_EQ(cluster.typed_extension_protocol_options_size(), 0);
}

TEST(Cluster, TheUsersFieldsWinButForTheNameAndTheEndpoints) {
  auto reviews = service("reviews", {{9080, Protocol::kHttp, "http"}});
  Cluster user;
  user.set_name("mine");
  user.set_type(Cluster::EDS);
  user.mutable_eds_cluster_config()->set_service_name("elsewhere");
  user.mutable_connect_timeout()->set_nanos(500'000'000);
  user.set_lb_policy(Cluster::ROUND_ROBIN);
  user.mutable_circuit_breakers()->add_thresholds()->mutable_max_requests()->set_value(7);
  reviews.cluster = user.SerializeAsString();
  const auto cluster = cluster_of(reviews);
  EXPECT_EQ(cluster.name(), "outbound|9080||reviews.shop.svc.cluster.local");
  EXPECT_EQ(cluster.eds_cluster_config().service_name(), cluster.name());
  EXPECT_EQ(cluster.connect_timeout().seconds(), 0);
  EXPECT_EQ(cluster.connect_timeout().nanos(), 500'000'000);
  EXPECT_EQ(cluster.lb_policy(), Cluster::ROUND_ROBIN);
  // Envoy would take the first of two, which would be ours.
  ASSERT_EQ(cluster.circuit_breakers().thresholds_size(), 1);
  EXPECT_EQ(cluster.circuit_breakers().thresholds(0).max_requests().value(), 7);
}

TEST(Cluster, TheUsersHttpOptionsJoinOurs) {
  auto reviews = service("reviews", {{9080, Protocol::kHttp, "http"}});
  HttpProtocolOptions mine;
  mine.mutable_common_http_protocol_options()->mutable_idle_timeout()->set_seconds(9);
  Cluster user;
  (*user.mutable_typed_extension_protocol_options())[kHttpOptions].PackFrom(mine);
  reviews.cluster = user.SerializeAsString();
  auto options = http_options(cluster_of(reviews));
  EXPECT_EQ(options.common_http_protocol_options().idle_timeout().seconds(), 9);
  EXPECT_TRUE(options.has_use_downstream_protocol_config());

  mine.mutable_explicit_http_config()->mutable_http2_protocol_options();
  (*user.mutable_typed_extension_protocol_options())[kHttpOptions].PackFrom(mine);
  reviews.cluster = user.SerializeAsString();
  options = http_options(cluster_of(reviews));
  EXPECT_TRUE(options.explicit_http_config().has_http2_protocol_options());
}

TEST(Cluster, TheUsersHttpOptionsAreNotForItsTcpPorts) {
  auto reviews = service("reviews", {{9080, Protocol::kTcp, "tcp"}});
  Cluster user;
  (*user.mutable_typed_extension_protocol_options())[kHttpOptions].PackFrom(HttpProtocolOptions());
  reviews.cluster = user.SerializeAsString();
  EXPECT_EQ(cluster_of(reviews).typed_extension_protocol_options_size(), 0);
}

TEST(Cluster, TheUsersDiscoveryReplacesOurs) {
  auto external = service("api", {{443, Protocol::kTls, "tls"}});
  Cluster user;
  user.set_type(Cluster::STRICT_DNS);
  user.mutable_load_assignment()->add_endpoints();
  external.cluster = user.SerializeAsString();
  const auto cluster = cluster_of(external);
  EXPECT_EQ(cluster.type(), Cluster::STRICT_DNS);
  EXPECT_FALSE(cluster.has_eds_cluster_config());
  EXPECT_EQ(cluster.load_assignment().cluster_name(), cluster.name());
}

TEST(Cluster, TheSameServiceHasTheSameVersion) {
  auto reviews = service("reviews", {{9080, Protocol::kHttp, "http"}});
  Cluster user;
  auto& options = *user.mutable_typed_extension_protocol_options();
  for (const auto* name : {"a", "b", "c", "d", "e"}) options[name].set_type_url(name);
  reviews.cluster = user.SerializeAsString();
  const auto version = sidecar::cluster_of(reviews, reviews.ports[0])->version;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(sidecar::cluster_of(reviews, reviews.ports[0])->version, version);
  }
}

TEST(Endpoints, AreOfTheirPortByLocalityWithWeightAndHealth) {
  auto reviews = service("reviews", {{80, Protocol::kHttp, "a"}, {81, Protocol::kHttp, "b"}});
  const auto zone = std::make_shared<const mesh::Locality>(mesh::Locality{"r", "z", "s"});
  auto one = endpoint("10.1.0.5:8080", 80);
  auto two = endpoint("10.1.0.4:8080", 80);
  auto three = endpoint("10.1.0.6:8080", 80);
  two.locality = three.locality = zone;
  two.weight = 3;
  two.health = mesh::Health::kDraining;
  reviews.endpoints = {three, one, two, endpoint("10.1.0.7:8081", 81)};
  const auto resource = sidecar::endpoints_of(reviews, reviews.ports[0]);
  const auto assignment = parse<ClusterLoadAssignment>(*resource);
  EXPECT_EQ(assignment.cluster_name(), "outbound|80||reviews.shop.svc.cluster.local");
  ASSERT_EQ(assignment.endpoints_size(), 2);
  EXPECT_FALSE(assignment.endpoints(0).has_locality());
  ASSERT_EQ(assignment.endpoints(0).lb_endpoints_size(), 1);
  const auto& group = assignment.endpoints(1);
  EXPECT_EQ(group.locality().sub_zone(), "s");
  EXPECT_EQ(group.load_balancing_weight().value(), 4);
  ASSERT_EQ(group.lb_endpoints_size(), 2);
  const auto& first = group.lb_endpoints(0);
  EXPECT_EQ(first.endpoint().address().socket_address().address(), "10.1.0.4");
  EXPECT_EQ(first.endpoint().address().socket_address().port_value(), 8080);
  EXPECT_EQ(first.health_status(), envoy::config::core::v3::DRAINING);
  EXPECT_EQ(first.load_balancing_weight().value(), 3);

  std::reverse(reviews.endpoints.begin(), reviews.endpoints.end());
  EXPECT_EQ(sidecar::endpoints_of(reviews, reviews.ports[0])->version, resource->version);
}

TEST(Endpoints, AreThereThoughThereAreNone) {
  const auto reviews = service("reviews", {{80, Protocol::kHttp, "http"}});
  const auto resource = sidecar::endpoints_of(reviews, reviews.ports[0]);
  EXPECT_EQ(parse<ClusterLoadAssignment>(*resource).endpoints_size(), 0);
}

TEST(BaseClusters, OnlyALazySidecarKnowsTheEgress) {
  Mesh mesh;
  EXPECT_THAT(names(sidecar::base_clusters(mesh.subject())),
              ElementsAre("InboundPassthroughCluster", "PassthroughCluster", "lazymesh-egress"));
  mesh.mode = mesh::LazyMode::kObserve;
  EXPECT_THAT(names(sidecar::base_clusters(mesh.subject())),
              ElementsAre("InboundPassthroughCluster", "PassthroughCluster"));
  mesh.settings.shape = mesh::SidecarShape::kBound;
  EXPECT_THAT(names(sidecar::base_clusters(mesh.subject())), IsEmpty());
  mesh.mode = mesh::LazyMode::kEnabled;
  EXPECT_THAT(names(sidecar::base_clusters(mesh.subject())), ElementsAre("lazymesh-egress"));
}

TEST(BaseClusters, TheEgressIsToldTheOriginalAddresses) {
  Mesh mesh;
  mesh.settings.egress = {address("10.0.0.2:15080")};
  const auto egress =
      parse<Cluster>(*find(sidecar::base_clusters(mesh.subject()), sidecar::kEgressCluster));
  const auto socket =
      unpack<ProxyProtocolUpstreamTransport>(egress.transport_socket().typed_config());
  EXPECT_EQ(socket.config().version(), envoy::config::core::v3::ProxyProtocolConfig::V2);
  EXPECT_EQ(socket.transport_socket().name(), "envoy.transport_sockets.raw_buffer");
  EXPECT_EQ(http_options(egress).common_http_protocol_options().idle_timeout().seconds(), 5);
  EXPECT_EQ(egress.connect_timeout().seconds(), 1);
  EXPECT_FALSE(egress.has_outlier_detection());
}

TEST(BaseClusters, OneOfSeveralEgressesMayBeLeftOutForNotBeingReached) {
  Mesh mesh;
  mesh.settings.egress = {address("10.0.0.2:15080"), address("10.0.0.3:15080")};
  const auto egress =
      parse<Cluster>(*find(sidecar::base_clusters(mesh.subject()), sidecar::kEgressCluster));
  EXPECT_EQ(egress.load_assignment().endpoints(0).lb_endpoints_size(), 2);
  EXPECT_TRUE(egress.outlier_detection().split_external_local_origin_errors());
  EXPECT_TRUE(egress.outlier_detection().has_enforcing_consecutive_5xx());
  EXPECT_EQ(egress.outlier_detection().enforcing_consecutive_5xx().value(), 0);
}

}  // namespace
}  // namespace lazymesh::test
