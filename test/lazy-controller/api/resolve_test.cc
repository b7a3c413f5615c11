#include "lazy-controller/api/resolve.h"

#include <gtest/gtest.h>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "lazymesh/v1/resolver.pb.h"

namespace lazymesh::api {
namespace {

IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

mesh::ServicePtr service(std::string name, std::string ns, std::string_view vip,
                         std::vector<std::string> export_to = {}) {
  mesh::Service service;
  service.host = name + "." + ns + ".svc.cluster.local";
  service.namespace_ = std::move(ns);
  service.vips = {ip(vip)};
  service.ports = {{9080, mesh::Protocol::kHttp, "http"}, {3306, mesh::Protocol::kTcp, "tcp"}};
  service.export_to = std::move(export_to);
  service.endpoints = {{{ip("10.1.0.9"), 8080}, 9080, {}, 1, nullptr}};
  return std::make_shared<const mesh::Service>(std::move(service));
}

mesh::WorkloadPtr workload(std::string name, std::vector<IpAddress> addresses) {
  return std::make_shared<const mesh::Workload>(
      mesh::Workload{{"shop", std::move(name)}, {}, {}, std::move(addresses)});
}

mesh::RegistryContent content() {
  return {{},
          {{"shop", {}}, {"bank", {}}},
          {service("reviews", "shop", "10.96.0.5"), service("vault", "bank", "10.96.0.6", {"."})},
          {workload("web", {ip("10.1.0.1"), ip("fd00::1")}), workload("cart", {ip("10.1.0.2")})}};
}

v1::Resolution ask_destination(const mesh::RegistryContent& from, std::string host,
                               std::string address, unsigned port) {
  v1::Query query;
  query.mutable_destination()->set_caller_namespace("shop");
  query.mutable_destination()->set_host(std::move(host));
  query.mutable_destination()->set_address(std::move(address));
  query.mutable_destination()->set_port(port);
  return resolve(**mesh::Registry::build(from), query);
}

v1::Resolution ask_caller(const mesh::RegistryContent& from, std::string peer, std::string source,
                          std::string bound = {}) {
  v1::Query query;
  query.mutable_caller()->set_peer_address(std::move(peer));
  query.mutable_caller()->set_source_address(std::move(source));
  query.mutable_caller()->set_bound_address(std::move(bound));
  return resolve(**mesh::Registry::build(from), query);
}

TEST(ResolveCaller, IsTheWorkloadOfPeerAndSource) {
  const auto resolution = ask_caller(content(), "10.1.0.1", "10.1.0.1");
  EXPECT_EQ(resolution.caller().workload(), "web");
  EXPECT_EQ(resolution.caller().namespace_(), "shop");
}

TEST(ResolveCaller, MayUseAnotherAddressOfTheSameWorkload) {
  EXPECT_EQ(ask_caller(content(), "fd00::1", "10.1.0.1").caller().workload(), "web");
}

TEST(ResolveCaller, MayNotClaimAnotherWorkloadsAddress) {
  const auto resolution = ask_caller(content(), "10.1.0.2", "10.1.0.1");
  ASSERT_TRUE(resolution.has_not_found());
  EXPECT_NE(resolution.not_found().reason().find("10.1.0.2"), std::string::npos);
}

TEST(ResolveCaller, IsNobodyFromAnUnknownAddress) {
  EXPECT_TRUE(ask_caller(content(), "10.9.9.9", "10.9.9.9").has_not_found());
  EXPECT_TRUE(ask_caller(content(), "", "").has_not_found());
}

TEST(ResolveCaller, BelievesBoundAddressesOnlyWhereTheMeshFileSaysSo) {
  auto bound = content();
  bound.workloads = {workload("web", {ip("127.1.0.1")})};
  bound.settings.shape = mesh::SidecarShape::kBound;
  EXPECT_TRUE(ask_caller(bound, "127.0.0.1", "127.0.0.1", "127.1.0.1").has_not_found());
  bound.settings.trust_bound_addresses = true;
  EXPECT_EQ(ask_caller(bound, "127.0.0.1", "127.0.0.1", "127.1.0.1").caller().workload(), "web");
}

TEST(ResolveDestination, FindsAHostByAnyOfItsNames) {
  for (const auto* name :
       {"reviews", "REVIEWS.shop", "reviews.shop.svc", "reviews.shop.svc.cluster.local."}) {
    const auto resolution = ask_destination(content(), name, "", 9080);
    EXPECT_EQ(resolution.destination().cluster(), "outbound|9080||reviews.shop.svc.cluster.local")
        << name;
    EXPECT_EQ(resolution.destination().discovery(), v1::EDS);
    EXPECT_EQ(resolution.destination().namespace_(), "shop");
    EXPECT_EQ(resolution.destination().route_configuration(), "");
  }
}

TEST(ResolveDestination, RefusesAPortThatTheServiceLacks) {
  const auto resolution = ask_destination(content(), "reviews", "", 81);
  EXPECT_EQ(resolution.not_found().reason(),
            "service reviews.shop.svc.cluster.local has no port 81");
  EXPECT_TRUE(ask_destination(content(), "reviews", "", 0).has_not_found());
  EXPECT_TRUE(ask_destination(content(), "reviews", "", 70000).has_not_found());
}

TEST(ResolveDestination, HidesWhatIsNotExportedToTheCaller) {
  const auto hidden = ask_destination(content(), "vault.bank", "", 9080);
  const auto absent = ask_destination(content(), "nothing.bank", "", 9080);
  ASSERT_TRUE(hidden.has_not_found());
  ASSERT_TRUE(absent.has_not_found());
  EXPECT_TRUE(ask_destination(content(), "", "10.96.0.6", 9080).has_not_found());
}

TEST(ResolveDestination, FindsAVipAndAnEndpointByAddress) {
  EXPECT_EQ(ask_destination(content(), "", "10.96.0.5", 3306).destination().cluster(),
            "outbound|3306||reviews.shop.svc.cluster.local");
  const auto endpoint = ask_destination(content(), "", "10.1.0.9", 8080);
  EXPECT_EQ(endpoint.destination().port(), 9080U);
  EXPECT_EQ(endpoint.destination().discovery(), v1::ORIGINAL_DESTINATION);
}

TEST(ResolveDestination, PassesThroughOutsideTheRegistryOnlyWhereTheMeshAllowsAny) {
  auto open = content();
  EXPECT_TRUE(ask_destination(open, "example.com", "", 80).has_not_found());
  open.settings.outbound = mesh::OutboundPolicy::kAllowAny;
  const auto resolution = ask_destination(open, "example.com", "", 80);
  EXPECT_EQ(resolution.destination().discovery(), v1::ORIGINAL_DESTINATION);
  EXPECT_EQ(resolution.destination().cluster(), "PassthroughCluster");
}

TEST(ResolveDestination, SaysWhenTheUserFindsEndpointsByDns) {
  auto dns = content();
  mesh::Service changed = *dns.services[0];
  envoy::config::cluster::v3::Cluster cluster;
  cluster.set_type(envoy::config::cluster::v3::Cluster::STRICT_DNS);
  changed.cluster = cluster.SerializeAsString();
  changed.routes = "anything";
  dns.services[0] = std::make_shared<const mesh::Service>(changed);
  const auto resolution = ask_destination(dns, "reviews", "", 9080);
  EXPECT_EQ(resolution.destination().discovery(), v1::DNS);
  EXPECT_EQ(resolution.destination().route_configuration(), resolution.destination().cluster());
}

TEST(Resolve, AnswersAnEmptyQuery) {
  EXPECT_TRUE(resolve(*mesh::Registry::empty(), {}).has_not_found());
}

}  // namespace
}  // namespace lazymesh::api
