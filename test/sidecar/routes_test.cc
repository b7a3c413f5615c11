#include <gmock/gmock.h>

#include "envoy/config/route/v3/route.pb.h"

#include "test/sidecar/mesh.h"

namespace lazymesh::test {
namespace {

using envoy::config::route::v3::Route;
using envoy::config::route::v3::RouteConfiguration;
using envoy::config::route::v3::VirtualHost;
using mesh::LazyMode;
using mesh::Protocol;
using testing::ElementsAre;
using testing::SizeIs;

RouteConfiguration routes_of(Mesh& mesh) {
  const auto subject = mesh.subject();
  return parse<RouteConfiguration>(
      *sidecar::route_configuration(subject, subject.registry.services()));
}

/// The port pattern that a route asks for, empty if it takes any.
std::string port_of(const Route& route) {
  if (route.match().filter_state().empty()) return {};
  const auto& state = route.match().filter_state(route.match().filter_state_size() - 1);
  EXPECT_EQ(state.key(), "lazymesh.port");
  return state.string_match().has_safe_regex() ? state.string_match().safe_regex().regex()
                                               : state.string_match().exact();
}

mesh::Service with_routes(mesh::Service service, const RouteConfiguration& routes) {
  service.routes = routes.SerializeAsString();
  return service;
}

RouteConfiguration user_routes(std::string_view domain, std::string_view prefix) {
  RouteConfiguration routes;
  auto& host = *routes.add_virtual_hosts();
  host.set_name("mine");
  host.add_domains(std::string(domain));
  auto& route = *host.add_routes();
  route.mutable_match()->set_prefix(std::string(prefix));
  route.mutable_route()->set_cluster("outbound|80||reviews.shop.svc.cluster.local");
  return routes;
}

TEST(RouteConfiguration, HasAVirtualHostForEachHttpServiceUnderAllItsNames) {
  Mesh mesh;
  auto reviews = service("reviews", {{80, Protocol::kHttp, "http"}});
  reviews.vips = {ip("10.96.0.5"), ip("2001:db8::5")};
  mesh.services = {reviews, service("mysql", {{3306, Protocol::kTcp, "tcp"}})};
  const auto routes = routes_of(mesh);
  EXPECT_EQ(routes.name(), "outbound-http");
  EXPECT_TRUE(routes.ignore_port_in_host_matching());
  ASSERT_THAT(routes.virtual_hosts(), SizeIs(2));
  EXPECT_EQ(routes.virtual_hosts(0).name(), "reviews.shop.svc.cluster.local");
  EXPECT_THAT(
      routes.virtual_hosts(0).domains(),
      ElementsAre("reviews.shop.svc.cluster.local", "reviews.shop.svc", "reviews.shop", "reviews",
                  "10.96.0.5", "[2001:db8::5]", "reviews.shop.svc.cluster.local."));
  EXPECT_THAT(routes.virtual_hosts(1).domains(), ElementsAre("*"));
}

TEST(RouteConfiguration, AnHttpPortLeadsToItsClusterWithoutALimitOfTime) {
  Mesh mesh;
  mesh.services = {service("reviews", {{80, Protocol::kHttp, "http"},
                                       {81, Protocol::kGrpc, "grpc"},
                                       {3306, Protocol::kTcp, "tcp"}})};
  const auto routes = routes_of(mesh);
  const auto& host = routes.virtual_hosts(0);
  ASSERT_THAT(host.routes(), SizeIs(3));
  EXPECT_EQ(port_of(host.routes(0)), "80");
  EXPECT_EQ(port_of(host.routes(1)), "81");
  EXPECT_EQ(host.routes(1).route().cluster(), "outbound|81||reviews.shop.svc.cluster.local");
  EXPECT_TRUE(host.routes(0).route().has_timeout());
  EXPECT_EQ(host.routes(0).route().timeout().seconds(), 0);
  const auto& retry = host.routes(0).route().retry_policy();
  EXPECT_EQ(retry.retry_on(),
            "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes");
  EXPECT_EQ(retry.num_retries().value(), 2);
  EXPECT_EQ(retry.host_selection_retry_max_attempts(), 5);
  EXPECT_THAT(retry.retry_host_predicate(), SizeIs(1));
}

TEST(RouteConfiguration, WhatIsUnknownToALazySidecarGoesToTheEgress) {
  Mesh mesh;
  mesh.services = {service("reviews", {{80, Protocol::kHttp, "http"}})};
  const auto routes = routes_of(mesh);
  // Unknown hosts, and unknown ports of known ones.
  for (const auto& host : routes.virtual_hosts()) {
    const auto& last = host.routes(host.routes_size() - 1);
    EXPECT_EQ(port_of(last), "");
    EXPECT_EQ(last.route().cluster(), sidecar::kEgressCluster);
    EXPECT_TRUE(last.route().has_timeout());
    EXPECT_EQ(last.route().timeout().seconds(), 0);
    EXPECT_TRUE(last.route().has_idle_timeout());
    EXPECT_EQ(last.route().retry_policy().retry_on(),
              "connect-failure,refused-stream,reset-before-request");
  }
}

TEST(RouteConfiguration, WhatDoesNotExistIsRefusedOrPassedThrough) {
  Mesh mesh;
  mesh.mode = LazyMode::kDisabled;
  mesh.services = {service("reviews", {{80, Protocol::kHttp, "http"}})};
  EXPECT_EQ(routes_of(mesh).virtual_hosts(1).name(), "block_all");
  EXPECT_EQ(routes_of(mesh).virtual_hosts(1).routes(0).direct_response().status(), 502);
  EXPECT_EQ(routes_of(mesh).virtual_hosts(0).routes(1).direct_response().status(), 502);

  mesh.settings.outbound = mesh::OutboundPolicy::kAllowAny;
  EXPECT_EQ(routes_of(mesh).virtual_hosts(1).name(), "allow_any");
  EXPECT_EQ(routes_of(mesh).virtual_hosts(1).routes(0).route().cluster(),
            sidecar::kPassthroughCluster);

  // Passing through what came to its own address would lead a bound sidecar to itself.
  mesh.settings.shape = mesh::SidecarShape::kBound;
  EXPECT_EQ(routes_of(mesh).virtual_hosts(1).name(), "block_all");
}

TEST(RouteConfiguration, IsTheSameFromFragmentsAndParsesBack) {
  Mesh mesh;
  mesh.services = {service("reviews", {{80, Protocol::kHttp, "http"}}),
                   service("mysql", {{3306, Protocol::kTcp, "tcp"}}),
                   service("ratings", {{8079, Protocol::kGrpc, "grpc"}})};
  const auto subject = mesh.subject();
  const auto& services = subject.registry.services();
  std::vector<std::string> fragments;
  for (const auto& each : services) {
    fragments.push_back(sidecar::virtual_host(subject.registry, *each, "shop"));
  }
  const std::vector<std::string_view> views(fragments.begin(), fragments.end());
  const auto joined = sidecar::join_route_configuration(subject, views);
  const auto whole = sidecar::route_configuration(subject, services);
  EXPECT_EQ(joined->body, whole->body);
  EXPECT_EQ(joined->version, whole->version);
  EXPECT_EQ(sidecar::serialize(parse<RouteConfiguration>(*joined)), joined->body);
}

TEST(UserRoutes, ApplyOnTheServicesPortsOnlyAndThereNothingElseDoes) {
  Mesh mesh;
  mesh.services = {
      with_routes(service("reviews", {{80, Protocol::kHttp, "a"}, {81, Protocol::kHttp, "b"}}),
                  user_routes("*", "/v2"))};
  const auto routes = routes_of(mesh);
  const auto& host = routes.virtual_hosts(0);
  ASSERT_THAT(host.routes(), SizeIs(3));
  EXPECT_EQ(host.routes(0).match().prefix(), "/v2");
  EXPECT_EQ(port_of(host.routes(0)), "80|81");
  EXPECT_EQ(port_of(host.routes(1)), "80|81");
  EXPECT_EQ(host.routes(1).direct_response().status(), 404);
  EXPECT_EQ(port_of(host.routes(2)), "");
  EXPECT_EQ(host.routes(2).route().cluster(), sidecar::kEgressCluster);
}

TEST(UserRoutes, KeepTheirOwnMatchesAndTheirVirtualHostsSettings) {
  auto mine = user_routes("reviews.shop:80", "/");
  auto& mine_host = *mine.mutable_virtual_hosts(0);
  auto& state = *mine_host.mutable_routes(0)->mutable_match()->add_filter_state();
  state.set_key("other");
  state.mutable_string_match()->set_exact("x");
  mine_host.mutable_retry_policy()->set_retry_on("5xx");
  mine_host.add_request_headers_to_add()->mutable_header()->set_key("from-host");
  mine.add_request_headers_to_add()->mutable_header()->set_key("from-configuration");
  (*mine_host.mutable_typed_per_filter_config())["cors"].set_type_url("of the host");
  (*mine.mutable_typed_per_filter_config())["cors"].set_type_url("of the configuration");
  (*mine.mutable_typed_per_filter_config())["fault"].set_type_url("of the configuration");
  Mesh mesh;
  mesh.services = {with_routes(service("reviews", {{80, Protocol::kHttp, "http"}}), mine)};
  const auto routes = routes_of(mesh);
  const auto& host = routes.virtual_hosts(0);
  EXPECT_EQ(host.name(), "reviews.shop.svc.cluster.local");
  EXPECT_EQ(host.domains(0), "reviews.shop.svc.cluster.local");
  EXPECT_EQ(host.retry_policy().retry_on(), "5xx");
  EXPECT_THAT(host.routes(0).match().filter_state(), SizeIs(2));
  ASSERT_THAT(host.request_headers_to_add(), SizeIs(2));
  EXPECT_EQ(host.request_headers_to_add(0).header().key(), "from-host");
  EXPECT_EQ(host.typed_per_filter_config().at("cors").type_url(), "of the host");
  EXPECT_EQ(host.typed_per_filter_config().at("fault").type_url(), "of the configuration");
}

TEST(UserRoutes, AreThoseOfTheVirtualHostThatNamesTheService) {
  for (const auto* name : {"reviews", "Reviews.shop", "reviews.shop.svc:80",
                           "reviews.shop.svc.cluster.local", "reviews.shop.svc.cluster.local:*"}) {
    auto mine = user_routes("*", "/any");
    mine.MergeFrom(user_routes("other.shop", "/other"));
    mine.MergeFrom(user_routes(name, "/named"));
    mine.MergeFrom(user_routes(name, "/later"));
    Mesh mesh;
    mesh.services = {with_routes(service("reviews", {{80, Protocol::kHttp, "http"}}), mine)};
    EXPECT_EQ(routes_of(mesh).virtual_hosts(0).routes(0).match().prefix(), "/named") << name;
  }
}

TEST(UserRoutes, ThatAreForOtherHostsLeaveTheDefault) {
  for (const auto* name : {"review", "reviews2.shop", "shop", "reviews.shop.svc.cluster.local.x"}) {
    Mesh mesh;
    mesh.services = {with_routes(service("reviews", {{80, Protocol::kHttp, "http"}}),
                                 user_routes(name, "/mine"))};
    EXPECT_EQ(routes_of(mesh).virtual_hosts(0).routes(0).match().prefix(), "/") << name;
    EXPECT_EQ(sidecar::routes_of(mesh.services[0], mesh.services[0].ports[0]), nullptr);
  }
}

TEST(UserRoutes, AreTheSameForTheEgressUnderTheClustersName) {
  auto mine = user_routes("reviews.shop", "/v2");
  mine.add_response_headers_to_add()->mutable_header()->set_key("x-by");
  const auto reviews = with_routes(
      service("reviews", {{80, Protocol::kHttp, "http"}, {81, Protocol::kTcp, "tcp"}}), mine);
  const auto resource = sidecar::routes_of(reviews, reviews.ports[0]);
  ASSERT_NE(resource, nullptr);
  EXPECT_EQ(resource->name, "outbound|80||reviews.shop.svc.cluster.local");
  const auto routes = parse<RouteConfiguration>(*resource);
  EXPECT_EQ(routes.name(), resource->name);
  ASSERT_THAT(routes.virtual_hosts(), SizeIs(1));
  EXPECT_THAT(routes.virtual_hosts(0).domains(), ElementsAre("*"));
  EXPECT_EQ(routes.virtual_hosts(0).response_headers_to_add(0).header().key(), "x-by");
  ASSERT_THAT(routes.virtual_hosts(0).routes(), SizeIs(1));
  EXPECT_THAT(routes.virtual_hosts(0).routes(0).match().filter_state(), SizeIs(0));
  EXPECT_EQ(sidecar::routes_of(reviews, reviews.ports[1]), nullptr);
}

}  // namespace
}  // namespace lazymesh::test
