#include "base/readiness.h"

#include <atomic>
#include <optional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lazymesh {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Readiness, IsReadyWithoutReasons) {
  const Readiness readiness;
  EXPECT_TRUE(readiness.ready());
  EXPECT_THAT(readiness.blockers(), IsEmpty());
  EXPECT_THAT(readiness.warnings(), IsEmpty());
}

TEST(Readiness, IsBlockedForAsLongAsAToken) {
  Readiness readiness;
  {
    const auto first = readiness.block("first");
    auto second = readiness.block("second");
    EXPECT_THAT(readiness.blockers(), ElementsAre("first", "second"));
    second.clear();
    second.clear();
    EXPECT_THAT(readiness.blockers(), ElementsAre("first"));
    EXPECT_FALSE(readiness.ready());
  }
  EXPECT_TRUE(readiness.ready());
}

TEST(Readiness, AWarningDoesNotBlock) {
  Readiness readiness;
  const auto token = readiness.warn("degraded");
  EXPECT_TRUE(readiness.ready());
  EXPECT_THAT(readiness.warnings(), ElementsAre("degraded"));
}

TEST(Readiness, AnAssignedTokenReplacesItsReason) {
  Readiness readiness;
  auto token = readiness.block("loading");
  token = readiness.warn("broken");
  EXPECT_THAT(readiness.blockers(), IsEmpty());
  EXPECT_THAT(readiness.warnings(), ElementsAre("broken"));
  token = {};
  EXPECT_THAT(readiness.warnings(), IsEmpty());
}

TEST(Readiness, AMovedTokenKeepsItsReason) {
  Readiness readiness;
  auto token = readiness.block("loading");
  std::optional<Readiness::Token> kept(std::move(token));
  EXPECT_THAT(readiness.blockers(), ElementsAre("loading"));
  kept.reset();
  EXPECT_TRUE(readiness.ready());
}

TEST(Readiness, ATokenMayOutliveIt) {
  Readiness::Token token;
  {
    Readiness readiness;
    token = readiness.block("loading");
  }
  token.clear();
}

TEST(Readiness, AnyThreadMayUseIt) {
  Readiness readiness;
  std::atomic<bool> done = false;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) const auto token = readiness.block("other");
    done = true;
  });
  while (!done) {
    const auto token = readiness.warn("this");
    EXPECT_LE(readiness.blockers().size(), 1U);
  }
  other.join();
  EXPECT_TRUE(readiness.ready());
}

}  // namespace
}  // namespace lazymesh
