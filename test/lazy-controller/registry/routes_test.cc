#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"

#include "lazy-controller/registry/file/loader.h"

namespace lazymesh::registry {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::route::v3::RouteConfiguration;
using testing::ElementsAre;

// reviews, with more keys on the lines from 5 on, and two versions of it.
std::string mesh_with(const std::string& more, const std::string& v2_more = "") {
  return R"(namespaces: [{name: a}, {name: b}]
services:
- {host: v1.a.svc.cluster.local, namespace: a, ports: [{number: 80, protocol: http}]}
- {host: reviews.a.svc.cluster.local, namespace: a, ports: [{number: 80, protocol: http}],
)" + more +
         R"(}
- {host: v2.a.svc.cluster.local, namespace: a, ports: [{number: 80, protocol: http}])" +
         v2_more + "}\n";
}

Result<std::shared_ptr<const mesh::Registry>> load(const std::string& yaml) {
  return load_mesh(yaml, "mesh.yaml", *mesh::Registry::empty());
}

std::string refusal(const std::string& more) {
  const auto loaded = load(mesh_with(more));
  return loaded ? "accepted" : loaded.error().message;
}

mesh::ServicePtr reviews(const std::string& more) {
  const auto loaded = load(mesh_with(more));
  EXPECT_TRUE(loaded) << loaded.error().message;
  if (!loaded) return std::make_shared<const mesh::Service>();
  return (*loaded)->find_service("reviews.a.svc.cluster.local");
}

constexpr auto kSplit = R"(
  routes:
    {virtual_hosts: [{name: reviews, domains: ["*"], routes: [
      {match: {prefix: /new}, route: {cluster: outbound|80||v2.a.svc.cluster.local, timeout: 3s}},
      {match: {prefix: /}, route: {weighted_clusters: {clusters: [
        {name: outbound|80||v1.a.svc.cluster.local, weight: 90},
        {name: outbound|80||reviews.a.svc.cluster.local, weight: 10}]}}}]}]}
)";

TEST(Routes, AreKeptAsEnvoysOwn) {
  RouteConfiguration routes;
  ASSERT_TRUE(routes.ParseFromString(reviews(kSplit)->routes));
  ASSERT_EQ(routes.virtual_hosts_size(), 1);
  const auto& host = routes.virtual_hosts(0);
  EXPECT_EQ(host.routes(0).match().prefix(), "/new");
  EXPECT_EQ(host.routes(0).route().timeout().seconds(), 3);
  EXPECT_EQ(host.routes(1).route().weighted_clusters().clusters(0).weight().value(), 90U);
}

TEST(Routes, NameTheHostsThatTheyLeadTo) {
  EXPECT_THAT(reviews(kSplit)->route_hosts,
              ElementsAre("v1.a.svc.cluster.local", "v2.a.svc.cluster.local"));
}

TEST(Routes, MirrorsAreDestinationsToo) {
  EXPECT_THAT(reviews(R"(
  routes: {
    request_mirror_policies: [{cluster: outbound|80||v1.a.svc.cluster.local}],
    virtual_hosts: [{name: r, domains: [reviews], routes: [
      {match: {prefix: /}, route: {cluster: outbound|80||reviews.a.svc.cluster.local,
        request_mirror_policies: [{cluster: outbound|80||v2.a.svc.cluster.local}]}}]}]}
)")
                  ->route_hosts,
              ElementsAre("v1.a.svc.cluster.local", "v2.a.svc.cluster.local"));
}

TEST(Routes, BothSpellingsOfFieldsAreEnvoys) {
  std::string camel = kSplit;
  camel.replace(camel.find("virtual_hosts"), 13, "virtualHosts");
  camel.replace(camel.find("weighted_clusters"), 17, "weightedClusters");
  EXPECT_EQ(reviews(camel)->routes, reviews(kSplit)->routes);
}

TEST(Routes, TheSameTextGivesTheSameBytes) {
  const std::string one = R"(
  routes: {virtual_hosts: [{name: r, domains: ["*"], typed_per_filter_config: {
    a: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy},
    b: {"@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault}}}]})";
  const std::string other = R"(
  routes: {virtual_hosts: [{domains: ["*"], name: r, typed_per_filter_config: {
    b: {"@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault},
    a: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy}}}]})";
  EXPECT_EQ(reviews(one)->routes, reviews(other)->routes);
}

TEST(Routes, TypedConfigsAreKnown) {
  const auto service = reviews(R"(
  routes: {virtual_hosts: [{name: r, domains: ["*"], typed_per_filter_config: {
    envoy.filters.http.fault: {"@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault,
      delay: {fixed_delay: 0.5s, percentage: {numerator: 100}}}}}]})");
  RouteConfiguration routes;
  ASSERT_TRUE(routes.ParseFromString(service->routes));
  envoy::extensions::filters::http::fault::v3::HTTPFault fault;
  ASSERT_TRUE(routes.virtual_hosts(0)
                  .typed_per_filter_config()
                  .at("envoy.filters.http.fault")
                  .UnpackTo(&fault));
  EXPECT_EQ(fault.delay().percentage().numerator(), 100U);
}

TEST(Routes, QuotedScalarsAreText) {
  const auto service = reviews(R"(
  routes: {virtual_hosts: [{name: "80", domains: ["*"], include_request_attempt_count: true,
    response_headers_to_add: [{header: {key: x, value: "true"}, append_action: 1}],
    per_request_buffer_limit_bytes: 7}]})");
  RouteConfiguration routes;
  ASSERT_TRUE(routes.ParseFromString(service->routes));
  EXPECT_EQ(routes.virtual_hosts(0).name(), "80");
  EXPECT_TRUE(routes.virtual_hosts(0).include_request_attempt_count());
  EXPECT_EQ(routes.virtual_hosts(0).response_headers_to_add(0).header().value(), "true");
}

TEST(Routes, EveryCharacterSurvives) {
  const auto service = reviews(R"(
  routes: {virtual_hosts: [{name: "a\"b\\c\n\t\u0001ü€", domains: ["*"]}]})");
  RouteConfiguration routes;
  ASSERT_TRUE(routes.ParseFromString(service->routes));
  EXPECT_EQ(routes.virtual_hosts(0).name(), "a\"b\\c\n\t\x01ü€");
}

TEST(ClusterText, IsKeptAsEnvoysOwn) {
  const auto service = reviews(R"(
  cluster: {connect_timeout: 1s, lb_policy: RING_HASH, outlier_detection: {consecutive_5xx: 3},
    typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {
      "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions,
      explicit_http_config: {http2_protocol_options: {}}}}})");
  Cluster cluster;
  ASSERT_TRUE(cluster.ParseFromString(service->cluster));
  EXPECT_EQ(cluster.connect_timeout().seconds(), 1);
  EXPECT_EQ(cluster.lb_policy(), Cluster::RING_HASH);
  EXPECT_EQ(cluster.outlier_detection().consecutive_5xx().value(), 3U);
  EXPECT_EQ(cluster.typed_extension_protocol_options_size(), 1);
}

TEST(ClusterText, SaysItsLoadBalancingPolicyInAnyCase) {
  const auto policy = [](const char* text) {
    Cluster cluster;
    cluster.ParseFromString(reviews(text)->cluster);
    return cluster.lb_policy();
  };
  EXPECT_EQ(policy("\n  cluster: {lb_policy: ROUND_ROBIN}"), Cluster::ROUND_ROBIN);
  EXPECT_EQ(policy("\n  cluster: {lbPolicy: ROUND_ROBIN}"), Cluster::ROUND_ROBIN);
  EXPECT_EQ(policy("\n  cluster: {connect_timeout: 1s}"), Cluster::LEAST_REQUEST);
}

TEST(ClusterText, MayFindItsEndpointsByDns) {
  const auto service = reviews(R"(
  cluster: {type: STRICT_DNS, load_assignment: {endpoints: [{lb_endpoints: [
    {endpoint: {address: {socket_address: {address: example.com, port_value: 80}}}}]}]}})");
  EXPECT_FALSE(service->cluster.empty());
}

struct Case {
  const char* name;
  std::string more;
  std::string message;
};

void PrintTo(const Case& each, std::ostream* out) { *out << each.name; }

class EnvoyTextRefuses : public testing::TestWithParam<Case> {};

TEST_P(EnvoyTextRefuses, WithLineColumnPathAndReason) {
  EXPECT_EQ(refusal(GetParam().more), "mesh.yaml:" + GetParam().message);
}

std::string name_of(const testing::TestParamInfo<Case>& info) { return info.param.name; }

std::string route(const std::string& action) {
  return "  routes: {virtual_hosts: [{name: r, domains: ['*'], routes: [{match: {prefix: /},\n"
         "    route: {" +
         action + "}}]}]}";
}

INSTANTIATE_TEST_SUITE_P(
    Api, EnvoyTextRefuses,
    testing::Values(
        Case{"Text", "  routes: hello", "5:11: services[1].routes: must be a mapping"},
        Case{"UnknownFieldAtTheTop", "  routes: {\n    vhosts: []}",
             "6:5: services[1].routes.vhosts: Envoy's API has no such field"},
        Case{"UnknownField", route("clutser: x"),
             "6:13: services[1].routes.virtual_hosts[0].routes[0].route.clutser: Envoy's API has "
             "no such field"},
        Case{"UnknownFieldInAMessageOfAMap",
             "  routes: {virtual_hosts: [{domains: ['*'], typed_per_filter_config: {f:\n"
             "    {'@type': type.googleapis.com/envoy.config.route.v3.RouteMatch,\n    prefx: "
             "a}}}]}",
             "7:5: services[1].routes.virtual_hosts[0].typed_per_filter_config.f.prefx: Envoy's "
             "API has no such field"},
        Case{"WrongType", route("cluster: 5"),
             "6:22: services[1].routes.virtual_hosts[0].routes[0].route.cluster: invalid value 5 "
             "for type TYPE_STRING"},
        Case{"WrongDuration", route("cluster: a, timeout: 5"),
             "6:34: services[1].routes.virtual_hosts[0].routes[0].route.timeout: invalid value "
             "Field 'timeout', Invalid data type for duration, value is 5 for type "
             "type.googleapis.com/google.protobuf.Duration"},
        Case{"TwiceTheSameKey", route("cluster: a, cluster: b"),
             "6:25: services[1].routes.virtual_hosts[0].routes[0].route.cluster: is there twice"},
        Case{"TwoOfAOneof", route("cluster: a, cluster_header: b"),
             "6:12: services[1].routes.virtual_hosts[0].routes[0].route: invalid value oneof field "
             "'cluster_specifier' is already set. Cannot set 'cluster_header' for type oneof"},
        Case{"UnknownType",
             "  routes: {virtual_hosts: [{domains: ['*'], typed_per_filter_config: {f: {'@type': "
             "type.googleapis.com/a.B}}}]}",
             "5:74: services[1].routes.virtual_hosts[0].typed_per_filter_config.f: invalid value "
             "Invalid type URL, unknown type: a.B for type Any"},
        Case{"UnknownFieldOfACluster", "  cluster: {conect_timeout: 1s}",
             "5:13: services[1].cluster.conect_timeout: Envoy's API has no such field"},
        Case{"EnumOfACluster", "  cluster: {lb_policy: BEST}",
             "5:24: services[1].cluster.lb_policy: invalid value \"BEST\" for type "
             "type.googleapis.com/envoy.config.cluster.v3.Cluster.LbPolicy"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Sense, EnvoyTextRefuses,
    testing::Values(
        Case{"NoVirtualHost", "  routes: {virtual_hosts: []}",
             "5:27: services[1].routes.virtual_hosts: must have one virtual host, that of the "
             "service"},
        Case{"TwoVirtualHosts", "  routes: {virtual_hosts: [{domains: ['*']}, {domains: [a]}]}",
             "5:27: services[1].routes.virtual_hosts: must have one virtual host, that of the "
             "service"},
        Case{"AnotherServicesVirtualHost", "  routes: {virtual_hosts: [{domains: [ratings]}]}",
             "4:3: services[1]: the virtual host of routes has neither '*' nor a name of the "
             "service among its domains"},
        Case{"WhatRulesTheListener", "  routes: {virtual_hosts: [{domains: ['*']}], vhds: {}}",
             "5:47: services[1].routes.vhds: rules more than this one service, so it cannot be set "
             "here"},
        Case{"NotAClustersName", route("cluster: v1"),
             "6:22: services[1].routes.virtual_hosts[0].routes[0].route.cluster: 'v1' is not a "
             "cluster's name (outbound|PORT||HOST of a service)"},
        Case{"UnknownService", route("cluster: outbound|80||v3.a.svc.cluster.local"),
             "6:22: services[1].routes.virtual_hosts[0].routes[0].route.cluster: there is no "
             "service v3.a.svc.cluster.local"},
        Case{"UnknownPort", route("cluster: outbound|81||v1.a.svc.cluster.local"),
             "6:22: services[1].routes.virtual_hosts[0].routes[0].route.cluster: service "
             "v1.a.svc.cluster.local has no port 81"},
        Case{"Subset", route("cluster: outbound|80|v1|reviews.a.svc.cluster.local"),
             "6:22: services[1].routes.virtual_hosts[0].routes[0].route.cluster: subsets are not "
             "supported; make 'v1' a service of its own"},
        Case{"WeightedCluster", route("weighted_clusters: {clusters: [{name: x, weight: 1}]}"),
             "6:51: services[1].routes.virtual_hosts[0].routes[0].route.weighted_clusters"
             ".clusters[0].name: 'x' is not a cluster's name (outbound|PORT||HOST of a service)"},
        Case{"Mirror",
             route("cluster: outbound|80||v1.a.svc.cluster.local, request_mirror_policies: "
                   "[{cluster: x}]"),
             "6:95: services[1].routes.virtual_hosts[0].routes[0].route.request_mirror_policies[0]"
             ".cluster: 'x' is not a cluster's name (outbound|PORT||HOST of a service)"},
        Case{"ClusterHeader", route("cluster_header: x-cluster"),
             "6:29: services[1].routes.virtual_hosts[0].routes[0].route.cluster_header: cannot be "
             "known in advance which clusters this leads to; name them by cluster or "
             "weighted_clusters"},
        Case{"NoCluster", route("timeout: 1s"),
             "6:12: services[1].routes.virtual_hosts[0].routes[0].route: names no cluster"},
        Case{"NameOfACluster", "  cluster: {name: x}",
             "5:19: services[1].cluster.name: Lazymesh names it: outbound|PORT||HOST"},
        Case{"EdsConfig", "  cluster: {eds_cluster_config: {service_name: x}}",
             "5:33: services[1].cluster.eds_cluster_config: Lazymesh sends the endpoints; write "
             "them under endpoints"},
        Case{"EndpointsInTheCluster", "  cluster: {load_assignment: {cluster_name: x}}",
             "5:30: services[1].cluster.load_assignment: needs type STRICT_DNS or LOGICAL_DNS; "
             "addresses go under endpoints"},
        Case{"StaticCluster", "  cluster: {type: STATIC}",
             "5:19: services[1].cluster.type: leave it out and write addresses under endpoints"},
        Case{"DnsWithoutNames", "  cluster: {type: STRICT_DNS}",
             "5:19: services[1].cluster.type: needs load_assignment"},
        Case{"ClusterType", "  cluster: {cluster_type: {name: x}}",
             "5:27: services[1].cluster.cluster_type: is not supported; use type"}),
    name_of);

TEST(Routes, NeedAnHttpPort) {
  const auto loaded = load(R"(namespaces: [{name: a}]
services:
- host: db.a.svc.cluster.local
  namespace: a
  ports: [{number: 1, protocol: tcp}]
  routes: {virtual_hosts: [{domains: ['*']}]}
)");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message,
            "mesh.yaml:3:3: services[0]: routes need a port whose protocol is http, http2 or grpc");
}

TEST(Routes, MayOnlyLeadWhereTheirCallersMayGo) {
  const auto loaded = load(mesh_with(kSplit, ", exportTo: ['.']"));
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message,
            "mesh.yaml:8:48: services[1].routes.virtual_hosts[0].routes[0].route.cluster: service "
            "v2.a.svc.cluster.local is not visible from namespace b, where these routes are used; "
            "widen its exportTo");
}

}  // namespace
}  // namespace lazymesh::registry
