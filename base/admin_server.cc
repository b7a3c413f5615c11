#include "base/admin_server.h"

#include <chrono>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>
#include <boost/url/parse.hpp>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "base/completion.h"

namespace lazymesh {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr unsigned kMaxConnections = 64;
constexpr std::size_t kMaxRequestBytes = 8 * 1024;
constexpr std::chrono::seconds kRequestTime{10};

// After a failed accept (no file descriptors left, say) the listener rests for so long.
constexpr std::chrono::milliseconds kAcceptPause{100};

// Shared by the listener and its connections, so that a connection may outlive the server object,
// after which it finds no handlers.
struct Shared {
  std::map<std::string, AdminHandler> handlers;
  unsigned connections = 0;
  bool closed = false;
};

class CountedConnection {
 public:
  explicit CountedConnection(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {
    ++shared_->connections;
  }
  ~CountedConnection() { --shared_->connections; }
  CountedConnection(const CountedConnection&) = delete;
  CountedConnection& operator=(const CountedConnection&) = delete;

 private:
  std::shared_ptr<Shared> shared_;
};

AdminResponse not_found(const Shared& shared) {
  std::string body = "no such page; there are:\n";
  for (const auto& [path, handler] : shared.handlers) body += path + "\n";
  return {404, "text/plain", std::move(body)};
}

AdminResponse answer(const Shared& shared, const http::request<http::empty_body>& request) {
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    return {405, "text/plain", "only GET and HEAD\n"};
  }
  const auto url = boost::urls::parse_origin_form(request.target());
  if (!url) return {400, "text/plain", "malformed path\n"};
  AdminRequest parsed;
  parsed.path = url->path();
  for (const auto& parameter : url->params()) parsed.query[parameter.key] = parameter.value;
  const auto handler = shared.handlers.find(parsed.path);
  if (handler == shared.handlers.end()) return not_found(shared);
  try {
    return handler->second(parsed);
  } catch (const std::exception& e) {
    return {500, "text/plain", std::string("internal error: ") + e.what() + "\n"};
  }
}

asio::awaitable<void> serve(tcp::socket socket, std::shared_ptr<Shared> shared) {
  const CountedConnection counted(shared);
  beast::tcp_stream stream(std::move(socket));
  beast::flat_buffer buffer;
  beast::error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  while (!error && !shared->closed) {
    http::request_parser<http::empty_body> parser;
    parser.header_limit(kMaxRequestBytes);
    stream.expires_after(kRequestTime);
    co_await http::async_read(stream, buffer, parser, token);
    if (error) break;
    auto content = answer(*shared, parser.get());
    http::response<http::string_body> response{static_cast<http::status>(content.status),
                                               parser.get().version()};
    response.set(http::field::content_type, content.content_type);
    response.set(http::field::cache_control, "no-store");
    response.keep_alive(parser.get().keep_alive());
    response.body() = std::move(content.body);
    response.prepare_payload();
    if (parser.get().method() == http::verb::head) response.body().clear();
    stream.expires_after(kRequestTime);
    http::serializer<false, http::string_body> serializer{response};
    if (parser.get().method() == http::verb::head) {
      co_await http::async_write_header(stream, serializer, token);
    } else {
      co_await http::async_write(stream, serializer, token);
    }
    if (!response.keep_alive()) break;
  }
  stream.socket().shutdown(tcp::socket::shutdown_send, error);
}

// Accepts until it is closed; its handlers keep it alive.
class Listener final : public std::enable_shared_from_this<Listener> {
 public:
  Listener(asio::io_context& context, tcp::acceptor acceptor)
      : context_(context), acceptor_(std::move(acceptor)), pause_(context) {}

  Shared& shared() { return *shared_; }
  tcp::endpoint endpoint() const { return endpoint_; }

  void accept() {
    acceptor_.async_accept(
        [self = shared_from_this()](beast::error_code error, tcp::socket socket) {
          if (self->shared_->closed) return;
          if (error) return self->accept_later();
          if (self->shared_->connections < kMaxConnections) {
            asio::co_spawn(self->context_, serve(std::move(socket), self->shared_),
                           completion("admin"));
          }
          self->accept();
        });
  }

  void close() {
    shared_->closed = true;
    shared_->handlers.clear();
    beast::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  }

 private:
  void accept_later() {
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([self = shared_from_this()](beast::error_code error) {
      if (!error && !self->shared_->closed) self->accept();
    });
  }

  asio::io_context& context_;
  tcp::acceptor acceptor_;
  const tcp::endpoint endpoint_ = acceptor_.local_endpoint();
  asio::steady_timer pause_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

class Server final : public AdminServer {
 public:
  explicit Server(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {
    listener_->accept();
  }
  ~Server() override { listener_->close(); }

  void route(std::string path, AdminHandler handler) override {
    listener_->shared().handlers[std::move(path)] = std::move(handler);
  }

  SocketAddress address() const override {
    const auto endpoint = listener_->endpoint();
    return {*IpAddress::parse(endpoint.address().to_string()), endpoint.port()};
  }

  void close() override { listener_->close(); }

 private:
  std::shared_ptr<Listener> listener_;
};

boost::json::array to_json(const std::vector<std::string>& texts) {
  boost::json::array array;
  for (const auto& text : texts) array.emplace_back(text);
  return array;
}

}  // namespace

Result<std::unique_ptr<AdminServer>> AdminServer::listen(asio::io_context& context,
                                                         const SocketAddress& address) {
  tcp::acceptor acceptor(context);
  const tcp::endpoint endpoint(asio::ip::make_address(address.ip.to_string()), address.port);
  beast::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return fail(Code::kUnavailable, "admin listener " + address.to_string() + ": " +
                                        error.message() + "; give another address with --admin");
  }
  return std::make_unique<Server>(std::make_shared<Listener>(context, std::move(acceptor)));
}

void add_standard_routes(AdminServer& server, const Readiness& readiness,
                         const prometheus::Registry& metrics) {
  server.route("/healthz",
               [](const AdminRequest&) { return AdminResponse{200, "text/plain", "ok\n"}; });
  server.route("/readyz", [&readiness](const AdminRequest&) {
    const auto missing = readiness.blockers();
    const boost::json::object body{{"ready", missing.empty()},
                                   {"missing", to_json(missing)},
                                   {"warnings", to_json(readiness.warnings())}};
    return AdminResponse{missing.empty() ? 200U : 503U, "application/json",
                         boost::json::serialize(body) + "\n"};
  });
  server.route("/metrics", [&metrics](const AdminRequest&) {
    return AdminResponse{200, "text/plain; version=0.0.4",
                         prometheus::TextSerializer().Serialize(metrics.Collect())};
  });
}

}  // namespace lazymesh
