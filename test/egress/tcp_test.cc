#include <future>
#include <memory>
#include <thread>

#include <gmock/gmock.h>

#include "base/clock.h"
#include "test/egress/egress_fixture.h"

namespace lazymesh::test {
namespace {

using als::AccessLogEntry;

class EgressTcp : public EgressTest {
 protected:
  const SocketAddress vip_ = address("10.96.0.7:3306");
  void serve(const Upstream& upstream) {
    on_demand_.know_address(vip_, destination("db", 3306, {upstream.address()}));
  }
};

TEST_F(EgressTcp, CarriesBytesByTheOriginalDestination) {
  const Upstream upstream([](Peer& peer) {
    EXPECT_EQ(peer.read_exactly(5), std::string("\x16\x03\x01\x00\x05", 5));
    peer.send("hello");
    EXPECT_EQ(peer.read_all(), "");
  });
  serve(upstream);
  start();
  Peer peer = connect(vip_);
  peer.send(std::string("\x16\x03\x01\x00\x05", 5));
  EXPECT_EQ(peer.read_exactly(5), "hello");
  const auto ready = log_.wait(AccessLogEntry::Moment::kUpstreamReady, 1);
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_FALSE(ready[0].http);
  EXPECT_EQ(ready[0].upstream_cluster, "outbound|3306||db");
  EXPECT_EQ(ready[0].downstream_local_address, vip_);
  peer.close();
  const auto end = log_.wait(AccessLogEntry::Moment::kEnd, 1);
  ASSERT_EQ(end.size(), 1U);
  EXPECT_EQ(end[0].request_bytes, 5U);
  EXPECT_EQ(end[0].response_bytes, 5U);
  const auto asked = on_demand_.asked();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].host, "");
  EXPECT_EQ(asked[0].address, vip_.ip);
  EXPECT_EQ(asked[0].port, vip_.port);
}

TEST_F(EgressTcp, AServerMaySpeakFirst) {
  const Upstream upstream([](Peer& peer) {
    peer.send("220 ready\r\n");
    EXPECT_EQ(peer.read_until("\r\n"), "EHLO me\r\n");
    peer.send("250 ok\r\n");
  });
  serve(upstream);
  start();
  Peer peer = connect(vip_);
  EXPECT_EQ(peer.read_until("\r\n"), "220 ready\r\n");
  peer.send("EHLO me\r\n");
  EXPECT_EQ(peer.read_until("\r\n"), "250 ok\r\n");
}

TEST_F(EgressTcp, WhatOneSideHasClosedStaysOpenTheOtherWay) {
  const Upstream upstream([](Peer& peer) {
    EXPECT_EQ(peer.read_all(), "*question");
    peer.send("answer");
  });
  serve(upstream);
  start();
  Peer peer = connect(vip_);
  peer.send("*question");
  peer.shutdown_send();
  EXPECT_EQ(peer.read_all(), "answer");
}

TEST_F(EgressTcp, AClientThatBreaksAfterItsGoodbyeEndsTheConnection) {
  std::promise<void> asked;
  std::promise<void> over;
  const Upstream upstream([&](Peer& peer) {
    EXPECT_EQ(peer.read_all(), "*question");
    asked.set_value();
    over.get_future().wait_for(std::chrono::seconds(10));  // and no answer
  });
  serve(upstream);
  start();
  Peer peer = connect(vip_);
  peer.send("*question");
  peer.shutdown_send();
  asked.get_future().wait();
  peer.reset();
  const auto end = log_.wait(AccessLogEntry::Moment::kEnd, 1);
  over.set_value();
  ASSERT_EQ(end.size(), 1U);
  EXPECT_EQ(end[0].response_flag, "DC");
}

TEST_F(EgressTcp, Http2IsCarriedAsBytes) {
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const Upstream upstream([&](Peer& peer) { peer.send(peer.read_exactly(preface.size())); });
  serve(upstream);
  start();
  Peer peer = connect(vip_);
  peer.send(preface);
  EXPECT_EQ(peer.read_all(), preface);
}

TEST_F(EgressTcp, BulkFlowsBothWaysAtOnce) {
  static constexpr std::size_t kSize = 32 * 1024 * 1024;
  const Upstream upstream([](Peer& peer) {
    std::thread sender([&peer] { peer.send(std::string(kSize, 'd')); });
    std::size_t got = 0;
    while (got < kSize) {
      const auto some = peer.read_exactly(1024 * 1024).size();
      if (some == 0) break;
      got += some;
    }
    EXPECT_EQ(got, kSize);
    sender.join();
  });
  serve(upstream);
  start();
  Peer peer = connect(vip_);
  std::thread sender([&peer] { peer.send(std::string(kSize, '*')); });
  EXPECT_EQ(peer.read_exactly(kSize), std::string(kSize, 'd'));
  sender.join();
}

TEST_F(EgressTcp, AnUnknownAddressIsClosed) {
  start();
  Peer peer = connect(vip_);
  peer.send("*bytes");
  EXPECT_TRUE(peer.closed());
  const auto end = log_.wait(AccessLogEntry::Moment::kEnd, 1);
  ASSERT_EQ(end.size(), 1U);
  EXPECT_EQ(end[0].response_flag, "NR");
}

TEST_F(EgressTcp, AnUnknownCallerIsClosed) {
  const Upstream upstream([](Peer&) {});
  serve(upstream);
  on_demand_.know_no_caller("nobody");
  start();
  Peer peer = connect(vip_);
  peer.send("*bytes");
  EXPECT_TRUE(peer.closed());
  EXPECT_EQ(upstream.connections(), 0);
}

TEST_F(EgressTcp, AnotherEndpointIsTriedBeforeGivingUp) {
  const Upstream upstream([](Peer& peer) { peer.send("hello"); });
  const DeadAddress dead;
  on_demand_.know_address(vip_, destination("db", 3306, {dead.address(), upstream.address()}));
  start();
  for (int i = 0; i < 10; ++i) {
    Peer peer = connect(vip_);
    peer.send("*");
    EXPECT_EQ(peer.read_exactly(5), "hello");
  }
}

TEST_F(EgressTcp, TheOnlyEndpointIsTriedOnce) {
  const DeadAddress dead;
  on_demand_.know_address(vip_, destination("db", 3306, {dead.address()}));
  start();
  Peer peer = connect(vip_);
  peer.send("*");
  EXPECT_TRUE(peer.closed());
  const auto end = log_.wait(AccessLogEntry::Moment::kEnd, 1);
  ASSERT_EQ(end.size(), 1U);
  EXPECT_EQ(end[0].response_flag, "UF");
  EXPECT_EQ(metric("lazymesh_egress_upstream_connections_total{result=\"failed\"}"), 1);
}

TEST_F(EgressTcp, LoopbackIsNeverPassedThroughTo) {
  const Upstream upstream([](Peer&) {});
  auto through = std::make_shared<egress::Destination>(*destination("any", 80, {}));
  through->discovery = egress::Discovery::kOriginalDestination;
  on_demand_.know_address(upstream.address(), through);
  start();
  Peer peer = connect(upstream.address());
  peer.send("*bytes");
  EXPECT_TRUE(peer.closed());
  EXPECT_EQ(upstream.connections(), 0);
  EXPECT_EQ(metric("lazymesh_egress_destinations_refused_total"), 1);
}

class EgressConnections : public EgressTest {};

TEST_F(EgressConnections, WithoutAProxyHeaderAreClosed) {
  start();
  Peer peer = Peer::connect(listen());
  peer.send(request("a"));
  EXPECT_TRUE(peer.closed());
  EXPECT_EQ(metric("lazymesh_egress_connections_refused_total{reason=\"proxy_header\"}"), 1);
}

TEST_F(EgressConnections, ThatStaySilentAreClosed) {
  config_.limits.proxy_header_time = std::chrono::milliseconds(30);
  start();
  Peer peer = Peer::connect(listen());
  EXPECT_TRUE(peer.closed());
}

TEST_F(EgressConnections, AboveTheLimitAreClosed) {
  config_.limits.connections = 1;
  start();
  Peer first = connect();
  first.send(request("nowhere"));
  EXPECT_EQ(first.read_response().status, 502U);
  Peer second = Peer::connect(listen());
  EXPECT_TRUE(second.closed());
  EXPECT_EQ(metric("lazymesh_egress_connections_refused_total{reason=\"limit\"}"), 1);
}

TEST_F(EgressConnections, AreSpreadOverTheLoops) {
  config_.threads = 4;
  const Upstream upstream(http_server([](const auto&, const auto&) { return ok("fine"); }));
  on_demand_.know_host("a", destination("a", 80, {upstream.address()}));
  start();
  for (int i = 0; i < 64; ++i) EXPECT_EQ(get("a").body, "fine");
  EXPECT_GT(on_demand_.watches("a"), 1);  // once a loop that got a connection
  EXPECT_LE(on_demand_.watches("a"), 4);
}

TEST_F(EgressConnections, ASecondCopyOnThePortIsRefused) {
  config_.threads = 2;
  start();
  auto config = config_;
  config.listen = listen();
  prometheus::Registry metrics;
  Readiness readiness;
  egress::Edges edges{system_clock(),
                      readiness,
                      metrics,
                      std::make_unique<FakeOnDemand>(),
                      std::make_unique<FakeSender>(),
                      {}};
  const auto second = egress::Egress::build(config, std::move(edges));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_THAT(second.error().message, ::testing::HasSubstr(listen().to_string()));
}

class EgressDrain : public EgressTest {
 protected:
  EgressDrain() { config_.drain = std::chrono::seconds(8); }
};

TEST_F(EgressDrain, FinishesWhatIsUnderWayAndSaysGoodbye) {
  std::promise<void> asked;
  std::promise<void> answer;
  const Upstream upstream([&](Peer& peer) {
    peer.read_until("\r\n\r\n");
    asked.set_value();
    answer.get_future().wait();
    peer.send(ok("late"));
    peer.read_all();
  });
  on_demand_.know_host("a", destination("a", 80, {upstream.address()}));
  start();
  const auto listened = listen();
  Peer peer = connect();
  peer.send(request("a"));
  asked.get_future().wait();
  egress_->stop();
  ASSERT_TRUE(eventually([&] { return !readiness_.ready(); }));
  answer.set_value();
  const auto response = peer.read_response();
  EXPECT_EQ(response.body, "late");
  EXPECT_EQ(response.header("Connection"), "close");
  EXPECT_TRUE(peer.closed());
  thread_.join();
  EXPECT_FALSE(Peer::connect(listened).send("x"));
}

TEST_F(EgressDrain, IdleConnectionsDoNotHoldItUp) {
  start();
  Peer peer = connect();
  peer.send(request("nowhere"));
  EXPECT_EQ(peer.read_response().status, 502U);
  const auto before = system_clock().steady();
  stop();
  EXPECT_LT(system_clock().steady() - before, std::chrono::seconds(4));
  EXPECT_TRUE(peer.closed());
}

TEST_F(EgressDrain, CutsWhatIsLeftAtItsEnd) {
  config_.drain = std::chrono::milliseconds(50);
  const Upstream upstream([](Peer& peer) { peer.read_all(); });
  on_demand_.know_host("a", destination("a", 80, {upstream.address()}));
  on_demand_.know_address(address("10.96.0.5:81"), destination("b", 81, {upstream.address()}));
  start();
  Peer http = connect();
  http.send(request("a"));
  Peer tcp = connect(address("10.96.0.5:81"));
  tcp.send("*bytes");
  Peer silent = Peer::connect(listen());
  log_.wait(als::AccessLogEntry::Moment::kUpstreamReady, 2);
  stop();
  EXPECT_TRUE(http.closed());
  EXPECT_TRUE(tcp.closed());
  EXPECT_TRUE(silent.closed());
  const auto ends = log_.wait(als::AccessLogEntry::Moment::kEnd, 2);
  ASSERT_EQ(ends.size(), 2U);
  for (const auto& end : ends) EXPECT_EQ(end.response_flag, "LR");
}

}  // namespace
}  // namespace lazymesh::test
