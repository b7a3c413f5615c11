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

}  // namespace
}  // namespace lazymesh::publish::xds
