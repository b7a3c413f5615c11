#include "egress/on_demand/resources.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace lazymesh::egress {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::service::discovery::v3::DiscoveryResponse;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

template <class Message>
Message parse(const std::string& json) {
  Message message;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &message);
  EXPECT_TRUE(status.ok()) << status << " in " << json;
  return message;
}

template <class Message>
AdsResponse decode_one(const Message& message) {
  DiscoveryResponse response;
  response.add_resources()->PackFrom(message);
  response.set_type_url(response.resources(0).type_url());
  response.set_version_info("v");
  response.set_nonce("n");
  auto decoded = decode(response);
  EXPECT_TRUE(decoded);
  return std::move(*decoded);
}

ClusterFacts facts(const std::string& json) {
  auto decoded = decode_one(parse<Cluster>(json));
  EXPECT_THAT(decoded.rejected, IsEmpty());
  return std::get<ClusterFacts>(decoded.resources.at(0).content);
}

std::string reason(const std::string& json) {
  const auto decoded = decode_one(parse<Cluster>(json));
  EXPECT_THAT(decoded.resources, IsEmpty());
  return decoded.rejected.at(0).second;
}

EndpointsFacts endpoints(const std::string& json) {
  auto decoded = decode_one(parse<ClusterLoadAssignment>(json));
  EXPECT_THAT(decoded.rejected, IsEmpty());
  return std::get<EndpointsFacts>(decoded.resources.at(0).content);
}

std::string lb_endpoint(const std::string& address, const std::string& more = "") {
  return R"({"endpoint": {"address": {"socket_address": {"address": ")" + address +
         R"(", "port_value": 80}}})" + more + "}";
}

std::vector<std::string> addresses(const std::vector<UpstreamEndpoint>& endpoints) {
  std::vector<std::string> texts;
  for (const auto& endpoint : endpoints) {
    texts.push_back(endpoint.address.ip.to_string() + "*" + std::to_string(endpoint.weight));
  }
  return texts;
}

TEST(DecodeCluster, EdsWithItsDefaults) {
  const auto cluster = facts(R"({"name": "c", "type": "EDS"})");
  EXPECT_EQ(cluster.type, ClusterFacts::Type::kEds);
  EXPECT_EQ(cluster.endpoints_name, "c");
  EXPECT_EQ(cluster.connect_timeout, std::chrono::seconds(5));
  EXPECT_EQ(cluster.panic_threshold, 50);
  EXPECT_THAT(cluster.unsupported, IsEmpty());
}

TEST(DecodeCluster, EdsWithEverythingHonoured) {
  const auto cluster = facts(R"({"name": "c", "type": "EDS", "connect_timeout": "0.250s",
      "eds_cluster_config": {"service_name": "e"}, "lb_policy": "LEAST_REQUEST",
      "common_lb_config": {"healthy_panic_threshold": {"value": 0}}})");
  EXPECT_EQ(cluster.endpoints_name, "e");
  EXPECT_EQ(cluster.connect_timeout, std::chrono::milliseconds(250));
  EXPECT_EQ(cluster.panic_threshold, 0);
  EXPECT_THAT(cluster.unsupported, IsEmpty());
}

TEST(DecodeCluster, StaticAndDns) {
  const std::string assignment = R"("load_assignment": {"cluster_name": "c", "endpoints":
      [{"lb_endpoints": [)";
  const auto fixed = facts(R"({"name": "c", "type": "STATIC", )" + assignment +
                           lb_endpoint("10.0.0.1", R"(, "load_balancing_weight": 3)") + "]}]}}");
  EXPECT_EQ(fixed.type, ClusterFacts::Type::kStatic);
  EXPECT_THAT(addresses(fixed.endpoints.healthy), ElementsAre("10.0.0.1*3"));
  const auto dns =
      facts(R"({"name": "c", "type": "LOGICAL_DNS", "dns_lookup_family": "V6_ONLY", )" +
            assignment + lb_endpoint("example.com") + "]}]}}");
  EXPECT_EQ(dns.type, ClusterFacts::Type::kLogicalDns);
  EXPECT_THAT(dns.names, ElementsAre(DnsName{"example.com", 80, 1}));
  EXPECT_EQ(dns.dns_family, DnsFamily::kV6Only);
}

TEST(DecodeCluster, OriginalDestination) {
  const auto cluster =
      facts(R"({"name": "c", "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED"})");
  EXPECT_EQ(cluster.type, ClusterFacts::Type::kOriginalDestination);
  EXPECT_THAT(cluster.unsupported, IsEmpty());
}

TEST(DecodeCluster, NamesWhatItDoesNotHonour) {
  const auto cluster = facts(R"({"name": "c", "type": "EDS", "lb_policy": "RING_HASH",
      "outlier_detection": {}, "ring_hash_lb_config": {},
      "circuit_breakers": {"thresholds": [{"max_connections": 10, "max_requests": 4294967295}]},
      "common_lb_config": {"locality_weighted_lb_config": {}},
      "transport_socket": {"name": "tls"}})");
  EXPECT_THAT(cluster.unsupported,
              ElementsAre("cluster.circuit_breakers.thresholds.max_connections",
                          "cluster.common_lb_config.locality_weighted_lb_config",
                          "cluster.lb_policy", "cluster.outlier_detection",
                          "cluster.ring_hash_lb_config", "cluster.transport_socket"));
}

TEST(DecodeCluster, HttpProtocolOptions) {
  auto cluster = parse<Cluster>(R"({"name": "c", "type": "EDS"})");
  envoy::extensions::upstreams::http::v3::HttpProtocolOptions options;
  options.mutable_use_downstream_protocol_config()
      ->mutable_http_protocol_options()
      ->mutable_header_key_format();
  options.mutable_use_downstream_protocol_config()->mutable_http2_protocol_options();
  auto& packed = (*cluster.mutable_typed_extension_protocol_options())
      ["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
  packed.PackFrom(options);
  auto decoded = decode_one(cluster);
  EXPECT_THAT(std::get<ClusterFacts>(decoded.resources.at(0).content).unsupported, IsEmpty());
  options.mutable_common_http_protocol_options()->mutable_idle_timeout()->set_seconds(1);
  packed.PackFrom(options);
  decoded = decode_one(cluster);
  EXPECT_THAT(
      std::get<ClusterFacts>(decoded.resources.at(0).content).unsupported,
      ElementsAre("cluster.http_protocol_options.common_http_protocol_options.idle_timeout"));
}

TEST(DecodeCluster, RejectsWhatCannotBeUsed) {
  EXPECT_THAT(reason(R"({"name": "c", "type": "EDS", "connect_timeout": "0s"})"),
              HasSubstr("connect_timeout"));
  EXPECT_THAT(reason(R"({"name": "c", "cluster_type": {"name": "envoy.clusters.aggregate"}})"),
              HasSubstr("envoy.clusters.aggregate"));
  EXPECT_THAT(reason(R"({"name": "c", "type": "STATIC", "load_assignment": {"cluster_name": "c",
      "endpoints": [{"lb_endpoints": [)" +
                     lb_endpoint("example.com") + "]}]}}"),
              HasSubstr("'example.com' is not an IP address"));
}

TEST(DecodeEndpoints, ByHealthAndWeight) {
  const auto decoded = endpoints(
      R"({"cluster_name": "c", "endpoints": [{"lb_endpoints": [)" + lb_endpoint("10.0.0.1") + "," +
      lb_endpoint("10.0.0.2", R"(, "health_status": "HEALTHY", "load_balancing_weight": 2)") + "," +
      lb_endpoint("10.0.0.3", R"(, "health_status": "UNHEALTHY")") + "," +
      lb_endpoint("10.0.0.4", R"(, "health_status": "DRAINING")") + "," +
      lb_endpoint("10.0.0.5", R"(, "health_status": "TIMEOUT")") +
      R"(]}, {"locality": {"zone": "b"}, "load_balancing_weight": 5, "lb_endpoints": [)" +
      lb_endpoint("10.0.0.6") + "]}]}");
  EXPECT_THAT(addresses(decoded.endpoints.healthy),
              ElementsAre("10.0.0.1*1", "10.0.0.2*2", "10.0.0.6*1"));
  EXPECT_THAT(addresses(decoded.endpoints.unhealthy),
              ElementsAre("10.0.0.3*1", "10.0.0.4*1", "10.0.0.5*1"));
  EXPECT_THAT(decoded.unsupported, IsEmpty());
}

TEST(DecodeEndpoints, TheFirstPriorityThatServes) {
  const auto decoded =
      endpoints(R"({"cluster_name": "c", "endpoints": [{"priority": 1, "lb_endpoints": [)" +
                lb_endpoint("10.0.0.2") + R"(]}, {"lb_endpoints": [)" +
                lb_endpoint("10.0.0.1", R"(, "health_status": "UNHEALTHY")") + "]}]}");
  EXPECT_THAT(addresses(decoded.endpoints.healthy), ElementsAre("10.0.0.2*1"));
  EXPECT_THAT(addresses(decoded.endpoints.unhealthy), IsEmpty());
  EXPECT_THAT(decoded.unsupported, ElementsAre("endpoints.endpoints.priority"));
}

TEST(DecodeEndpoints, NoneAtAll) {
  EXPECT_EQ(endpoints(R"({"cluster_name": "c"})"), EndpointsFacts{});
}

TEST(Decode, KeepsWhatIsGoodOfAResponse) {
  DiscoveryResponse response;
  response.set_type_url(std::string(type_url(ResourceType::kCluster)));
  response.add_resources()->PackFrom(parse<Cluster>(R"({"name": "good", "type": "EDS"})"));
  response.add_resources()->PackFrom(
      parse<Cluster>(R"({"name": "bad", "type": "EDS", "connect_timeout": "0s"})"));
  response.add_resources()->set_value("\xff\xff");
  const auto decoded = decode(response);
  ASSERT_TRUE(decoded);
  ASSERT_EQ(decoded->resources.size(), 1U);
  EXPECT_EQ(decoded->resources[0].name, "good");
  ASSERT_EQ(decoded->rejected.size(), 2U);
  EXPECT_EQ(decoded->rejected[0].first, "bad");
  EXPECT_EQ(decoded->rejected[1].first, "");
}

TEST(Decode, RefusesOtherTypes) {
  DiscoveryResponse response;
  response.set_type_url("type.googleapis.com/envoy.config.listener.v3.Listener");
  EXPECT_FALSE(decode(response));
}

UpstreamEndpoint at(const char* address) { return {{*IpAddress::parse(address), 80}, 1}; }

TEST(ChooseEndpoints, HealthyElseDegradedElseAllInPanic) {
  EndpointsByHealth endpoints;
  endpoints.healthy = {at("10.0.0.1")};
  endpoints.degraded = {at("10.0.0.2")};
  endpoints.unhealthy = {at("10.0.0.3")};
  EXPECT_THAT(choose(endpoints, 50), ElementsAre(at("10.0.0.1")));
  endpoints.healthy.clear();
  EXPECT_THAT(choose(endpoints, 50), ElementsAre(at("10.0.0.2")));
  endpoints.unhealthy.push_back(at("10.0.0.4"));
  EXPECT_THAT(choose(endpoints, 50), ElementsAre(at("10.0.0.2"), at("10.0.0.3"), at("10.0.0.4")));
  EXPECT_THAT(choose(endpoints, 0), ElementsAre(at("10.0.0.2")));
  endpoints.degraded.clear();
  EXPECT_THAT(choose(endpoints, 0), IsEmpty());
  EXPECT_THAT(choose(EndpointsByHealth{}, 50), IsEmpty());
}

TEST(ChooseAddresses, ByFamily) {
  const auto four = *IpAddress::parse("192.0.2.1");
  const auto six = *IpAddress::parse("2001:db8::1");
  EXPECT_THAT(choose({four, six}, DnsFamily::kAuto), ElementsAre(six));
  EXPECT_THAT(choose({four}, DnsFamily::kAuto), ElementsAre(four));
  EXPECT_THAT(choose({four, six}, DnsFamily::kV4Preferred), ElementsAre(four));
  EXPECT_THAT(choose({six}, DnsFamily::kV4Preferred), ElementsAre(six));
  EXPECT_THAT(choose({six}, DnsFamily::kV4Only), IsEmpty());
  EXPECT_THAT(choose({four, six}, DnsFamily::kV6Only), ElementsAre(six));
  EXPECT_THAT(choose({four, six}, DnsFamily::kAll), ElementsAre(four, six));
}

}  // namespace
}  // namespace lazymesh::egress
