#include <functional>
#include <map>

#include <gmock/gmock.h>

#include "egress/directory.h"
#include "egress/downstream.h"
#include "egress/first_uses.h"
#include "egress/own_addresses.h"
#include "test/egress/fakes.h"
#include "test/egress/sockets.h"
#include "test/support/manual_clock.h"

namespace lazymesh::egress {
namespace {

using test::address;
using test::destination;

/// What a loop knows, with the on-demand client's answers delivered when run_posted() says so.
class DirectoryTest : public ::testing::Test {
 protected:
  struct Waiter final : ReadyListener {
    void on_ready() override {
      ++woken;
      if (then) then();
    }
    int woken = 0;
    std::function<void()> then;
  };

  DirectoryTest() {
    directory_.attach(
        on_demand_, [this](std::function<void()> action) { posted_.push_back(std::move(action)); });
  }
  void run_posted() {
    while (!posted_.empty()) {
      auto actions = std::exchange(posted_, {});
      for (const auto& action : actions) action();
    }
  }
  DestinationEntryPtr look_up(const std::string& host) {
    return directory_.destination({"shop", host, {}, 80});
  }

  Limits limits_;
  test::ManualClock clock_;
  DeadlineWheel wheel_{clock_.steady(), [](SteadyTime) {}};
  LoopStats stats_;
  Upstreams upstreams_{limits_, clock_, wheel_, stats_};
  test::FakeOnDemand on_demand_;
  Directory directory_{limits_, upstreams_, stats_};
  std::vector<std::function<void()>> posted_;
};

TEST_F(DirectoryTest, AsksOnceHoweverManyWait) {
  on_demand_.know_host("a", destination("a", 80, {address("10.0.0.1:80")}));
  std::vector<Waiter> waiters(200);
  for (auto& waiter : waiters) {
    const auto entry = look_up("a");
    ASSERT_FALSE(entry->answer);
    ASSERT_TRUE(directory_.wait(*entry, waiter));
  }
  run_posted();
  EXPECT_EQ(on_demand_.watches("a"), 1);
  for (const auto& waiter : waiters) EXPECT_EQ(waiter.woken, 1);
  EXPECT_TRUE(look_up("a")->answer->has_value());
}

TEST_F(DirectoryTest, RemembersThatAHostIsUnknown) {
  look_up("a");
  run_posted();
  const auto entry = look_up("a");
  ASSERT_TRUE(entry->answer);
  EXPECT_EQ(entry->answer->error().code, Code::kNotFound);
  EXPECT_EQ(on_demand_.watches("a"), 1);
}

TEST_F(DirectoryTest, DoesNotRememberThatTheControllerWasAway) {
  on_demand_.fail_host("a", Error{Code::kUnavailable, "gone"});
  const auto first = look_up("a");
  run_posted();
  ASSERT_TRUE(first->answer);  // for those who waited
  EXPECT_TRUE(first->stale);
  look_up("a");
  EXPECT_EQ(on_demand_.watches("a"), 2);
}

TEST_F(DirectoryTest, WhatIsKnownOutlivesTheController) {
  on_demand_.know_host("a", destination("a", 80, {address("10.0.0.1:80")}));
  look_up("a");
  run_posted();
  OnDemand::Observer& observer = directory_;
  observer.on_destination({"shop", "a", {}, 80}, fail(Code::kUnavailable, "gone"));
  EXPECT_TRUE(look_up("a")->answer->has_value());
}

TEST_F(DirectoryTest, AHostThatWasUnknownIsAskedForAnewAfterAFailure) {
  look_up("a");
  run_posted();
  ASSERT_TRUE(look_up("a")->answer);  // there is no such host
  OnDemand::Observer& observer = directory_;
  // It came to be, but its configuration did not arrive: the client has let go of it.
  observer.on_destination({"shop", "a", {}, 80}, fail(Code::kDeadlineExceeded, "no cluster"));
  on_demand_.know_host("a", destination("a", 80, {address("10.0.0.1:80")}));
  const auto entry = look_up("a");
  run_posted();
  EXPECT_EQ(on_demand_.watches("a"), 2);
  ASSERT_TRUE(entry->answer);
  EXPECT_TRUE(entry->answer->has_value());
}

TEST_F(DirectoryTest, AnUpdateReplacesTheAnswer) {
  on_demand_.know_host("a", destination("a", 80, {address("10.0.0.1:80")}));
  const auto entry = look_up("a");
  run_posted();
  on_demand_.update_host("a", destination("a", 80, {address("10.0.0.2:80")}));
  run_posted();
  Random random(1);
  EXPECT_EQ((**entry->answer)->cluster->pick(random, {})->address(), address("10.0.0.2:80"));
}

TEST_F(DirectoryTest, ForgettingWakesThoseWhoWaitToAskAnew) {
  const auto entry = look_up("a");
  Waiter waiter;
  ASSERT_TRUE(directory_.wait(*entry, waiter));
  OnDemand::Observer& observer = directory_;
  observer.on_forget_destination({"shop", "a", {}, 80});
  EXPECT_EQ(waiter.woken, 1);
  EXPECT_TRUE(entry->stale);
  look_up("a");
  EXPECT_EQ(on_demand_.watches("a"), 2);
}

TEST_F(DirectoryTest, AWaiterMayMakeAnotherStopWaiting) {
  const auto entry = look_up("a");
  Waiter first;
  Waiter second;
  first.then = [&] { directory_.stop_waiting(*entry, second); };
  directory_.wait(*entry, first);
  directory_.wait(*entry, second);
  run_posted();
  EXPECT_EQ(first.woken, 1);
  EXPECT_EQ(second.woken, 0);
}

TEST_F(DirectoryTest, BoundsThoseWhoWait) {
  limits_.waiting = 2;
  const auto entry = look_up("a");
  std::vector<Waiter> waiters(3);
  EXPECT_TRUE(directory_.wait(*entry, waiters[0]));
  EXPECT_TRUE(directory_.wait(*entry, waiters[1]));
  EXPECT_FALSE(directory_.wait(*entry, waiters[2]));
  EXPECT_EQ(stats_.waiting_overflow.value(), 1U);
  directory_.stop_waiting(*entry, waiters[0]);
  EXPECT_TRUE(directory_.wait(*entry, waiters[2]));
}

TEST_F(DirectoryTest, ForgetsUnknownHostsFirstWhenItIsFull) {
  limits_.destinations = 2;
  on_demand_.know_host("a", destination("a", 80, {address("10.0.0.1:80")}));
  on_demand_.know_host("c", destination("c", 80, {address("10.0.0.1:80")}));
  look_up("a");
  look_up("b");
  run_posted();
  EXPECT_TRUE(look_up("c"));
  run_posted();
  EXPECT_FALSE(look_up("d"));
  EXPECT_TRUE(look_up("a"));
}

TEST_F(DirectoryTest, KeysOfDifferentNamespacesDiffer) {
  directory_.destination({"shop", "a", {}, 80});
  directory_.destination({"other", "a", {}, 80});
  directory_.destination({"shop", "a", {}, 81});
  EXPECT_EQ(on_demand_.watches("a"), 3);
}

TEST_F(DirectoryTest, AUseIsToldAtMostOnceASecond) {
  const auto last_used = std::make_shared<std::atomic<std::int64_t>>(0);
  std::int64_t written = 0;
  Directory::touch(last_used, written, SteadyTime(std::chrono::seconds(5)));
  EXPECT_EQ(last_used->load(), 5);
  last_used->store(0);
  Directory::touch(last_used, written, SteadyTime(std::chrono::milliseconds(5900)));
  EXPECT_EQ(last_used->load(), 0);
  Directory::touch(last_used, written, SteadyTime(std::chrono::seconds(6)));
  EXPECT_EQ(last_used->load(), 6);
}

TEST(OriginalDestination, IsNeverTheMachineNorAMetadataService) {
  for (const auto* bad : {"127.0.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.1", "100.100.100.200",
                          "168.63.129.16", "::1", "::", "fe80::1", "ff02::1", "fd00:ec2::254"}) {
    EXPECT_TRUE(is_forbidden_original_destination(*IpAddress::parse(bad))) << bad;
  }
  for (const auto* good : {"10.0.0.1", "100.100.100.201", "fd00:ec2::1"}) {
    EXPECT_FALSE(is_forbidden_original_destination(*IpAddress::parse(good))) << good;
  }
}

TEST(CallerKey, IsTheDestinationForALocalPeerOnly) {
  const auto local = address("127.0.0.1:1").ip;
  const auto bound = address("127.3.0.1:1").ip;
  const auto far = address("10.1.0.1:1").ip;
  EXPECT_EQ(caller_key(local, local, bound).bound, bound);
  EXPECT_EQ(caller_key(local, local, far).bound, IpAddress{});
  EXPECT_EQ(caller_key(far, local, bound).bound, IpAddress{});
}

class ClusterTest : public DirectoryTest {
 protected:
  Cluster cluster(std::vector<UpstreamEndpoint> endpoints) {
    auto snapshot = std::make_shared<UpstreamCluster>();
    snapshot->name = "c";
    snapshot->endpoints = std::move(endpoints);
    return Cluster(snapshot, upstreams_);
  }
  Random random_{7};
};

TEST_F(ClusterTest, HasNothingToPickFromNothing) {
  EXPECT_EQ(cluster({}).pick(random_, {}), nullptr);
}

TEST_F(ClusterTest, DrawsByWeight) {
  const auto c = cluster({{address("10.0.0.1:80"), 1}, {address("10.0.0.2:80"), 3}});
  std::map<SocketAddress, int> picked;
  for (int i = 0; i < 4000; ++i) ++picked[c.pick(random_, {})->address()];
  // Of two draws the one of less load per weight: the heavy one unless both drew the light one.
  EXPECT_GT(picked[address("10.0.0.2:80")], 3500);
  EXPECT_GT(picked[address("10.0.0.1:80")], 100);
}

TEST_F(ClusterTest, PrefersTheLessBusy) {
  const auto c = cluster({{address("10.0.0.1:80"), 1}, {address("10.0.0.2:80"), 1}});
  const InFlight busy(upstreams_.endpoint("c", address("10.0.0.1:80")));
  int idle = 0;
  for (int i = 0; i < 1000; ++i) idle += c.pick(random_, {})->address() == address("10.0.0.2:80");
  EXPECT_GT(idle, 700);
}

TEST_F(ClusterTest, ARetryGoesElsewhereWhileThereIsElsewhere) {
  const auto c = cluster({{address("10.0.0.1:80"), 1}, {address("10.0.0.2:80"), 1000}});
  const std::vector<EndpointPtr> tried{upstreams_.endpoint("c", address("10.0.0.2:80"))};
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(c.pick(random_, tried)->address(), address("10.0.0.1:80"));
  }
  auto all = tried;
  all.push_back(upstreams_.endpoint("c", address("10.0.0.1:80")));
  EXPECT_NE(c.pick(random_, all), nullptr);
}

TEST_F(ClusterTest, SnapshotsShareTheLoadOfAnAddress) {
  const auto before = cluster({{address("10.0.0.1:80"), 1}});
  const InFlight busy(before.pick(random_, {}));
  const auto after = cluster({{address("10.0.0.1:80"), 1}});
  EXPECT_EQ(after.pick(random_, {})->in_flight(), 1U);
}

TEST(FirstUses, SaysSoOnceUntilItHasForgotten) {
  FirstUses uses(4);
  EXPECT_TRUE(uses.insert(1));
  EXPECT_FALSE(uses.insert(1));
  EXPECT_TRUE(uses.insert(2));
  EXPECT_TRUE(uses.insert(3));
  EXPECT_FALSE(uses.insert(1));  // of the older half still
  for (std::uint64_t other = 10; other < 20; ++other) uses.insert(other);
  EXPECT_TRUE(uses.insert(1));
}

}  // namespace
}  // namespace lazymesh::egress
