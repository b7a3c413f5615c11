#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"

namespace prometheus {
class Registry;
}

namespace lazymesh::als {

/// What a proxy of ours says of one request or connection; the fields of Envoy's AccessLogCommon,
/// HTTPRequestProperties and HTTPResponseProperties of the same names
/// (envoy/data/accesslog/v3/accesslog.proto).
struct AccessLogEntry {
  /// Envoy's AccessLogType: a first use of a destination is told as soon as the upstream is there
  /// (UpstreamPoolReady, TcpUpstreamConnected), so that a long stream is learned while it runs;
  /// every use is told at its end (DownstreamEnd, TcpConnectionEnd).
  enum class Moment { kUpstreamReady, kEnd };

  Moment moment = Moment::kEnd;
  bool http = true;
  SocketAddress downstream_direct_remote_address;  ///< the TCP peer
  SocketAddress downstream_remote_address;         ///< PROXY protocol's source, else the peer
  SocketAddress downstream_local_address;          ///< PROXY protocol's destination, else our own
  std::optional<SocketAddress> upstream_remote_address;
  std::string upstream_cluster;  ///< `outbound|9080||host`, empty if the destination is unknown
  std::string route_name;
  WallTime start_time;
  std::chrono::nanoseconds duration{0};
  /// Envoy's short response flag: "" none, NR no route, NC no cluster, UF upstream connection
  /// failure, UH no healthy upstream, UC upstream connection termination, UT upstream timeout, DC
  /// downstream termination, DPE protocol error, NFCF no filter configuration found (our control
  /// plane gave no answer in time).
  std::string response_flag;
  std::string method;
  std::string authority;
  std::string path;
  std::string user_agent;
  std::string request_id;
  std::string protocol;  ///< "HTTP/1.1"
  std::uint32_t response_code = 0;
  std::string response_code_details;
  std::uint64_t request_bytes = 0;  ///< body bytes for HTTP, all for TCP
  std::uint64_t response_bytes = 0;
};

/// Streams access logs to an access log service as Envoy does (a flush when a size or an interval
/// is reached, the identifier in the first message of each stream), reconnecting with jittered
/// back-off. Bounded: when the queue is full the entry is dropped and counted, never the caller
/// blocked.
class Sender {
 public:
  struct Options {
    std::string target;                             ///< HOST:PORT of the access log service
    std::string node_id;                            ///< identifier.node.id
    std::string log_name = "lazymesh_egress";       ///< identifier.log_name
    std::size_t max_queue_bytes = 4 * 1024 * 1024;  ///< of entries not yet handed to gRPC
    std::chrono::milliseconds flush_interval{5};    ///< an entry waits at most this long
    std::size_t flush_bytes = 16 * 1024;
  };

  static std::unique_ptr<Sender> make(Options options, const Clock& clock,
                                      prometheus::Registry& metrics);
  /// Sends what is queued, for at most one second, and closes the stream.
  virtual ~Sender() = default;

  /// From any thread; never blocks and never fails.
  virtual void log(AccessLogEntry entry) = 0;
};

}  // namespace lazymesh::als
