#include "egress/loop.h"

#include <string>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/completion.h"
#include "egress/downstream.h"

namespace lazymesh::egress {
namespace {

/// How long a connection has been idle when draining closes it: a request may be on its way to one
/// that has just answered.
constexpr std::chrono::seconds kIdleWhenDraining{1};
constexpr std::chrono::milliseconds kDrainStep{20};
/// Accepting pauses so long when the process has no more file descriptors.
constexpr std::chrono::milliseconds kAcceptPause{100};

Acceptor adopt(asio::io_context& context, int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  (void)::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  Acceptor acceptor(context.get_executor());
  acceptor.assign(address.ss_family == AF_INET ? Tcp::v4() : Tcp::v6(), socket);
  return acceptor;
}

}  // namespace

Loop::Loop(const Shared& shared, unsigned number, int listening_socket)
    : context_(1),
      shared_(shared),
      stats(shared.metrics.add_loop()),
      wheel(shared.clock.steady(), [this](SteadyTime time) { sweep_at(time); }),
      upstreams(shared.config.limits, shared.clock, wheel, stats),
      directory(shared.config.limits, upstreams, stats),
      random(static_cast<std::uint64_t>(shared.clock.wall().time_since_epoch().count()) + number),
      first_uses(shared.config.limits.first_uses),
      acceptor_(adopt(context_, listening_socket)),
      timer_(context_.get_executor()),
      number_(number) {}

Loop::~Loop() { join(); }

void Loop::attach(OnDemand& on_demand) {
  directory.attach(on_demand, [this](std::function<void()> function) {
    asio::post(context_, std::move(function));
  });
}

void Loop::start() {
  accept();
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), ("egress-" + std::to_string(number_)).c_str());
    context_.run();
  });
}

void Loop::drain(std::function<void()> ended) {
  asio::post(context_, [this, ended = std::move(ended)]() mutable {
    ended_ = std::move(ended);
    draining_ = true;
    accept_backlog();
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    asio::co_spawn(context_.get_executor(), end(), completion("egress: drain"));
  });
}

void Loop::join() {
  if (thread_.joinable()) thread_.join();
}

void Loop::sweep_at(SteadyTime time) {
  if (time >= sweep_) return;
  sweep_ = time;
  timer_.expires_at(time);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    sweep_ = SteadyTime::max();
    wheel.advance(now());
  });
}

void Loop::accept() {
  acceptor_.async_accept([this](const boost::system::error_code& error, Socket socket) {
    // One that was accepted just before the drain is served: dropping it would reset it.
    if (!error) accepted(std::move(socket));
    if (error == asio::error::operation_aborted || draining_) return;
    if (!error) return accept();
    spdlog::warn("egress: accept: {}", error.message());
    auto timer = std::make_shared<decltype(timer_)>(context_.get_executor(), kAcceptPause);
    timer->async_wait([this, timer](const boost::system::error_code&) { accept(); });
  });
}

void Loop::accepted(Socket socket) {
  stats.connections_accepted.add(1);
  if (connections_.size() >= limits().connections) {
    stats.refused_limit.add(1);
    stats.connections_closed.add(1);
    return;  // closes it
  }
  asio::co_spawn(context_.get_executor(),
                 serve(std::make_shared<Downstream>(*this, std::move(socket))),
                 completion("egress: connection"));
}

void Loop::accept_backlog() {
  // Whoever connected before the drain is served: closing the socket would reset them.
  boost::system::error_code error;
  acceptor_.non_blocking(true, error);
  while (!error) {
    Socket socket(context_.get_executor());
    acceptor_.accept(socket, error);
    if (!error) accepted(std::move(socket));
  }
}

Awaitable<> Loop::end() {
  const auto until = now() + config().drain;
  decltype(timer_) pause(context_.get_executor());
  boost::system::error_code ignored;
  constexpr asio::use_awaitable_t<Executor> kToken;
  while (!connections_.empty() && now() < until) {
    cut_idle(kIdleWhenDraining);
    pause.expires_after(kDrainStep);
    co_await pause.async_wait(asio::redirect_error(kToken, ignored));
  }
  if (!connections_.empty()) {
    spdlog::warn("egress: {} connections are cut at the end of the drain", connections_.size());
  }
  while (!connections_.empty()) {
    for (const auto& each : connections()) each->cut();
    pause.expires_after(kDrainStep);
    co_await pause.async_wait(asio::redirect_error(kToken, ignored));
  }
  upstreams.close();
  timer_.cancel();
  ended_();
}

void Loop::cut_idle(std::chrono::milliseconds idle_for) {
  const auto since = now() - idle_for;
  for (const auto& each : connections()) {
    if (each->idle && each->idle_since <= since) each->cut();
  }
}

std::vector<std::shared_ptr<Downstream>> Loop::connections() const {
  std::vector<std::shared_ptr<Downstream>> all;
  all.reserve(connections_.size());
  for (auto* each : connections_) all.push_back(each->shared_from_this());
  return all;
}

}  // namespace lazymesh::egress
