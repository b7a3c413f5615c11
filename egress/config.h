#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "base/ip.h"
#include "egress/http1/message.h"

namespace lazymesh::egress {

/// Every bound on what the egress holds and waits for; counts are for one event loop.
struct Limits {
  http1::Limits http1;
  /// More are closed as they come (`lazymesh_egress_connections_refused_total{reason="limit"}`).
  std::size_t connections = 20'000;
  /// For the PROXY protocol header, which a sidecar sends with its first packet.
  std::chrono::milliseconds proxy_header_time{1'000};
  /// How long the client may be silent before it is taken for one whose server speaks first.
  std::chrono::milliseconds sniff_time{50};
  /// From the first byte of a request's head to its last; then 408.
  std::chrono::milliseconds head_time{60'000};
  /// Between two requests of a connection; Envoy's default.
  std::chrono::milliseconds idle_time{3'600'000};
  /// A request that is not through to the upstream and does not move; then 408 or 504
  /// (`lazymesh_egress_stalled_total`). Long, since nobody promised a pace. Nothing else under way
  /// is timed: a response, or a connection carried as bytes, may be silent for as long as its peers
  /// are there, which TCP's keepalive watches.
  std::chrono::milliseconds upload_idle_time{3'600'000};
  /// How long an upstream of HTTP may leave what it was sent unacknowledged: by itself the kernel
  /// gives a server that vanished about a quarter of an hour. Not for connections carried as bytes,
  /// where a server may rightly take nothing for as long as it likes.
  std::chrono::milliseconds unacknowledged_time{120'000};
  /// Requests that one connection has answered in one go before the others have their turn.
  unsigned requests_in_a_row = 32;
  /// Of a pooled upstream connection: below the 60 s after which most servers and balancers close.
  std::chrono::milliseconds upstream_idle_time{55'000};
  std::size_t idle_upstreams_per_endpoint = 128;
  std::size_t idle_upstreams = 1'024;
  /// Endpoints tried before a request fails because none could be connected to.
  std::size_t connect_tries = 3;
  /// Requests waiting for an answer of the controller; more are answered 503 at once.
  std::size_t waiting = 10'000;
  /// How long one waits; above the on-demand client's own deadline, which answers first.
  std::chrono::milliseconds answer_time{7'000};
  /// Answers kept; above it unknown hosts are forgotten first, then new ones are answered 503.
  std::size_t destinations = 16'384;
  std::size_t callers = 65'536;
  /// Pairs of caller and destination remembered as reported to the access log.
  std::size_t first_uses = 65'536;
};

/// How one egress is run: what the command line says.
struct Config {
  SocketAddress listen;
  SocketAddress admin;
  unsigned threads = 1;  ///< event loops
  /// Upstream connections of its family come from this address; else: the kernel's choice.
  std::optional<IpAddress> bind_upstream;
  /// How long connections may go on after stop().
  std::chrono::milliseconds drain{5'000};
  /// SIGTERM and SIGINT call stop().
  bool handle_signals = false;
  Limits limits;
};

}  // namespace lazymesh::egress
