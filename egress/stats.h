#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace prometheus {
class Histogram;
class Registry;
}  // namespace prometheus

namespace lazymesh::egress {

/// A count that one loop writes and any thread may read: a plain addition, no locked instruction.
class Count {
 public:
  void add(std::uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// What one loop has counted since it started.
struct LoopStats {
  Count connections_accepted;
  Count connections_closed;
  Count refused_limit;            ///< connections above the limit
  Count refused_proxy_header;     ///< without a (whole, well-formed, timely) PROXY header
  Count refused_destination;      ///< whose destination would be ourselves or is never forwarded to
  Count refused_callers;          ///< requests and connections of unknown callers
  Count tcp_connections;          ///< carried as bytes
  std::array<Count, 6> requests;  ///< by the class of the response's code; [0]: none was sent
  Count unknown_hosts;            ///< requests and connections to what is not in the registry
  Count unanswered;               ///< for which the controller gave no answer in time
  Count waiting_overflow;
  Count stalled;  ///< requests that did not get through to the upstream in time
  Count upstream_opened;
  Count upstream_closed;
  Count upstream_failed;  ///< could not be connected
  Count upstream_reused;  ///< requests over a pooled connection
  Count upstream_retries;
  Count request_bytes;
  Count response_bytes;
};

/// The egress's metrics. Loops count for themselves; fold() adds up what is new, so that a scrape
/// costs the request path nothing.
class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry);
  ~Metrics();

  /// One a loop, before the loops run.
  LoopStats& add_loop();
  /// Bring the registry up to date. From one thread at a time.
  void fold();
  /// How long a request waited for the first answer about its destination. Any thread.
  void observe_first_request(double seconds);
  const std::vector<std::unique_ptr<LoopStats>>& loops() const { return loops_; }

 private:
  struct Children;
  std::unique_ptr<Children> children_;
  std::vector<std::unique_ptr<LoopStats>> loops_;
};

}  // namespace lazymesh::egress
