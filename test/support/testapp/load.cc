#include "test/support/testapp/load.h"

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>

#include "base/clock.h"
#include "base/completion.h"

namespace lazymesh::testapp {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr std::size_t kMaxFailures = 100;

struct State {
  LoadOptions options;
  SteadyTime begun;
  asio::io_context* context = nullptr;
  std::uint64_t started = 0;
  std::uint64_t finished = 0;
  std::uint64_t failed = 0;
  unsigned running = 0;
  bool ended = false;
  std::map<unsigned, std::uint64_t> statuses;
  std::map<std::string, std::uint64_t, std::less<>> peers;
  std::map<std::string, std::uint64_t, std::less<>> errors;
  double changed_ms = 0;                // when an answer last had another peer than the one before
  std::uint64_t started_at_change = 0;  // the requests that had begun by then
  boost::json::array failures;
  std::vector<std::uint32_t> microseconds;

  bool may_start() const { return !ended && (options.requests == 0 || started < options.requests); }
  double since_begun_ms() const {
    return std::chrono::duration<double, std::milli>(system_clock().steady() - begun).count();
  }
  void fail(const Target& target, std::string what) {
    ++failed;
    if (failures.size() >= kMaxFailures) return;
    failures.push_back(
        {{"ms", since_begun_ms()}, {"host", target.host}, {"what", std::move(what)}});
  }
};

class Connection {
 public:
  Connection(State& state, const Target& target)
      : state_(state), target_(target), stream_(*state.context) {
    request_.set(http::field::host, target.host);
  }

  asio::awaitable<void> run(std::size_t index, double phase) {
    auto token = asio::redirect_error(asio::use_awaitable, error_);
    asio::steady_timer timer(*state_.context);
    const auto interval = state_.options.rate > 0
                              ? std::chrono::duration_cast<SteadyTime::duration>(
                                    std::chrono::duration<double>(1 / state_.options.rate))
                              : SteadyTime::duration{0};
    auto next = state_.begun + state_.options.ramp * static_cast<long>(index) +
                std::chrono::duration_cast<SteadyTime::duration>(interval * phase);
    while (true) {
      if (next > system_clock().steady()) {
        timer.expires_at(next);
        co_await timer.async_wait(token);
      }
      if (!state_.may_start()) break;
      ++state_.started;
      co_await request();
      next = std::max(next + interval, system_clock().steady() - interval);
    }
  }

 private:
  asio::awaitable<void> request() {
    auto token = asio::redirect_error(asio::use_awaitable, error_);
    const auto begun = system_clock().steady();
    stream_.expires_after(state_.options.timeout);
    error_ = {};
    if (connected_ && closed_by_peer()) disconnect();
    if (!connected_) co_await connect();
    http::response_parser<http::string_body> parser;
    parser.body_limit(64 * 1024 * 1024);
    if (!error_) co_await http::async_write(stream_, request_, token);
    if (!error_) co_await http::async_read(stream_, buffer_, parser, token);
    if (!error_) {
      finish(parser.get(), begun);
      co_return;
    }
    disconnect();
    ++state_.finished;
    ++state_.errors[error_.message()];
    state_.fail(target_, error_.message());
    asio::steady_timer pause(*state_.context, std::chrono::milliseconds(5));
    co_await pause.async_wait(token);
  }

  asio::awaitable<void> connect() {
    co_await stream_.async_connect(
        tcp::endpoint(asio::ip::make_address(target_.address.ip.to_string()), target_.address.port),
        asio::redirect_error(asio::use_awaitable, error_));
    if (error_) co_return;
    connected_ = true;
    beast::error_code ignored;
    stream_.socket().set_option(tcp::no_delay(true), ignored);
  }

  // Whether the connection was ended while no request was under way.
  bool closed_by_peer() {
    beast::error_code error;
    stream_.socket().non_blocking(true, error);
    char byte = 0;
    stream_.socket().receive(asio::buffer(&byte, 1), tcp::socket::message_peek, error);
    return error != asio::error::would_block;
  }

  void disconnect() {
    stream_.close();
    buffer_.clear();
    connected_ = false;
  }

  void finish(const http::response<http::string_body>& response, SteadyTime begun) {
    const auto taken =
        std::chrono::duration_cast<std::chrono::microseconds>(system_clock().steady() - begun);
    ++state_.finished;
    state_.microseconds.push_back(static_cast<std::uint32_t>(taken.count()));
    ++state_.statuses[response.result_int()];
    count_peer(response["x-peer"]);
    if (response.result() != http::status::ok) {
      state_.fail(target_,
                  std::to_string(response.result_int()) + " " + response.body().substr(0, 200));
    }
    if (!response.keep_alive()) disconnect();
  }

  void count_peer(std::string_view peer) {
    if (peer.empty()) return;
    const auto known = state_.peers.find(peer);
    if (known != state_.peers.end()) {
      ++known->second;
    } else {
      state_.peers.emplace(peer, 1);
    }
    if (!peer_.empty() && peer_ != peer) {
      state_.changed_ms = state_.since_begun_ms();
      state_.started_at_change = state_.started;
    }
    peer_ = peer;
  }

  State& state_;
  const Target& target_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::request<http::empty_body> request_{http::verb::get, state_.options.path, 11};
  beast::error_code error_;
  bool connected_ = false;
  std::string peer_;  // of the last answer
};

asio::awaitable<void> drive(State& state, std::size_t index, double phase) {
  Connection connection(state, state.options.targets[index]);
  co_await connection.run(index, phase);
  if (--state.running == 0) state.context->stop();
}

boost::json::object percentiles(std::vector<std::uint32_t> microseconds) {
  boost::json::object object;
  if (microseconds.empty()) return object;
  std::sort(microseconds.begin(), microseconds.end());
  const auto at = [&](double share) {
    const auto last = static_cast<double>(microseconds.size() - 1);
    return microseconds[static_cast<std::size_t>(share * last)] / 1000.0;
  };
  object = {{"p50", at(0.5)}, {"p90", at(0.9)}, {"p99", at(0.99)}, {"max", at(1)}};
  return object;
}

std::string report(const State& state) {
  boost::json::object statuses;
  for (const auto& [status, count] : state.statuses) statuses[std::to_string(status)] = count;
  boost::json::object peers;
  for (const auto& [peer, count] : state.peers) peers[peer] = count;
  boost::json::object errors;
  for (const auto& [error, count] : state.errors) errors[error] = count;
  boost::json::object last_change{{"ms", state.changed_ms}, {"requests", state.started_at_change}};
  const auto seconds = std::chrono::duration<double>(system_clock().steady() - state.begun);
  return boost::json::serialize(boost::json::object{{"requests", state.finished},
                                                    {"failed", state.failed},
                                                    {"status", std::move(statuses)},
                                                    {"peers", std::move(peers)},
                                                    {"errors", std::move(errors)},
                                                    {"last_change", std::move(last_change)},
                                                    {"failures", state.failures},
                                                    {"ms", percentiles(state.microseconds)},
                                                    {"seconds", seconds.count()}});
}

}  // namespace

std::string load(const LoadOptions& options) {
  asio::io_context context(1);
  State state;
  state.options = options;
  state.begun = system_clock().steady();
  state.context = &context;
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&state](const beast::error_code&, int) { state.ended = true; });
  asio::steady_timer end(context);
  if (options.duration.count() > 0) {
    end.expires_at(state.begun + options.duration);
    end.async_wait([&state](const beast::error_code&) { state.ended = true; });
  }
  for (std::size_t index = 0; index < options.targets.size(); ++index) {
    for (unsigned i = 0; i < options.connections; ++i) {
      ++state.running;
      const double phase = static_cast<double>(i * options.targets.size() + index) /
                           static_cast<double>(options.connections * options.targets.size());
      asio::co_spawn(context, drive(state, index, phase), completion("testapp: load"));
    }
  }
  if (state.running > 0) context.run();
  return report(state);
}

}  // namespace lazymesh::testapp
