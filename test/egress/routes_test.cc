#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "egress/on_demand/routing.h"
#include "test/egress/egress_fixture.h"

namespace lazymesh::test {
namespace {

using egress::RequestView;
using egress::RouteDecision;
using ::testing::HasSubstr;
using ::testing::Not;

/// Decides as the test says.
class FakeRoutes final : public egress::RouteTable {
 public:
  using Decide = std::function<std::optional<RouteDecision>(const RequestView&)>;
  explicit FakeRoutes(Decide decide) : decide_(std::move(decide)) {}
  std::optional<RouteDecision> match(const RequestView& request, std::uint64_t) const override {
    return decide_(request);
  }
  const std::vector<std::string>& clusters() const override { return clusters_; }

 private:
  Decide decide_;
  std::vector<std::string> clusters_;
};

class EgressRoutes : public EgressTest {
 protected:
  /// Host "a" is routed by `decide`; "outbound|80||other" is one of its clusters.
  void route(const Upstream& upstream, const FakeRoutes::Decide& decide) {
    auto routed =
        std::make_shared<egress::Destination>(*destination("a", 80, {upstream.address()}));
    routed->routes = std::make_shared<FakeRoutes>(decide);
    routed->route_clusters = {destination("other", 80, {other_.address()})->cluster};
    on_demand_.know_host("a", routed);
    start();
  }

  const Upstream upstream_{
      http_server([](const std::string& head, const std::string&) { return ok(head); })};
  const Upstream other_{http_server([](const auto&, const auto&) { return ok("other"); })};
};

TEST_F(EgressRoutes, ChooseTheCluster) {
  route(upstream_, [](const RequestView& request) {
    RouteDecision decision;
    const auto to = request.header("x-to");
    decision.cluster = to == "1,2" && request.path == "/p?q" && request.method == "GET"
                           ? "outbound|80||other"
                           : "outbound|80||a";
    decision.name = "by-header";
    return decision;
  });
  Peer peer = connect();
  peer.send(request("a", "/p?q", "X-To: 1\r\nx-to: 2\r\n"));
  EXPECT_EQ(peer.read_response().body, "other");
  peer.send(request("a", "/p?q"));
  EXPECT_THAT(peer.read_response().body, HasSubstr("GET /p?q"));
  const auto entries = log_.wait(als::AccessLogEntry::Moment::kEnd, 2);
  EXPECT_EQ(entries[0].upstream_cluster, "outbound|80||other");
  EXPECT_EQ(entries[0].route_name, "by-header");
}

TEST_F(EgressRoutes, SeeEachLineOfAHeader) {
  route(upstream_, [](const RequestView& request) {
    std::vector<std::string> values;
    request.each_value("x-to", [&](std::string_view value) { values.emplace_back(value); });
    RouteDecision decision;
    decision.status = values == std::vector<std::string>{"1", "2"} ? 200 : 418;
    return decision;
  });
  Peer peer = connect();
  peer.send(request("a", "/", "X-To: 1\r\nOther: 3\r\nx-to: 2\r\n"));
  EXPECT_EQ(peer.read_response().status, 200U);
}

TEST_F(EgressRoutes, RewriteAndEditHeaders) {
  using Kind = egress::HeaderOperation::Kind;
  route(upstream_, [](const RequestView&) {
    RouteDecision decision;
    decision.cluster = "outbound|80||a";
    decision.path = "/new?x";
    decision.authority = "elsewhere";
    decision.request_headers = {{Kind::kAppend, "X-Added", "1"}, {Kind::kRemove, "x-gone", ""}};
    decision.response_headers = {{Kind::kOverwrite, "X-Back", "2"}};
    return decision;
  });
  Peer peer = connect();
  peer.send(request("a", "/old", "X-Gone: 1\r\nX-Stays: 1\r\n"));
  const auto response = peer.read_response();
  EXPECT_EQ(response.body,
            "GET /new?x HTTP/1.1\r\nHost: elsewhere\r\nX-Stays: 1\r\nX-Added: 1\r\n\r\n");
  EXPECT_EQ(response.header("X-Back"), "2");
}

TEST_F(EgressRoutes, AnswerThemselves) {
  route(upstream_, [](const RequestView& request) {
    RouteDecision decision;
    decision.status = request.path == "/moved" ? 301 : 418;
    if (request.path == "/moved") decision.location = "http://b/";
    if (request.path != "/moved") decision.body = "short and stout";
    return decision;
  });
  Peer peer = connect();
  peer.send(request("a", "/moved"));
  const auto moved = peer.read_response();
  EXPECT_EQ(moved.status, 301U);
  EXPECT_EQ(moved.header("Location"), "http://b/");
  EXPECT_EQ(moved.body, "");
  peer.send("POST /tea HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(peer.read_response().body, "short and stout");
  peer.send(request("a", "/moved"));  // the body was taken off the connection
  EXPECT_EQ(peer.read_response().status, 301U);
  EXPECT_EQ(upstream_.connections(), 0);
}

TEST_F(EgressRoutes, EditTheHeadersOfTheirOwnAnswers) {
  using Kind = egress::HeaderOperation::Kind;
  route(upstream_, [](const RequestView&) {
    RouteDecision decision;
    decision.status = 200;
    decision.body = "{}";
    decision.response_headers = {{Kind::kOverwrite, "content-type", "application/json"},
                                 {Kind::kAppend, "Content-Length", "7"},
                                 {Kind::kAppend, "Transfer-Encoding", "chunked"},
                                 {Kind::kAppend, "X-Back", "2"}};
    return decision;
  });
  const auto response = get("a");
  EXPECT_EQ(response.head,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-type: application/json\r\n"
            "X-Back: 2\r\n");
  EXPECT_EQ(response.body, "{}");
}

TEST_F(EgressRoutes, ThatMatchNothingAreNotFound) {
  route(upstream_, [](const RequestView&) { return std::nullopt; });
  EXPECT_EQ(get("a").status, 404U);
}

TEST_F(EgressRoutes, ToAnUnknownClusterAreUnavailable) {
  route(upstream_, [](const RequestView&) {
    RouteDecision decision;
    decision.cluster = "outbound|80||missing";
    return decision;
  });
  EXPECT_EQ(get("a").status, 503U);
  EXPECT_EQ(log_.wait(als::AccessLogEntry::Moment::kEnd, 1)[0].response_flag, "NC");
}

TEST_F(EgressRoutes, BoundTheTimeOfAResponse) {
  const Upstream slow([](Peer& peer) { peer.read_all(); });
  route(slow, [](const RequestView&) {
    RouteDecision decision;
    decision.cluster = "outbound|80||a";
    decision.timeout = std::chrono::milliseconds(30);
    return decision;
  });
  EXPECT_EQ(get("a").status, 504U);
  EXPECT_EQ(log_.wait(als::AccessLogEntry::Moment::kEnd, 1)[0].response_flag, "UT");
}

/// A gate that the loop's thread waits at, so that a test can have several things happen to it at
/// once.
class Gate {
 public:
  /// On the loop's thread, once.
  void wait() {
    reached_.set_value();
    opened_.get_future().wait_for(std::chrono::seconds(10));
  }
  void await_loop() { reached_.get_future().wait_for(std::chrono::seconds(10)); }
  void open() { opened_.set_value(); }

 private:
  std::promise<void> reached_;
  std::promise<void> opened_;
};

TEST_F(EgressRoutes, APipelineLeavesTheOthersTheirTurn) {
  Gate gate;
  std::vector<std::string> served;  // on the loop's thread, until the end
  route(upstream_, [&](const RequestView& request) {
    if (request.path == "/gate") gate.wait();
    served.emplace_back(request.path);
    RouteDecision decision;
    decision.status = 200;
    return decision;
  });
  Peer other = connect();
  other.send(request("a", "/warm"));
  EXPECT_EQ(other.read_response().status, 200U);
  Peer greedy = connect();
  greedy.send(request("a", "/gate"));
  gate.await_loop();
  // Both can be read now, the pipeline first, and none of its requests has to wait for anything.
  constexpr int kRequests = 200;
  std::string pipeline;
  for (int i = 0; i < kRequests; ++i) pipeline += request("a", "/greedy");
  greedy.send(pipeline);
  other.send(request("a", "/other"));
  gate.open();
  EXPECT_EQ(other.read_response().status, 200U);
  for (int i = 0; i < kRequests + 1; ++i) EXPECT_EQ(greedy.read_response().status, 200U);
  stop();
  const auto turn = std::find(served.begin(), served.end(), "/other");
  EXPECT_LE(turn - served.begin(), 3 * 32);
}

TEST_F(EgressRoutes, ABodyThatTheUpstreamDidNotTakeIsNoRequest) {
  std::promise<void> head_read;
  std::promise<void> may_reset;
  std::promise<void> was_reset;
  const Upstream resetting([&](Peer& peer) {
    peer.read_until("\r\n\r\n");
    head_read.set_value();
    may_reset.get_future().wait();
    peer.reset();
    was_reset.set_value();
  });
  Gate gate;
  std::atomic<int> smuggled{0};
  route(resetting, [&](const RequestView& request) {
    if (request.path == "/gate") gate.wait();
    if (request.path == "/smuggled") ++smuggled;
    RouteDecision decision;
    if (request.path == "/upload") {
      decision.cluster = "outbound|80||a";
    } else {
      decision.status = 200;
    }
    return decision;
  });
  Peer peer = connect();
  Peer blocking = connect();
  const std::string body = request("a", "/smuggled");
  peer.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
            "\r\n\r\n");
  head_read.get_future().wait();
  blocking.send(request("a", "/gate"));
  gate.await_loop();
  // The body can be read and nobody takes it any more.
  peer.send(body);
  may_reset.set_value();
  was_reset.get_future().wait();
  gate.open();
  EXPECT_EQ(blocking.read_response().status, 200U);
  EXPECT_EQ(peer.read_response().status, 503U);
  peer.send(request("a", "/after"));
  EXPECT_EQ(peer.read_response().status, 200U);
  EXPECT_EQ(smuggled, 0);
}

TEST_F(EgressRoutes, ARequestThatCannotBeRepeatedMeetsNoDeadConnection) {
  std::promise<void> may_close;
  std::promise<void> closed;
  std::atomic<int> connections{0};
  const Upstream closing([&](Peer& peer) {
    const bool first = ++connections == 1;
    peer.read_until("\r\n\r\n");
    peer.send(ok("fine"));
    if (!first) return;
    may_close.get_future().wait();
    peer.shutdown_send();
    closed.set_value();
    peer.read_all();
  });
  Gate gate;
  route(closing, [&](const RequestView& request) {
    RouteDecision decision;
    if (request.path == "/gate") {
      gate.wait();
      decision.status = 200;
    } else {
      decision.cluster = "outbound|80||a";
    }
    return decision;
  });
  Peer peer = connect();
  peer.send(request("a"));
  EXPECT_EQ(peer.read_response().body, "fine");
  Peer blocking = connect();
  blocking.send(request("a", "/gate"));
  gate.await_loop();
  // The request is seen before the end of the connection that waits for it.
  peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  may_close.set_value();
  closed.get_future().wait();
  gate.open();
  EXPECT_EQ(peer.read_response().status, 200U);
  EXPECT_EQ(connections, 2);
}

TEST_F(EgressRoutes, AConnectionAcceptedAsTheDrainBeginsIsServed) {
  config_.drain = std::chrono::seconds(8);
  Gate first_gate;
  Gate second_gate;
  route(upstream_, [&](const RequestView& request) {
    if (request.path == "/first") first_gate.wait();
    if (request.path == "/second") second_gate.wait();
    RouteDecision decision;
    decision.status = 200;
    return decision;
  });
  Peer first = connect();
  Peer second = connect();
  second.send(request("a"));
  EXPECT_EQ(second.read_response().status, 200U);
  first.send(request("a", "/first"));
  first_gate.await_loop();
  // The loop finds the second request and two connections at once, and while it is at the former
  // it is told to drain: then the second connection is accepted and not yet handed over.
  second.send(request("a", "/second"));
  std::vector<Peer> late;
  for (int i = 0; i < 2; ++i) {
    late.push_back(connect());
    late.back().send(request("a"));
  }
  first_gate.open();
  second_gate.await_loop();
  egress_->stop();
  EXPECT_TRUE(eventually([&] { return !readiness_.ready(); }));
  second_gate.open();
  for (auto& peer : late) EXPECT_EQ(peer.read_response().status, 200U);
}

}  // namespace
}  // namespace lazymesh::test
