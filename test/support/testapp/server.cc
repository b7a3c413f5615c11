#include "test/support/testapp/server.h"

#include <charconv>
#include <memory>
#include <unordered_map>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>
#include <boost/url/parse.hpp>

#include "base/clock.h"
#include "base/completion.h"

namespace lazymesh::testapp {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using std::chrono::milliseconds;

constexpr std::uint64_t kMaxBody = 64 * 1024 * 1024;
constexpr std::chrono::minutes kIdleTime{10};
constexpr std::chrono::seconds kCallTime{30};

struct Shared {
  ServerOptions options;
  // Connections of /tree that are not in use, by the address they lead to.
  std::unordered_map<std::string, std::vector<std::unique_ptr<beast::tcp_stream>>> idle;
};
using SharedPtr = std::shared_ptr<Shared>;

tcp::endpoint to_endpoint(const SocketAddress& address) {
  return {asio::ip::make_address(address.ip.to_string()), address.port};
}

std::string address_of(const tcp::socket& socket) {
  beast::error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  return error ? std::string{} : endpoint.address().to_string();
}

// The last element of x-forwarded-for: what the sidecar in front of us added.
std::string forwarded_for(const http::fields& fields) {
  std::string_view list;
  const auto [begin, end] = fields.equal_range("x-forwarded-for");
  for (auto field = begin; field != end; ++field) list = field->value();
  const auto comma = list.rfind(',');
  if (comma != std::string_view::npos) list.remove_prefix(comma + 1);
  while (!list.empty() && list.front() == ' ') list.remove_prefix(1);
  return std::string(list);
}

std::size_t number(const boost::urls::url_view& url, std::string_view name, std::size_t otherwise) {
  const auto found = url.params().find(name);
  if (found == url.params().end()) return otherwise;
  const std::string text = (*found).value;
  std::size_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// One GET / on a kept connection where there is one. Answers what the callee said, how long it
// took, and the status (0: no answer).
asio::awaitable<boost::json::object> call(SharedPtr shared, Call target) {
  const auto begun = system_clock().steady();
  auto& idle = shared->idle[target.address.to_string()];
  std::unique_ptr<beast::tcp_stream> stream;
  beast::error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  if (!idle.empty()) {
    stream = std::move(idle.back());
    idle.pop_back();
    stream->expires_after(kCallTime);
  } else {
    stream = std::make_unique<beast::tcp_stream>(co_await asio::this_coro::executor);
    stream->expires_after(kCallTime);
    co_await stream->async_connect(to_endpoint(target.address), token);
  }
  http::response<http::string_body> response;
  if (!error) {
    http::request<http::empty_body> request{http::verb::get, "/tree", 11};
    request.set(http::field::host, target.host);
    co_await http::async_write(*stream, request, token);
  }
  if (!error) {
    beast::flat_buffer buffer;
    co_await http::async_read(*stream, buffer, response, token);
  }
  boost::json::object result{{"host", target.host}};
  result["status"] = error ? 0U : response.result_int();
  const auto taken = std::chrono::duration<double, std::milli>(system_clock().steady() - begun);
  result["ms"] = taken.count();
  if (error) {
    result["error"] = error.message();
  } else {
    boost::system::error_code malformed;
    auto answer = boost::json::parse(response.body(), malformed);
    if (!malformed) result["answer"] = std::move(answer);
    if (response.keep_alive())
      shared->idle[target.address.to_string()].push_back(std::move(stream));
  }
  co_return result;
}

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

boost::json::object describe(const Shared& shared, const Request& request, std::string_view peer) {
  boost::json::object headers;
  for (const auto& field : request) headers[std::string(field.name_string())] = field.value();
  boost::json::object object{{"server", shared.options.name},
                             {"peer", peer},
                             {"method", request.method_string()},
                             {"host", request[http::field::host]},
                             {"path", request.target()}};
  object["body_bytes"] = request.body().size();
  object["headers"] = std::move(headers);
  return object;
}

asio::awaitable<Response> answer(SharedPtr shared, Request request, std::string peer) {
  Response response{http::status::ok, request.version()};
  response.keep_alive(request.keep_alive());
  response.set("x-peer", peer);
  response.set("x-server", shared->options.name);
  const auto url = boost::urls::parse_origin_form(request.target());
  const std::string path = url ? std::string(url->path()) : "/";
  if (path == "/size") {
    response.body().assign(std::min<std::size_t>(number(*url, "n", 0), kMaxBody), 'x');
  } else if (path == "/echo" && request.method() == http::verb::post) {
    response.body() = std::move(request.body());
  } else {
    if (path == "/slow") {
      asio::steady_timer timer(co_await asio::this_coro::executor,
                               milliseconds(number(*url, "ms", 100)));
      beast::error_code error;
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
    if (path == "/status") response.result(static_cast<unsigned>(number(*url, "code", 200)));
    if (path == "/quit") response.keep_alive(false);
    auto object = describe(*shared, request, peer);
    if (path == "/tree") {
      boost::json::array calls;
      for (const auto& target : shared->options.calls)
        calls.push_back(co_await call(shared, target));
      object["calls"] = std::move(calls);
    }
    response.set(http::field::content_type, "application/json");
    response.body() = boost::json::serialize(object);
  }
  response.prepare_payload();
  co_return response;
}

asio::awaitable<void> serve_http(tcp::socket socket, SharedPtr shared) {
  const auto socket_peer = address_of(socket);
  beast::error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  beast::tcp_stream stream(std::move(socket));
  beast::flat_buffer buffer;
  while (true) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(kMaxBody);
    stream.expires_after(kIdleTime);
    co_await http::async_read(stream, buffer, parser, token);
    if (error) break;
    auto request = parser.release();
    auto peer = shared->options.behind_sidecar ? forwarded_for(request) : socket_peer;
    const auto response = co_await answer(shared, std::move(request), std::move(peer));
    co_await http::async_write(stream, response, token);
    if (error || !response.keep_alive()) break;
  }
  stream.socket().shutdown(tcp::socket::shutdown_send, error);
}

asio::awaitable<void> serve_tcp(tcp::socket socket, SharedPtr shared, bool server_first) {
  const std::string line = shared->options.name + " " + address_of(socket) + "\n";
  beast::error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  bool greeted = false;
  if (server_first) {
    co_await asio::async_write(socket, asio::buffer(line), token);
    greeted = true;
  }
  std::array<char, 16 * 1024> bytes;
  while (!error) {
    const auto size = co_await socket.async_read_some(asio::buffer(bytes), token);
    if (error) break;
    if (!greeted) co_await asio::async_write(socket, asio::buffer(line), token);
    greeted = true;
    if (!error) co_await asio::async_write(socket, asio::buffer(bytes.data(), size), token);
  }
  socket.shutdown(tcp::socket::shutdown_send, error);
}

enum class Kind { kHttp, kEcho, kBanner };

asio::awaitable<void> accept(tcp::acceptor acceptor, SharedPtr shared, Kind kind) {
  beast::error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  while (true) {
    tcp::socket socket = co_await acceptor.async_accept(token);
    if (error) continue;
    socket.set_option(tcp::no_delay(true), error);
    auto executor = socket.get_executor();
    if (kind == Kind::kHttp) {
      asio::co_spawn(executor, serve_http(std::move(socket), shared), completion("testapp: http"));
    } else {
      asio::co_spawn(executor, serve_tcp(std::move(socket), shared, kind == Kind::kBanner),
                     completion("testapp: tcp"));
    }
  }
}

Result<void> listen(asio::io_context& context, const SharedPtr& shared,
                    const SocketAddress& address, Kind kind) {
  beast::error_code error;
  const auto endpoint = to_endpoint(address);
  tcp::acceptor acceptor(context);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(4096, error);
  if (error)
    return fail(Code::kUnavailable,
                "cannot listen on " + address.to_string() + ": " + error.message());
  asio::co_spawn(context, accept(std::move(acceptor), shared, kind), completion("testapp: accept"));
  return {};
}

}  // namespace

Result<void> serve(asio::io_context& context, const ServerOptions& options) {
  auto shared = std::make_shared<Shared>(Shared{options, {}});
  const std::pair<const std::vector<SocketAddress>*, Kind> all[] = {
      {&options.http, Kind::kHttp}, {&options.echo, Kind::kEcho}, {&options.banner, Kind::kBanner}};
  for (const auto& [addresses, kind] : all) {
    for (const auto& address : *addresses) {
      if (auto listening = listen(context, shared, address, kind); !listening) return listening;
    }
  }
  return {};
}

}  // namespace lazymesh::testapp
