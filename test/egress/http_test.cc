#include <atomic>
#include <fstream>
#include <future>

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "test/egress/egress_fixture.h"

namespace lazymesh::test {
namespace {

using als::AccessLogEntry;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class EgressHttp : public EgressTest {
 protected:
  void serve(const std::string& host, const Upstream& upstream) {
    on_demand_.know_host(host, destination(host, 80, {upstream.address()}));
  }
  AccessLogEntry logged() {
    const auto entries = log_.wait(AccessLogEntry::Moment::kEnd, 1);
    return entries.empty() ? AccessLogEntry{} : entries.front();
  }
};

/// Answers with the request's head and body as it got them.
std::string echo(const std::string& head, const std::string& body) { return ok(head + body); }

TEST_F(EgressHttp, ForwardsARequestToTheHostItNames) {
  const Upstream upstream(http_server(echo));
  serve("reviews", upstream);
  start();
  const auto response = get("reviews", "/path?x=1");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, "GET /path?x=1 HTTP/1.1\r\nHost: reviews\r\n\r\n");
  const auto entry = logged();
  EXPECT_EQ(entry.authority, "reviews");
  EXPECT_EQ(entry.path, "/path?x=1");
  EXPECT_EQ(entry.response_code, 200U);
  EXPECT_EQ(entry.response_flag, "");
  EXPECT_EQ(entry.upstream_cluster, "outbound|80||reviews");
  EXPECT_EQ(entry.downstream_remote_address, address("10.1.0.1:4711"));
  EXPECT_EQ(entry.downstream_local_address, address("10.96.0.5:80"));
  EXPECT_EQ(entry.upstream_remote_address, upstream.address());
}

TEST_F(EgressHttp, KeyIsTheHostInLowerCaseAndTheOriginalPort) {
  start();
  Peer peer = connect(address("10.96.0.5:9080"));
  peer.send(request("Reviews.Shop:80"));
  peer.read_response();
  const auto asked = on_demand_.asked();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].caller_namespace, "shop");
  EXPECT_EQ(asked[0].host, "reviews.shop");
  EXPECT_EQ(asked[0].port, 9080);
  EXPECT_EQ(asked[0].address, IpAddress{});
}

TEST_F(EgressHttp, CallerIsTheConnectionsAddresses) {
  start();
  Peer peer = connect(address("127.3.0.1:9080"));
  peer.send(request("a", "/", "X-Forwarded-For: 10.9.9.9\r\n"));
  peer.read_response();
  const auto caller = on_demand_.last_caller();
  EXPECT_EQ(caller.peer, address("127.0.0.1:1").ip);
  EXPECT_EQ(caller.source, address("10.1.0.1:1").ip);
  EXPECT_EQ(caller.bound, address("127.3.0.1:1").ip);
}

TEST_F(EgressHttp, BothConnectionsCarryManyRequests) {
  const Upstream upstream(http_server(echo));
  serve("a", upstream);
  start();
  Peer peer = connect();
  for (int i = 0; i < 50; ++i) {
    peer.send(request("a", "/" + std::to_string(i)));
    ASSERT_THAT(peer.read_response().body, StartsWith("GET /" + std::to_string(i) + " "));
  }
  EXPECT_EQ(upstream.connections(), 1);
  EXPECT_EQ(on_demand_.caller_watches(), 1);
  EXPECT_EQ(on_demand_.watches("a"), 1);
  EXPECT_EQ(metric("lazymesh_egress_upstream_reused_total"), 49);
  EXPECT_EQ(metric("lazymesh_egress_requests_total{code=\"2xx\"}"), 50);
}

TEST_F(EgressHttp, PipelinedRequestsAreAnsweredInOrder) {
  const Upstream upstream(http_server(echo));
  serve("a", upstream);
  start();
  Peer peer = connect();
  std::string all;
  for (int i = 0; i < 20; ++i) {
    all += i % 2 == 0 ? request("a", "/" + std::to_string(i))
                      : "POST /" + std::to_string(i) +
                            " HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
  }
  peer.send(all);
  for (int i = 0; i < 20; ++i) {
    const auto body = peer.read_response().body;
    EXPECT_THAT(body, HasSubstr(" /" + std::to_string(i) + " "));
    EXPECT_THAT(body, EndsWith(i % 2 == 1 ? "body" : "\r\n\r\n"));
  }
}

TEST_F(EgressHttp, ARequestMayArriveByteByByte) {
  const Upstream upstream(http_server(echo));
  serve("a", upstream);
  start();
  Peer peer = connect();
  const std::string message =
      "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  for (const char c : message + message) ASSERT_TRUE(peer.send({&c, 1}));
  EXPECT_THAT(peer.read_response().body, EndsWith("\r\n\r\nabcde"));
  EXPECT_THAT(peer.read_response().body, EndsWith("\r\n\r\nabcde"));
}

TEST_F(EgressHttp, HeaderNamesKeepCaseAndOrderBothWays) {
  const Upstream upstream(http_server([](const std::string& head, const std::string&) {
    return "HTTP/1.1 200 Very Fine\r\nX-UP: 1\r\nx-up: 2\r\nContent-LENGTH: " +
           std::to_string(head.size()) + "\r\nServer: me\r\n\r\n" + head;
  }));
  serve("a", upstream);
  start();
  Peer peer = connect();
  const std::string lines = "GET / HTTP/1.1\r\nx-B: 1\r\nHOST: a\r\nX-a: 2\r\nX-B: 3\r\n\r\n";
  peer.send(lines);
  const auto response = peer.read_response();
  EXPECT_EQ(response.body, lines);
  EXPECT_EQ(response.head, "HTTP/1.1 200 Very Fine\r\nX-UP: 1\r\nx-up: 2\r\nContent-LENGTH: " +
                               std::to_string(lines.size()) + "\r\nServer: me\r\n");
}

TEST_F(EgressHttp, ChunkedBodiesAndTrailersPassBothWays) {
  const Upstream upstream([](Peer& peer) {
    peer.read_until("\r\n\r\n");
    const auto body = peer.read_until("0\r\nX-Sum: 5\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n" +
              body.substr(0, 10));
    peer.send("0\r\nX-End: yes\r\n\r\n");
    peer.read_all();
  });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  peer.send("5;ext=1\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n");
  EXPECT_THAT(peer.read_until("\r\n\r\n"), HasSubstr("Trailer: X-End\r\n"));
  EXPECT_EQ(peer.read_until("X-End: yes\r\n\r\n"), "5\r\nhello\r\n0\r\nX-End: yes\r\n\r\n");
}

TEST_F(EgressHttp, AResponseIsPassedOnAsItComes) {
  const Upstream upstream([](Peer& peer) {
    peer.read_until("\r\n\r\n");
    peer.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Transfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n");
    peer.read_until("never");  // until the client has gone
  });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send(request("a"));
  EXPECT_THAT(peer.read_until("first\n"), EndsWith("first\n"));
  // The destination is reported while the response is still going on.
  EXPECT_EQ(log_.wait(AccessLogEntry::Moment::kUpstreamReady, 1).size(), 1U);
  peer.close();
  EXPECT_EQ(logged().response_flag, "DC");
}

TEST_F(EgressHttp, HeadAndBodilessResponsesHaveNoBody) {
  const Upstream upstream(http_server([](const std::string& head, const std::string&) {
    if (head.find("/204") != std::string::npos)
      return std::string("HTTP/1.1 204 No Content\r\n\r\n");
    if (head.find("/304") != std::string::npos) {
      return std::string("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n");
    }
    return std::string("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  }));
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(peer.read_response("HEAD").header("Content-Length"), "5");
  peer.send(request("a", "/204"));
  EXPECT_EQ(peer.read_response().status, 204U);
  peer.send(request("a", "/304"));
  EXPECT_EQ(peer.read_response().header("Content-Length"), "5");
  peer.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(peer.read_response("HEAD").status, 200U);
  EXPECT_EQ(upstream.connections(), 1);
}

TEST_F(EgressHttp, ExpectContinueGoesThrough) {
  const Upstream upstream([](Peer& peer) {
    EXPECT_THAT(peer.read_until("\r\n\r\n"), HasSubstr("Expect: 100-continue\r\n"));
    peer.send("HTTP/1.1 100 Continue\r\n\r\n");
    const auto body = peer.read_exactly(5);
    peer.send(ok(body));
    peer.read_all();
  });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(peer.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.send("hello");
  EXPECT_EQ(peer.read_response().body, "hello");
}

TEST_F(EgressHttp, InterimResponsesAreNotForHttp10) {
  const Upstream upstream(http_server([](const std::string&, const std::string&) {
    return "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok("done");
  }));
  serve("a", upstream);
  start();
  Peer old = connect();
  old.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  EXPECT_EQ(old.read_response().status, 200U);
  Peer peer = connect();
  peer.send(request("a"));
  EXPECT_EQ(peer.read_response().status, 103U);
  EXPECT_EQ(peer.read_response().body, "done");
}

TEST_F(EgressHttp, Http10EndsWithTheConnectionUnlessAsked) {
  const Upstream upstream(http_server([](const std::string& head, const std::string&) {
    EXPECT_THAT(head, HasSubstr(" HTTP/1.1\r\n"));
    return std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
  }));
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  const auto response = peer.read_response();
  EXPECT_THAT(response.head, StartsWith("HTTP/1.0 200 OK\r\n"));
  EXPECT_THAT(response.head, Not(HasSubstr("Transfer-Encoding")));
  EXPECT_EQ(response.body, "hi");
  EXPECT_TRUE(response.until_close);
}

TEST_F(EgressHttp, Http10KeepsTheConnectionIfAsked) {
  const Upstream upstream(http_server(echo));
  serve("a", upstream);
  start();
  Peer peer = connect();
  for (int i = 0; i < 2; ++i) {
    peer.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(peer.read_response().header("Connection"), "keep-alive");
  }
}

TEST_F(EgressHttp, WithoutAHostTheOriginalDestinationDecides) {
  const Upstream upstream(http_server(echo));
  on_demand_.know_address(address("10.96.0.5:80"), destination("a.shop", 80, {upstream.address()}));
  start();
  Peer peer = connect();
  peer.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(peer.read_response().body, HasSubstr("Host: a.shop\r\n"));
}

TEST_F(EgressHttp, AbsoluteFormWinsOverHost) {
  const Upstream upstream(http_server(echo));
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send("GET http://A:80/x HTTP/1.1\r\nHost: b\r\n\r\n");
  EXPECT_EQ(peer.read_response().body, "GET /x HTTP/1.1\r\nHost: A:80\r\n\r\n");
  EXPECT_EQ(on_demand_.watches("b"), 0);
}

TEST_F(EgressHttp, ABodyUntilCloseBecomesChunked) {
  const Upstream upstream([](Peer& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.0 200 OK\r\n\r\nall of it");
  });
  serve("a", upstream);
  start();
  Peer peer = connect();
  for (int i = 0; i < 2; ++i) {
    peer.send(request("a"));
    const auto response = peer.read_response();
    EXPECT_EQ(response.body, "all of it");
    EXPECT_FALSE(response.until_close);
  }
}

TEST_F(EgressHttp, AnUpgradeBecomesATunnel) {
  const Upstream upstream([](Peer& peer) {
    EXPECT_THAT(peer.read_until("\r\n\r\n"),
                HasSubstr("Upgrade: websocket\r\nConnection: Upgrade\r\n"));
    peer.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\n\r\nearly");
    EXPECT_EQ(peer.read_exactly(9), "pipelined");
    EXPECT_EQ(peer.read_until("."), "more.");
    peer.send("bye");
    peer.shutdown_send();
    EXPECT_EQ(peer.read_all(), "last words");
  });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send(
      "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
      "pipelined");
  EXPECT_THAT(peer.read_until("\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 101 "), HasSubstr("Connection: Upgrade\r\n")));
  EXPECT_EQ(peer.read_exactly(5), "early");
  peer.send("more.");
  EXPECT_EQ(peer.read_all(), "bye");
  peer.send("last words");
  peer.shutdown_send();
  const auto entry = logged();
  EXPECT_EQ(entry.response_code, 101U);
  EXPECT_EQ(entry.response_bytes, 8U);
}

TEST_F(EgressHttp, AnUpgradeNobodyAskedForIsMalformed) {
  const Upstream upstream([](Peer& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    peer.read_all();
  });
  serve("a", upstream);
  start();
  EXPECT_EQ(get("a").status, 502U);
}

/// Resident memory of this process.
std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

TEST_F(EgressHttp, BigBodiesStreamInBoundedMemory) {
  constexpr std::size_t kSize = 100 * 1024 * 1024;
  const std::string block(256 * 1024, 'x');
  const Upstream upstream([&](Peer& peer) {
    peer.read_until("\r\n\r\n");
    for (std::size_t got = 0; got < kSize; got += block.size()) {
      ASSERT_EQ(peer.read_exactly(block.size()).size(), block.size());
    }
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
    for (std::size_t sent = 0; sent < kSize; sent += block.size()) ASSERT_TRUE(peer.send(block));
    peer.read_all();
  });
  serve("a", upstream);
  start();
  get("unknown");  // everything is warm
  const auto before = resident_bytes();
  Peer peer = connect();
  peer.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
  for (std::size_t sent = 0; sent < kSize; sent += block.size()) ASSERT_TRUE(peer.send(block));
  peer.read_until("\r\n\r\n");
  for (std::size_t got = 0; got < kSize; got += block.size()) {
    ASSERT_EQ(peer.read_exactly(block.size()).size(), block.size());
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(resident_bytes(), before + 24 * 1024 * 1024);
#else
  (void)before;  // sanitizers keep what is freed
#endif
}

TEST_F(EgressHttp, ASlowUpstreamHoldsTheClientBack) {
  std::promise<void> go;
  const Upstream upstream([&, may_go = go.get_future().share()](Peer& peer) {
    may_go.wait();
    peer.read_until("\r\n\r\n");
    std::size_t got = 0;
    while (got < 64U * 1024 * 1024) got += peer.read_exactly(1024 * 1024).size();
    peer.send(ok("thanks"));
    peer.read_all();
  });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 67108864\r\n\r\n");
  const std::string block(64 * 1024, 'x');
  std::size_t sent = 0;
  // Its turn is over when the loop has gone round and round and has not read on.
  for (int rounds = 0; rounds < 50 && sent < 64U * 1024 * 1024; ++rounds) {
    const auto some = peer.send_some(block, std::chrono::milliseconds(0));
    sent += some;
    if (some > 0) {
      rounds = 0;
    } else {
      EXPECT_EQ(get("nowhere").status, 502U);
    }
  }
  EXPECT_LT(sent, 40U * 1024 * 1024);  // what the kernel's buffers take
  go.set_value();
  peer.send(std::string(64U * 1024 * 1024 - sent, 'x'));
  EXPECT_EQ(peer.read_response().body, "thanks");
}

TEST_F(EgressHttp, AnAnswerToAnUnfinishedUploadGetsThrough) {
  const Upstream upstream([](Peer& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!");
  });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  peer.send(std::string(1000, 'x'));
  const auto response = peer.read_response();
  EXPECT_EQ(response.status, 413U);
  EXPECT_EQ(response.body, "no!");
  EXPECT_TRUE(peer.closed());
}

TEST_F(EgressHttp, AnAnswerToAnUnfinishedUploadSaysThatItCloses) {
  const Upstream upstream([](Peer& peer) {
    peer.read_until("\r\n\r\n");
    peer.send(ok("enough"));
    peer.read_all();
  });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
  const auto response = peer.read_response();
  EXPECT_EQ(response.body, "enough");
  EXPECT_EQ(response.header("Connection"), "close");
  EXPECT_TRUE(peer.closed());
}

TEST_F(EgressHttp, AnUploadThatDoesNotMoveIsGivenUp) {
  config_.limits.upload_idle_time = std::chrono::milliseconds(30);
  const Upstream upstream([](Peer& peer) { peer.read_all(); });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(peer.read_response().status, 408U);
  EXPECT_TRUE(peer.closed());
  EXPECT_EQ(logged().response_flag, "SI");
  EXPECT_EQ(metric("lazymesh_egress_stalled_total"), 1);
}

TEST_F(EgressHttp, AnUpstreamThatTakesNothingIsGivenUp) {
  config_.limits.upload_idle_time = std::chrono::milliseconds(100);
  std::promise<void> over;
  const Upstream upstream([&](Peer&) { over.get_future().wait(); });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
  const std::string block(64 * 1024, 'x');
  std::string answer;
  for (int i = 0; i < 3000 && answer.empty(); ++i) {  // it takes as much as the kernel's buffers do
    peer.send_some(block, std::chrono::milliseconds(10));
    answer = peer.read_for(std::chrono::milliseconds(0));
  }
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 504 "));
  over.set_value();
}

TEST_F(EgressHttp, AResponseMayTakeItsTime) {
  config_.limits.upload_idle_time = std::chrono::milliseconds(20);
  std::promise<void> late;
  const Upstream upstream([&](Peer& peer) {
    peer.read_until("abc");
    late.get_future().wait();
    peer.send(ok("late"));
    peer.read_all();
  });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(peer.read_for(std::chrono::milliseconds(100)), "");
  late.set_value();
  EXPECT_EQ(peer.read_response().body, "late");
}

/// TCP_USER_TIMEOUT of this process's connection to an address; -1: there is none.
int user_timeout(const SocketAddress& to) {
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    if (peer.sin_family != AF_INET || ntohs(peer.sin_port) != to.port) continue;
    unsigned value = 0;
    socklen_t length = sizeof value;
    if (::getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &length) != 0) continue;
    return static_cast<int>(value);
  }
  return -1;
}

TEST_F(EgressHttp, AnUpstreamThatVanishedIsGivenUpInTime) {
  config_.limits.unacknowledged_time = std::chrono::milliseconds(1234);
  const Upstream upstream(http_server(echo));
  serve("a", upstream);
  start();
  EXPECT_EQ(get("a").status, 200U);
  EXPECT_EQ(user_timeout(upstream.address()), 1234);
}

TEST_F(EgressHttp, ManyFirstRequestsAskOnce) {
  const Upstream upstream(http_server(echo));
  serve("a", upstream);
  on_demand_.hold();
  start();
  std::vector<Peer> peers;
  for (int i = 0; i < 200; ++i) {
    peers.push_back(connect());
    peers.back().send(request("a"));
  }
  on_demand_.wait_for_watches(1);
  ASSERT_TRUE(eventually([&] { return metric("lazymesh_egress_connections_total") >= 200; }));
  on_demand_.release();
  for (auto& peer : peers) EXPECT_EQ(peer.read_response().status, 200U);
  EXPECT_EQ(on_demand_.watches("a"), 1);
  EXPECT_GE(metric("lazymesh_egress_first_request_wait_seconds_count"), 1);
}

TEST_F(EgressHttp, AnUnknownHostIsRefusedWithTheReason) {
  start();
  Peer peer = connect();
  peer.send(request("nowhere"));
  const auto response = peer.read_response();
  EXPECT_EQ(response.status, 502U);
  EXPECT_EQ(response.body, "no service \"nowhere\"\n");
  EXPECT_EQ(response.header("Content-Type"), "text/plain");
  EXPECT_EQ(logged().response_flag, "NR");
  peer.send(request("nowhere"));  // remembered, on the same connection
  EXPECT_EQ(peer.read_response().status, 502U);
  EXPECT_EQ(on_demand_.watches("nowhere"), 1);
  EXPECT_EQ(metric("lazymesh_egress_unknown_hosts_total"), 2);
  EXPECT_EQ(metric("lazymesh_egress_first_request_wait_seconds_count"), 1);
}

TEST_F(EgressHttp, AnUnknownCallerIsRefused) {
  const Upstream upstream(http_server(echo));
  serve("a", upstream);
  on_demand_.know_no_caller("10.1.0.1 belongs to no workload");
  start();
  const auto response = get("a");
  EXPECT_EQ(response.status, 403U);
  EXPECT_THAT(response.body, HasSubstr("10.1.0.1 belongs to no workload"));
  EXPECT_EQ(upstream.connections(), 0);
  EXPECT_EQ(on_demand_.watches("a"), 0);
  EXPECT_EQ(metric("lazymesh_egress_callers_refused_total"), 1);
}

TEST_F(EgressHttp, WithoutTheControllerAFirstRequestIsUnavailable) {
  on_demand_.fail_host("a", Error{Code::kDeadlineExceeded, "no answer within 5 s"});
  start();
  Peer peer = connect();
  peer.send(request("a"));
  const auto response = peer.read_response();
  EXPECT_EQ(response.status, 503U);
  EXPECT_THAT(response.body, HasSubstr("no answer within 5 s"));
  EXPECT_EQ(logged().response_flag, "NFCF");
  const Upstream upstream(http_server(echo));
  serve("a", upstream);
  peer.send(request("a"));  // asked anew
  EXPECT_EQ(peer.read_response().status, 200U);
}

TEST_F(EgressHttp, AControllerThatNeverAnswersIsGivenUp) {
  config_.limits.answer_time = std::chrono::milliseconds(30);
  on_demand_.hold();
  start();
  const auto response = get("a");
  EXPECT_EQ(response.status, 503U);
  EXPECT_EQ(logged().response_flag, "NFCF");
}

TEST_F(EgressHttp, FollowsEndpointsThatMove) {
  const Upstream first(http_server([](const auto&, const auto&) { return ok("first"); }));
  const Upstream second(http_server([](const auto&, const auto&) { return ok("second"); }));
  serve("a", first);
  start();
  EXPECT_EQ(get("a").body, "first");
  on_demand_.update_host("a", destination("a", 80, {second.address()}));
  EXPECT_EQ(get("a").body, "second");
  on_demand_.forget_host("a");
  EXPECT_EQ(get("a").body, "second");
  EXPECT_EQ(on_demand_.watches("a"), 2);
}

TEST_F(EgressHttp, ADeadPooledConnectionIsReplacedUnseen) {
  std::atomic<int> connections{0};
  const Upstream upstream([&](Peer& peer) {
    const bool first = ++connections == 1;
    peer.read_until("\r\n\r\n");
    peer.send(ok("fine"));
    if (!first) peer.read_until("\r\n\r\n");
    if (first) {
      peer.read_until("\r\n\r\n");  // the second request dies with its connection
      peer.reset();
    }
  });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send(request("a"));
  EXPECT_EQ(peer.read_response().status, 200U);
  peer.send(request("a"));
  EXPECT_EQ(peer.read_response().status, 200U);
  EXPECT_EQ(connections, 2);
  EXPECT_EQ(metric("lazymesh_egress_upstream_retries_total"), 1);
}

TEST_F(EgressHttp, ARequestThatMayHaveBeenServedIsNotSentTwice) {
  std::atomic<int> requests{0};
  const Upstream upstream([&](Peer& peer) {
    while (peer.read_until("\r\n\r\n").size() > 4) {
      if (++requests == 2) return peer.reset();
      peer.send(ok("fine"));
    }
  });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send(request("a"));
  EXPECT_EQ(peer.read_response().status, 200U);
  peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(peer.read_response().status, 503U);
  EXPECT_EQ(requests, 2);
  EXPECT_EQ(log_.wait(AccessLogEntry::Moment::kEnd, 2)[1].response_flag, "UC");
}

TEST_F(EgressHttp, AFreshConnectionThatDiesIsNotRetried) {
  const Upstream upstream([](Peer& peer) {
    peer.read_until("\r\n\r\n");
    peer.reset();
  });
  serve("a", upstream);
  start();
  const auto response = get("a");
  EXPECT_EQ(response.status, 503U);
  EXPECT_EQ(upstream.connections(), 1);
}

TEST_F(EgressHttp, AnEndpointThatCannotBeReachedIsPassedOver) {
  const Upstream upstream(http_server(echo));
  const DeadAddress dead;
  on_demand_.know_host("a", destination("a", 80, {dead.address(), upstream.address()}));
  start();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get("a").status, 200U);
}

TEST_F(EgressHttp, WithoutAnEndpointItIsUnavailable) {
  const DeadAddress dead;
  on_demand_.know_host("dead", destination("dead", 80, {dead.address()}));
  on_demand_.know_host("none", destination("none", 80, {}));
  start();
  EXPECT_EQ(get("dead").status, 503U);
  EXPECT_EQ(get("none").status, 503U);
  const auto entries = log_.wait(AccessLogEntry::Moment::kEnd, 2);
  EXPECT_EQ(entries[0].response_flag, "UF");
  EXPECT_EQ(entries[1].response_flag, "UH");
  // The only endpoint is tried once.
  EXPECT_EQ(metric("lazymesh_egress_upstream_connections_total{result=\"failed\"}"), 1);
}

TEST_F(EgressHttp, AMalformedResponseIsABadGateway) {
  start();
  for (const std::string bad :
       {"SSH-2.0-x\r\n", "HTTP/1.1 200 OK\nX: y\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"}) {
    const Upstream upstream([bad](Peer& peer) {
      peer.read_until("\r\n\r\n");
      peer.send(bad);
      peer.read_all();
    });
    const auto host = "a" + std::to_string(bad.size());
    serve(host, upstream);
    EXPECT_EQ(get(host).status, 502U) << bad;
  }
}

TEST_F(EgressHttp, AResponseThatBreaksOffIsNotMadeWhole) {
  const Upstream upstream([](Peer& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send(request("a"));
  peer.read_until("\r\n\r\n");
  EXPECT_EQ(peer.read_all(), "5\r\nhello\r\n");
  EXPECT_EQ(logged().response_flag, "UC");
}

TEST_F(EgressHttp, AResponseThatBreaksOffDoesNotLookWholeToHttp10) {
  const Upstream upstream([](Peer& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(peer.was_reset());
}

TEST_F(EgressHttp, AmbiguousRequestsAreRefusedAndTheConnectionClosed) {
  const Upstream upstream(http_server(echo));
  serve("a", upstream);
  start();
  for (const auto& bad :
       {std::string("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\n\r\n"), std::string("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        request(std::string(60'000, 'a')),
        std::string(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello")}) {
    Peer peer = connect();
    peer.send(bad);
    EXPECT_EQ(peer.read_response().status, 400U) << bad;
    EXPECT_TRUE(peer.closed()) << bad;
  }
}

TEST_F(EgressHttp, AHeadThatIsTooLargeIsRefused) {
  start();
  Peer peer = connect();
  peer.send("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(70'000, 'x'));
  EXPECT_EQ(peer.read_response().status, 431U);
  EXPECT_TRUE(peer.closed());
}

TEST_F(EgressHttp, LargeHeadsPassBothWays) {
  const std::string large(60'000, 'x');
  const Upstream upstream(http_server([&](const std::string& head, const std::string&) {
    return "HTTP/1.1 200 OK\r\nX-Large: " + large +
           "\r\nContent-Length: " + std::to_string(head.size()) + "\r\n\r\n" + head;
  }));
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send(request("a", "/", "X-Mine: " + large + "\r\n"));
  const auto response = peer.read_response();
  EXPECT_EQ(response.header("X-Large"), large);
  EXPECT_THAT(response.body, HasSubstr("X-Mine: " + large + "\r\n"));
}

TEST_F(EgressHttp, AHeadThatDoesNotEndTimesOut) {
  config_.limits.head_time = std::chrono::milliseconds(30);
  start();
  Peer peer = connect();
  peer.send("GET / HTTP/1.1\r\nHost:");
  EXPECT_EQ(peer.read_response().status, 408U);
  EXPECT_TRUE(peer.closed());
}

TEST_F(EgressHttp, AnIdleConnectionIsClosedInTheEnd) {
  config_.limits.idle_time = std::chrono::milliseconds(30);
  start();
  Peer peer = connect();
  peer.send(request("nowhere"));
  EXPECT_EQ(peer.read_response().status, 502U);
  EXPECT_TRUE(peer.closed());
}

TEST_F(EgressHttp, ConnectIsNotServed) {
  start();
  Peer peer = connect();
  peer.send("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
  EXPECT_EQ(peer.read_response().status, 405U);
}

TEST_F(EgressHttp, NeverForwardsToItself) {
  config_.listen = address("127.0.0.1:0");
  start();
  on_demand_.know_host("loop", destination("loop", 80, {listen()}));
  const auto response = get("loop");
  EXPECT_EQ(response.status, 502U);
  EXPECT_THAT(response.body, HasSubstr("is this egress itself"));
}

TEST_F(EgressHttp, AClientThatGoesAwayEndsItsRequest) {
  std::promise<void> asked;
  std::promise<void> ended;
  const Upstream upstream([&](Peer& peer) {
    peer.read_until("\r\n\r\n");
    asked.set_value();
    peer.read_all();  // until the egress lets go
    ended.set_value();
  });
  serve("a", upstream);
  start();
  Peer peer = connect();
  peer.send(request("a"));
  asked.get_future().wait();
  peer.close();
  EXPECT_EQ(ended.get_future().wait_for(std::chrono::seconds(9)), std::future_status::ready);
  const auto entry = logged();
  EXPECT_EQ(entry.response_flag, "DC");
  EXPECT_EQ(entry.response_code, 0U);
}

TEST_F(EgressHttp, AFirstUseIsReportedOnceAndEveryUseAtItsEnd) {
  const Upstream upstream(http_server(echo));
  serve("a", upstream);
  serve("b", upstream);
  start();
  for (const auto* host : {"a", "b", "a", "a"}) get(host);
  const auto ends = log_.wait(AccessLogEntry::Moment::kEnd, 4);
  EXPECT_EQ(ends.size(), 4U);
  const auto firsts = log_.wait(AccessLogEntry::Moment::kUpstreamReady, 2);
  ASSERT_EQ(firsts.size(), 2U);
  EXPECT_EQ(firsts[0].upstream_cluster, "outbound|80||a");
  EXPECT_EQ(firsts[0].upstream_remote_address, upstream.address());
  EXPECT_EQ(firsts[1].upstream_cluster, "outbound|80||b");
}

TEST_F(EgressHttp, BindsUpstreamConnections) {
  config_.bind_upstream = address("127.0.0.9:1").ip;
  SocketAddress seen;
  const Upstream upstream([&](Peer& peer) {
    seen = peer.remote_address();
    peer.read_until("\r\n\r\n");
    peer.send(ok(""));
    peer.read_all();
  });
  serve("a", upstream);
  start();
  EXPECT_EQ(get("a").status, 200U);
  EXPECT_EQ(seen.ip, address("127.0.0.9:1").ip);
}

TEST_F(EgressHttp, BindsNoConnectionToAnAddressOfTheOtherFamily) {
  config_.bind_upstream = *IpAddress::parse("fd00::9");
  const Upstream upstream(http_server(echo));
  serve("a", upstream);
  start();
  EXPECT_EQ(get("a").status, 200U);
}

}  // namespace
}  // namespace lazymesh::test
