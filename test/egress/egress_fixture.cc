#include "test/egress/egress_fixture.h"

#include "base/clock.h"
#include "base/completion.h"

namespace lazymesh::test {

EgressTest::EgressTest() {
  config_.listen = address("127.0.0.1:0");
  config_.admin = address("127.0.0.1:0");
  config_.drain = std::chrono::milliseconds(100);
}

EgressTest::~EgressTest() {
  stop();
  EXPECT_EQ(escaped_exceptions(), 0U);
}

void EgressTest::start() {
  egress::Edges edges{system_clock(),
                      readiness_,
                      metrics_,
                      std::move(owned_on_demand_),
                      std::move(owned_log_),
                      [](const egress::OnDemand&) { return std::string("{}"); }};
  auto built = egress::Egress::build(config_, std::move(edges));
  ASSERT_TRUE(built) << built.error().message;
  egress_ = std::move(*built);
  thread_ = std::thread([this] { egress_->run(); });
}

void EgressTest::stop() {
  if (!thread_.joinable()) return;
  egress_->stop();
  thread_.join();
}

Peer EgressTest::connect(const SocketAddress& destination, const SocketAddress& source) {
  Peer peer = Peer::connect(listen());
  peer.send(proxy_v2(source, destination));
  return peer;
}

HttpResponse EgressTest::get(const std::string& host, const std::string& path) {
  Peer peer = connect();
  peer.send(request(host, path));
  return peer.read_response();
}

std::string EgressTest::admin(const std::string& path) {
  Peer peer = Peer::connect(egress_->addresses().admin);
  peer.send("GET " + path + " HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
  return peer.read_response().body;
}

double EgressTest::metric(const std::string& series) {
  const auto page = admin("/metrics");
  const auto at = page.find("\n" + series + " ");
  return at == std::string::npos ? -1 : std::stod(page.substr(at + series.size() + 2));
}

bool eventually(const std::function<bool()>& condition) {
  const auto until = system_clock().steady() + std::chrono::seconds(10);
  while (!condition()) {
    if (system_clock().steady() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

std::string request(const std::string& host, const std::string& path, const std::string& more) {
  return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + more + "\r\n";
}

}  // namespace lazymesh::test
