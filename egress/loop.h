#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <unordered_set>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "als/sender.h"
#include "base/clock.h"
#include "egress/asio.h"
#include "egress/buffer_pool.h"
#include "egress/config.h"
#include "egress/deadline_wheel.h"
#include "egress/directory.h"
#include "egress/exchange_memory.h"
#include "egress/first_uses.h"
#include "egress/own_addresses.h"
#include "egress/random.h"
#include "egress/stats.h"
#include "egress/upstreams.h"

namespace lazymesh::egress {

class Downstream;

/// One event loop on a thread of its own, with everything that its connections use: nothing on the
/// request path is shared with another loop. The public members are for that thread only.
class Loop {
 public:
  struct Shared {
    const Config& config;
    const Clock& clock;
    const OwnAddresses& own;
    als::Sender& access_log;
    Metrics& metrics;
  };

  /// Takes over the listening socket.
  Loop(const Shared& shared, unsigned number, int listening_socket);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Ask `on_demand` from now on. Before start().
  void attach(OnDemand& on_demand);
  void start();
  /// Accept no more, say goodbye, end by `config.drain` from now and call `ended` on the loop's
  /// thread. From any thread, once.
  void drain(std::function<void()> ended);
  /// After drain(): wait for the end.
  void join();

  const Config& config() const { return shared_.config; }
  const Limits& limits() const { return shared_.config.limits; }
  SteadyTime now() const { return shared_.clock.steady(); }
  WallTime wall_now() const { return shared_.clock.wall(); }
  bool is_own(const SocketAddress& address) const { return shared_.own.contains(address); }
  als::Sender& access_log() { return shared_.access_log; }
  Metrics& metrics() { return shared_.metrics; }
  Executor executor() { return context_.get_executor(); }
  bool draining() const { return draining_; }

  void add(Downstream& connection) { connections_.insert(&connection); }
  void remove(Downstream& connection) { connections_.erase(&connection); }

 private:
  asio::io_context context_;
  Shared shared_;

 public:
  LoopStats& stats;
  DeadlineWheel wheel;
  BufferPool buffers;
  Upstreams upstreams;
  Directory directory;
  Random random;
  FirstUses first_uses;
  ExchangeMemoryPool exchanges;

 private:
  void sweep_at(SteadyTime time);
  void accept();
  void accepted(Socket socket);
  void accept_backlog();
  Awaitable<> end();
  void cut_idle(std::chrono::milliseconds idle_for);
  std::vector<std::shared_ptr<Downstream>> connections() const;

  Acceptor acceptor_;
  asio::basic_waitable_timer<std::chrono::steady_clock,
                             asio::wait_traits<std::chrono::steady_clock>, Executor>
      timer_;
  SteadyTime sweep_ = SteadyTime::max();
  std::unordered_set<Downstream*> connections_;
  bool draining_ = false;
  std::function<void()> ended_;
  std::thread thread_;
  unsigned number_;
};

}  // namespace lazymesh::egress
