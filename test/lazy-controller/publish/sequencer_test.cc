#include "lazy-controller/publish/xds/sequencer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/route/v3/route.pb.h"

#include "test/lazy-controller/publish/exchange.h"

namespace lazymesh::publish::xds {
namespace {

using std::chrono_literals::operator""ms;
using test::Exchange;
using test::World;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Sequencing : public testing::TestWithParam<Variant> {
 protected:
  Sequencing() {
    for (const auto* name : {"a", "b", "c", "d"}) exchange_.world.service(name);
  }

  void start(std::vector<std::string> scope) {
    exchange_.scope = std::move(scope);
    exchange_.registry_changed();
    exchange_.run();
    expect_done();
    exchange_.forget_sent();
  }
  void widen(std::vector<std::string> scope) {
    exchange_.scope = std::move(scope);
    exchange_.scope_changed();
  }
  void set_mode(std::string_view mode) {
    exchange_.world.workload("web", "10.1.0.2", mode);
    exchange_.registry_changed();
  }
  void expect_done() {
    EXPECT_EQ(exchange_.contradiction(), "");
    EXPECT_EQ(exchange_.envoy.clusters(), exchange_.expected_clusters());
    EXPECT_EQ(exchange_.envoy.routes(), exchange_.expected_routes());
    EXPECT_THAT(exchange_.sequencer().pending(), IsEmpty());
  }

  Exchange exchange_{GetParam()};
};

std::string variant_name(const testing::TestParamInfo<Variant>& tested) {
  return tested.param == Variant::kDelta ? "Delta" : "StateOfTheWorld";
}
INSTANTIATE_TEST_SUITE_P(Variants, Sequencing,
                         testing::Values(Variant::kDelta, Variant::kStateOfTheWorld), variant_name);

constexpr auto kCds = ResourceType::kCluster;
constexpr auto kEds = ResourceType::kEndpoints;
constexpr auto kLds = ResourceType::kListener;
constexpr auto kRds = ResourceType::kRoutes;

TEST_P(Sequencing, ANewClientIsToldInOrder) {
  exchange_.scope = {"a", "b"};
  exchange_.registry_changed();
  exchange_.run();
  EXPECT_THAT(exchange_.sent(), ElementsAre(kCds, kEds, kLds, kRds));
  expect_done();
}

TEST_P(Sequencing, ALearnedServiceIsRoutedToOnceItsClusterIsWarm) {
  start({"a"});
  widen({"a", "b"});
  while (exchange_.server_sends()) {
  }
  EXPECT_THAT(exchange_.sent(), ElementsAre(kCds));
  EXPECT_THAT(exchange_.sequencer().pending(), ElementsAre(World::host("b")));
  exchange_.run();
  EXPECT_THAT(exchange_.sent(), ElementsAre(kCds, kEds, kRds));
  expect_done();
}

TEST_P(Sequencing, AServiceThatLeavesLosesItsRouteFirst) {
  start({"a", "b"});
  widen({"a"});
  exchange_.run();
  EXPECT_EQ(exchange_.sent().front(), kRds);
  EXPECT_EQ(exchange_.sent().at(1), kCds);
  expect_done();
}

TEST_P(Sequencing, AnAnswerIsNoEvidenceOfAClusterThatWasTakenAwayMeanwhile) {
  start({"a"});
  const auto send = [this] { return exchange_.server_sends(); };
  widen({"a", "b"});
  send();
  widen({"a"});
  send();
  widen({"a", "b"});
  send();
  exchange_.client_receives();
  exchange_.client_receives();
  exchange_.run();
  expect_done();
}

TEST_P(Sequencing, SwitchingLazyOffRefusesNoRequest) {
  start({"a"});
  exchange_.served = {"a", "b", "c", "d"};
  set_mode("disabled");
  exchange_.run();
  expect_done();
}

TEST_P(Sequencing, SwitchingLazyOnRefusesNoRequest) {
  set_mode("disabled");
  start({"a"});
  exchange_.served = {"a", "b", "c", "d"};
  set_mode("enabled");
  exchange_.run();
  expect_done();
}

TEST_P(Sequencing, LazyIsSwitchedOffForGoodAfterTheDeadline) {
  start({"a"});
  exchange_.envoy.refuses = {World::cluster("b")};
  set_mode("disabled");
  exchange_.run();
  EXPECT_THAT(exchange_.envoy.routes(), Not(HasSubstr("block_all")));
  exchange_.wait(2500ms);
  exchange_.run();
  EXPECT_THAT(exchange_.envoy.routes(), HasSubstr("block_all"));
  EXPECT_EQ(exchange_.envoy.routes(), exchange_.expected_routes());
  EXPECT_EQ(exchange_.contradiction(), "");
}

// Of the service, to be merged into its cluster: `health_checks` too if there is to be any.
std::string cluster_of_user(unsigned max_ejection_percent, bool checked = false) {
  envoy::config::cluster::v3::Cluster cluster;
  cluster.mutable_outlier_detection()->mutable_max_ejection_percent()->set_value(
      max_ejection_percent);
  if (checked) cluster.add_health_checks()->mutable_tcp_health_check();
  return cluster.SerializeAsString();
}

std::string routes_of_user(const std::string& pattern) {
  envoy::config::route::v3::RouteConfiguration routes;
  auto& host = *routes.add_virtual_hosts();
  host.set_name("user");
  host.add_domains("*");
  auto& route = *host.add_routes();
  route.mutable_match()->mutable_safe_regex()->set_regex(pattern);
  route.mutable_direct_response()->set_status(204);
  return routes.SerializeAsString();
}

TEST_P(Sequencing, AnInvalidClusterTakesNoOtherWithIt) {
  for (const bool named : {true, false}) {
    for (const bool reconnects : {false, true}) {
      Exchange exchange(GetParam());
      exchange.envoy.names_the_invalid = named;
      for (const auto* name : {"a", "b", "c"}) exchange.world.service(name);
      exchange.world.change("b").cluster = cluster_of_user(200);
      exchange.scope = {"a", "b"};
      exchange.registry_changed();
      exchange.run();
      if (reconnects) {
        exchange.reconnect(true);
        exchange.run();
      }
      exchange.scope = {"a", "b", "c"};
      exchange.scope_changed();
      exchange.run();
      exchange.wait(2500ms);
      exchange.run();
      EXPECT_EQ(exchange.contradiction(), "");
      EXPECT_THAT(exchange.sequencer().pending(), ElementsAre(World::host("b")));
      EXPECT_THAT(exchange.sequencer().refusal(kCds), HasSubstr("constraint"));
      EXPECT_THAT(exchange.envoy.routes(), HasSubstr(World::host("a")));
      EXPECT_THAT(exchange.envoy.routes(), HasSubstr(World::host("c")));

      exchange.world.change("b").cluster = cluster_of_user(20);
      exchange.registry_changed();
      exchange.run();
      EXPECT_EQ(exchange.contradiction(), "");
      EXPECT_EQ(exchange.envoy.routes(), exchange.expected_routes());
      EXPECT_THAT(exchange.sequencer().pending(), IsEmpty());
      EXPECT_EQ(exchange.sequencer().refusal(kCds), "");
    }
  }
}

TEST_P(Sequencing, AClusterThatBecomesInvalidStaysWhatItWas) {
  start({"a", "b"});
  exchange_.world.change("b").cluster = cluster_of_user(200);
  exchange_.scope = {"a", "b", "c"};
  exchange_.registry_changed();
  exchange_.run();
  EXPECT_EQ(exchange_.contradiction(), "");
  EXPECT_EQ(exchange_.envoy.clusters(), exchange_.expected_clusters());
  EXPECT_THAT(exchange_.envoy.routes(), HasSubstr(World::host("b")));
  EXPECT_THAT(exchange_.envoy.routes(), HasSubstr(World::host("c")));
  EXPECT_THAT(exchange_.sequencer().pending(), ElementsAre(World::host("b")));
  // Its endpoints are not held back, nor is it tried again because of them.
  exchange_.forget_sent();
  exchange_.world.change("b").endpoints[0].weight = 7;
  exchange_.registry_changed();
  exchange_.run();
  EXPECT_THAT(exchange_.sent(), ElementsAre(kEds));
}

TEST_P(Sequencing, RefusedRoutesKeepBackNoOthers) {
  start({"a", "b"});
  exchange_.world.change("b").routes = routes_of_user("(");
  exchange_.registry_changed();
  exchange_.run();
  widen({"a", "b", "c"});
  exchange_.run();
  EXPECT_EQ(exchange_.contradiction(), "");
  EXPECT_THAT(exchange_.envoy.routes(), HasSubstr(World::host("b")));
  EXPECT_THAT(exchange_.envoy.routes(), HasSubstr(World::host("c")));
  EXPECT_THAT(exchange_.sequencer().pending(), ElementsAre(World::host("b")));
  EXPECT_THAT(exchange_.sequencer().refusal(kRds), HasSubstr("missing )"));
  exchange_.world.change("b").routes = routes_of_user("()");
  exchange_.registry_changed();
  exchange_.run();
  expect_done();
}

TEST_P(Sequencing, ANewClientThatRefusesRoutesIsRoutedToTheOthers) {
  exchange_.world.change("b").routes = routes_of_user("(");
  exchange_.scope = {"a", "b"};
  exchange_.registry_changed();
  exchange_.run();
  EXPECT_EQ(exchange_.contradiction(), "");
  EXPECT_THAT(exchange_.envoy.routes(), HasSubstr(World::host("a")));
  EXPECT_THAT(exchange_.sequencer().pending(), ElementsAre(World::host("b")));
}

TEST_P(Sequencing, EndpointsAreNoEvidenceOfAClusterThatChecksThem) {
  start({"a"});
  exchange_.world.change("b").cluster = cluster_of_user(20, true);
  exchange_.registry_changed();
  widen({"a", "b", "c"});
  exchange_.run();
  EXPECT_EQ(exchange_.contradiction(), "");
  EXPECT_THAT(exchange_.envoy.routes(), HasSubstr(World::host("c")));
  EXPECT_THAT(exchange_.sequencer().pending(), ElementsAre(World::host("b")));
  exchange_.wait(100ms);
  exchange_.run();
  expect_done();
}

TEST_P(Sequencing, AnUnchangedClientThatReconnectsIsSentNothing) {
  for (const bool empty_at_first : {false, true}) {
    for (const bool restarted : {false, true}) {
      Exchange exchange(GetParam());
      for (const auto* name : {"a", "b", "c", "d"}) exchange.world.service(name);
      if (!empty_at_first) exchange.scope = {"a", "b"};
      exchange.registry_changed();
      exchange.run();
      exchange.scope = {"a", "b"};
      exchange.scope_changed();
      exchange.run();
      const auto received = exchange.envoy.received_resources();
      exchange.reconnect(restarted);
      while (exchange.server_receives()) {
        while (exchange.server_sends()) {
        }
      }
      exchange.run();
      exchange.wait(2500ms);
      exchange.run();
      EXPECT_EQ(exchange.envoy.received_resources(), received) << empty_at_first << restarted;
      EXPECT_EQ(exchange.contradiction(), "");
    }
  }
}

TEST_P(Sequencing, ANackCutShortAfterAReconnectHoldsUpOnlyUntilTheDeadline) {
  start({"a"});
  exchange_.envoy.refuses = {World::cluster("b")};
  exchange_.envoy.cuts_errors_short = true;
  exchange_.scope = {"a", "b", "c"};
  exchange_.reconnect(true);
  exchange_.run();
  exchange_.wait(2500ms);
  exchange_.run();
  EXPECT_EQ(exchange_.contradiction(), "");
  EXPECT_THAT(exchange_.sequencer().pending(), ElementsAre(World::host("b")));
  EXPECT_THAT(exchange_.envoy.routes(), HasSubstr(World::host("c")));
}

// What a client that reconnects asks endpoints for is what it had, not what it is sent meanwhile.
TEST_P(Sequencing, AnAskForEndpointsThatComesLateClaimsNoClusters) {
  exchange_.scope = {"a", "b"};
  exchange_.registry_changed();
  exchange_.server_receives();
  exchange_.server_sends();
  exchange_.client_receives();
  widen({"a"});
  exchange_.envoy.refuses = {World::cluster("b")};
  exchange_.reconnect(false);
  exchange_.wait(2500ms);
  exchange_.server_receives();
  exchange_.server_sends();
  exchange_.world.change("b").cluster = cluster_of_user(20);
  exchange_.registry_changed();
  widen({"a", "b"});
  exchange_.run();
  EXPECT_EQ(exchange_.contradiction(), "");
  EXPECT_THAT(exchange_.sequencer().pending(), ElementsAre(World::host("b")));
}

// Some of its clusters still warm, so that its request for clusters comes after that for endpoints.
TEST_P(Sequencing, AnAskForEndpointsThatComesFirstClaimsClusters) {
  exchange_.registry_changed();
  exchange_.server_receives();
  exchange_.server_sends();
  exchange_.client_receives();
  set_mode("disabled");
  exchange_.envoy.refuses = {World::cluster("b")};
  exchange_.server_sends();
  exchange_.client_receives();
  // Refused in part, that took the egress away, and yet the client names the version before.
  set_mode("enabled");
  exchange_.reconnect(true);
  exchange_.run();
  EXPECT_EQ(exchange_.contradiction(), "");
}

// The client's refusal waits while another cluster warms, its answer to endpoints does not.
TEST_P(Sequencing, EndpointsAreNoEvidenceOfAClusterThatTheClientAsksNoneFor) {
  start({"a"});
  const auto send = [this] { return exchange_.server_sends(); };
  widen({"a", "b"});
  send();
  exchange_.client_receives();
  widen({"a"});
  send();
  exchange_.envoy.refuses = {World::cluster("b")};
  exchange_.world.change("b").cluster = cluster_of_user(20);
  exchange_.registry_changed();
  widen({"a", "b", "c"});
  exchange_.run();
  EXPECT_EQ(exchange_.contradiction(), "");
  EXPECT_THAT(exchange_.sequencer().pending(), ElementsAre(World::host("b")));
}

}  // namespace
}  // namespace lazymesh::publish::xds
