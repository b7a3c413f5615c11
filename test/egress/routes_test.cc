#include <functional>

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

}  // namespace
}  // namespace lazymesh::test
