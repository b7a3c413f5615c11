#include "base/admin_server.h"

#include <chrono>
#include <future>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

namespace lazymesh {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// Serves on a thread of its own.
class AdminServerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto server = AdminServer::listen(context_, *SocketAddress::parse("127.0.0.1:0"));
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    add_standard_routes(*server_, readiness_, metrics_);
    server_->route("/echo", [](const AdminRequest& request) {
      std::string body = request.path + "\n";
      for (const auto& [name, value] : request.query) body += name + "=" + value + "\n";
      return AdminResponse{200, "text/plain", body};
    });
    server_->route("/bug",
                   [](const AdminRequest&) -> AdminResponse { throw std::runtime_error("a bug"); });
    address_ = server_->address();
    thread_ = std::thread([this] { context_.run(); });
  }

  void TearDown() override {
    asio::post(context_, [this] { server_.reset(); });
    work_.reset();
    context_.stop();
    thread_.join();
  }

  tcp::socket connect() {
    tcp::socket socket(client_);
    socket.connect({asio::ip::make_address(address_.ip.to_string()), address_.port});
    return socket;
  }

  static std::string read_all(tcp::socket& socket) {
    std::string answer;
    boost::system::error_code end;
    asio::read(socket, asio::dynamic_buffer(answer), end);
    return answer;
  }

  std::string exchange(const std::string& request) {
    auto socket = connect();
    asio::write(socket, asio::buffer(request));
    return read_all(socket);
  }

  std::string get(const std::string& target, const std::string& method = "GET") {
    return exchange(method + " " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }

  // `work` on the server's thread.
  void on_server_thread(std::function<void()> work) {
    std::promise<void> done;
    asio::post(context_, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

  Readiness readiness_;
  prometheus::Registry metrics_;
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ =
      asio::make_work_guard(context_);
  std::unique_ptr<AdminServer> server_;
  SocketAddress address_;
  std::thread thread_;
  asio::io_context client_;
};

TEST_F(AdminServerTest, HealthIsServed) {
  const auto answer = get("/healthz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nok\n"));
}

TEST_F(AdminServerTest, ReadinessNamesWhatIsMissing) {
  EXPECT_THAT(get("/readyz"), HasSubstr(R"({"ready":true,"missing":[],"warnings":[]})"));
  const auto blocker = readiness_.block("registry: \"x\" is not loaded yet");
  const auto warning = readiness_.warn("slow");
  const auto answer = get("/readyz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(
      answer,
      HasSubstr(
          R"({"ready":false,"missing":["registry: \"x\" is not loaded yet"],"warnings":["slow"]})"));
}

TEST_F(AdminServerTest, MetricsAreServed) {
  prometheus::BuildCounter().Name("lazymesh_x_total").Register(metrics_).Add({}).Increment();
  EXPECT_THAT(get("/metrics"), HasSubstr("lazymesh_x_total 1"));
}

TEST_F(AdminServerTest, QueriesAreDecoded) {
  EXPECT_THAT(get("/echo?a=b%20c&d"), EndsWith("/echo\na=b c\nd=\n"));
}

TEST_F(AdminServerTest, AnUnknownPathIsAnsweredWithTheKnownOnes) {
  const auto answer = get("/nothing");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(answer, EndsWith("there are:\n/bug\n/echo\n/healthz\n/metrics\n/readyz\n"));
}

TEST_F(AdminServerTest, OnlyReadingIsAllowed) {
  EXPECT_THAT(get("/healthz", "POST"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(get("/healthz", "DELETE"), StartsWith("HTTP/1.1 405 "));
}

TEST_F(AdminServerTest, HeadHasNoBody) {
  const auto answer = get("/healthz", "HEAD");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(AdminServerTest, AMalformedTargetIsRefused) {
  EXPECT_THAT(get("/%zz"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(get("http://[/"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(AdminServerTest, AHandlersExceptionIsAnswered) {
  const auto answer = get("/bug");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(answer, EndsWith("internal error: a bug\n"));
}

TEST_F(AdminServerTest, AConnectionServesSeveralRequests) {
  const auto answer = exchange(
      "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const auto first = answer.find("ok\n");
  EXPECT_NE(answer.find("ok\n", first + 1), std::string::npos);
}

TEST_F(AdminServerTest, AHugeRequestEndsTheConnection) {
  EXPECT_EQ(exchange("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(9000, 'x')), "");
}

TEST_F(AdminServerTest, MoreThanTheLimitOfConnectionsAreClosed) {
  std::vector<tcp::socket> sockets;
  for (int i = 0; i < 64; ++i) {
    sockets.push_back(connect());
    asio::write(sockets.back(), asio::buffer(std::string("GET /healthz HTTP/1.1\r\n")));
  }
  auto one_too_many = connect();
  EXPECT_EQ(read_all(one_too_many), "");
  sockets.clear();
  // Their places become free once the server has seen their end.
  std::string answer;
  for (int i = 0; i < 1000 && answer.empty(); ++i) answer = get("/healthz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerTest, APortIsNotShared) {
  const auto second = AdminServer::listen(context_, address_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr(address_.to_string() + ": Address already in use"));
}

TEST_F(AdminServerTest, AfterClosingNobodyIsServed) {
  auto open = connect();
  asio::write(open, asio::buffer(std::string("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")));
  std::string answer;
  asio::read(open, asio::dynamic_buffer(answer), asio::transfer_at_least(1));
  on_server_thread([this] { server_->close(); });
  EXPECT_THROW(connect(), boost::system::system_error);
  asio::write(open, asio::buffer(std::string("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")));
  EXPECT_THAT(read_all(open), testing::Not(HasSubstr("ok\n")));
}

}  // namespace
}  // namespace lazymesh
