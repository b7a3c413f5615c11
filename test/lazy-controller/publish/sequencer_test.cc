#include "lazy-controller/publish/xds/sequencer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace lazymesh::publish::xds
