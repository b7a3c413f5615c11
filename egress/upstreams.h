#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/ip.h"
#include "egress/config.h"
#include "egress/deadline_wheel.h"
#include "egress/on_demand/destination.h"
#include "egress/random.h"
#include "egress/stats.h"
#include "egress/stream.h"

namespace lazymesh::egress {

class Endpoint;
class Upstreams;
using EndpointPtr = std::shared_ptr<Endpoint>;

/// A connection to an endpoint: lent to one request at a time, between requests idle in its
/// endpoint's pool, where it ends when the server closes it or its time is up.
class UpstreamConnection final : public ReadyListener, public Deadline {
 public:
  UpstreamConnection(std::shared_ptr<Stream> stream, EndpointPtr endpoint, DeadlineWheel& wheel);
  ~UpstreamConnection();

  Stream& stream() { return *stream_; }
  bool reused() const { return reused_; }

 private:
  friend class Upstreams;
  void on_ready() override;
  void expired() override;
  void discard();

  std::shared_ptr<Stream> stream_;
  EndpointPtr endpoint_;
  bool reused_ = false;
};
using UpstreamConnectionPtr = std::unique_ptr<UpstreamConnection>;

/// One address of one cluster, as this loop uses it: how busy it is, and its idle connections.
class Endpoint {
 public:
  Endpoint(Upstreams& upstreams, std::string cluster, SocketAddress address)
      : upstreams_(upstreams), cluster_(std::move(cluster)), address_(address) {}
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  const SocketAddress& address() const { return address_; }
  std::uint32_t in_flight() const { return in_flight_; }

 private:
  friend class Upstreams;
  friend class UpstreamConnection;
  friend class InFlight;
  Upstreams& upstreams_;
  std::string cluster_;
  SocketAddress address_;
  std::uint32_t in_flight_ = 0;
  std::vector<UpstreamConnectionPtr> idle_;  ///< the most recently used is last
};

/// Counts one request towards its endpoint's load for as long as it lives.
class InFlight {
 public:
  InFlight() = default;
  explicit InFlight(EndpointPtr endpoint) : endpoint_(std::move(endpoint)) {
    ++endpoint_->in_flight_;
  }
  InFlight(InFlight&&) noexcept = default;
  InFlight& operator=(InFlight&& other) noexcept {
    std::swap(endpoint_, other.endpoint_);
    return *this;
  }
  ~InFlight() {
    if (endpoint_) --endpoint_->in_flight_;
  }
  const EndpointPtr& endpoint() const { return endpoint_; }

 private:
  EndpointPtr endpoint_;
};

/// A cluster of a snapshot with this loop's endpoints. Immutable but for their load.
class Cluster {
 public:
  Cluster(UpstreamClusterPtr snapshot, Upstreams& upstreams);

  const std::string& name() const { return snapshot_->name; }
  std::chrono::milliseconds connect_timeout() const { return snapshot_->connect_timeout; }

  /// The less busy, by its weight, of two endpoints drawn by weight (Envoy's least request with two
  /// choices), one not yet tried where there is one. Null if there are no endpoints.
  EndpointPtr pick(Random& random, std::span<const EndpointPtr> tried) const;

 private:
  struct Choice {
    EndpointPtr endpoint;
    std::uint32_t weight;
    std::uint64_t up_to;  ///< the weights up to and with this one, for drawing
  };
  const Choice& draw(Random& random) const;

  UpstreamClusterPtr snapshot_;
  std::vector<Choice> choices_;
};
using ClusterPtr = std::shared_ptr<const Cluster>;

/// The upstream side of one loop: endpoints and their pooled connections. One thread.
class Upstreams {
 public:
  Upstreams(const Limits& limits, const Clock& clock, DeadlineWheel& wheel, LoopStats& stats)
      : limits_(limits), clock_(clock), wheel_(wheel), stats_(stats) {}
  Upstreams(const Upstreams&) = delete;
  Upstreams& operator=(const Upstreams&) = delete;

  /// The loop's one object for this address of this cluster.
  EndpointPtr endpoint(const std::string& cluster, const SocketAddress& address);

  /// An idle connection to the endpoint, the most recently used first; null if there is none.
  /// `once`: for a request that could not be sent again, so that one whose end has come but has not
  /// been noticed is passed over (a system call).
  UpstreamConnectionPtr reuse(Endpoint& endpoint, bool once);
  UpstreamConnectionPtr adopt(std::shared_ptr<Stream> stream, EndpointPtr endpoint);
  /// Keep a connection over which a complete exchange went, if there is room.
  void keep(UpstreamConnectionPtr connection);
  std::size_t idle() const { return idle_; }
  /// Close all idle connections and keep no more.
  void close();

 private:
  friend class Endpoint;
  friend class UpstreamConnection;
  const Limits& limits_;
  const Clock& clock_;
  DeadlineWheel& wheel_;
  LoopStats& stats_;
  absl::flat_hash_map<std::pair<std::string, SocketAddress>, std::weak_ptr<Endpoint>> endpoints_;
  std::size_t idle_ = 0;
  bool closed_ = false;
};

}  // namespace lazymesh::egress
