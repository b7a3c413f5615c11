#include "egress/deadline_wheel.h"

#include <functional>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

namespace lazymesh::egress {
namespace {

using namespace std::chrono_literals;

struct Probe final : Deadline {
  using Deadline::Deadline;
  void expired() override {
    ++fired;
    if (then) then();
  }
  int fired = 0;
  std::function<void()> then;
};

/// A wheel whose owner advances it exactly at the times that it asks for.
class DeadlineWheelTest : public ::testing::Test {
 protected:
  void run_until(SteadyTime time) {
    while (asked_ <= time) {
      wheel_.advance(std::exchange(asked_, SteadyTime::max()));
      ++advances_;
    }
  }

  SteadyTime start_{std::chrono::hours(100)};
  SteadyTime asked_ = SteadyTime::max();
  int advances_ = 0;
  DeadlineWheel wheel_{start_, [this](SteadyTime time) { asked_ = time; }};
};

TEST_F(DeadlineWheelTest, FiresInTimeAndNeverEarly) {
  auto now = start_;
  for (const auto after : {1ms, 9ms, 10ms, 11ms, 50ms, 999ms, 10'000ms, 10'235ms, 70'001ms}) {
    Probe probe(wheel_);
    probe.set(now + after);
    run_until(now + after - 1ms);
    EXPECT_EQ(probe.fired, 0) << after.count();
    now += after + DeadlineWheel::kSlot;
    run_until(now);
    EXPECT_EQ(probe.fired, 1) << after.count();
  }
}

TEST_F(DeadlineWheelTest, MovingLaterCostsNothingUntilItIsLookedAt) {
  Probe probe(wheel_);
  probe.set(start_ + 100ms);
  for (int i = 0; i < 1000; ++i) probe.set(start_ + 200ms);
  run_until(start_ + 190ms);
  EXPECT_EQ(probe.fired, 0);
  run_until(start_ + 210ms);
  EXPECT_EQ(probe.fired, 1);
  EXPECT_EQ(advances_, 2);
}

TEST_F(DeadlineWheelTest, MovingEarlierTakesEffect) {
  Probe probe(wheel_);
  probe.set(start_ + 1h);
  probe.set(start_ + 20ms);
  run_until(start_ + 30ms);
  EXPECT_EQ(probe.fired, 1);
  EXPECT_FALSE(probe.is_set());
}

TEST_F(DeadlineWheelTest, ClearedNeverFires) {
  Probe probe(wheel_);
  probe.set(start_ + 20ms);
  probe.clear();
  run_until(start_ + 1h);
  EXPECT_EQ(probe.fired, 0);
  EXPECT_EQ(asked_, SteadyTime::max());  // an empty wheel asks for nothing
}

TEST_F(DeadlineWheelTest, OneThatFiresMayDestroyOthersOfItsSlot) {
  auto second = std::make_unique<Probe>(wheel_);
  auto third = std::make_unique<Probe>(wheel_);
  Probe first(wheel_);
  for (auto* each : {second.get(), third.get(), &first}) each->set(start_ + 20ms);
  first.then = [&] {
    second.reset();
    third.reset();
  };
  run_until(start_ + 1s);
  EXPECT_EQ(first.fired, 1);
}

TEST_F(DeadlineWheelTest, OneThatFiresMaySetItselfAgain) {
  Probe probe(wheel_);
  probe.then = [&] {
    if (probe.fired < 3) probe.set(start_ + 20ms * (probe.fired + 1));
  };
  probe.set(start_ + 20ms);
  run_until(start_ + 1s);
  EXPECT_EQ(probe.fired, 3);
}

TEST_F(DeadlineWheelTest, ALongSleepLosesNothing) {
  Probe near(wheel_);
  Probe far(wheel_);
  near.set(start_ + 20ms);
  far.set(start_ + 2h);
  wheel_.advance(start_ + 1h);
  EXPECT_EQ(near.fired, 1);
  EXPECT_EQ(far.fired, 0);
  wheel_.advance(start_ + 3h);
  EXPECT_EQ(far.fired, 1);
}

}  // namespace
}  // namespace lazymesh::egress
