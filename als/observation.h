#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"

namespace lazymesh::als {

/// What the peer of a stream was when it began: a workload, whose Envoy reports for itself, or an
/// egress, which reports for all.
enum class Role { kWorkload, kEgress };

/// Who sent a stream of access logs: from the connection and from the first message's identifier.
struct Reporter {
  IpAddress peer;  ///< the peer address of the gRPC connection
  std::string
      node_id;  ///< Envoy's node id, claimed: `sidecar~10.0.0.1~web.shop~shop.svc.cluster.local`
  std::string log_name;  ///< claimed
  Role role = Role::kWorkload;
};

/// What one access log entry says that matters to learning. Nothing in it comes from a request's
/// headers but `authority`, which names the destination and never the source.
struct Observation {
  bool http = true;   ///< an HTTP entry, else a TCP one
  bool ended = true;  ///< told at the end of the request (counted), else at its start
  std::optional<SocketAddress> peer;  ///< downstream_direct_remote_address: the TCP peer
  std::optional<SocketAddress>
      source;  ///< downstream_remote_address: PROXY protocol's source, if any, else peer
  std::optional<SocketAddress> destination;  ///< downstream_local_address: the original destination
  std::string source_identity;      ///< SPIFFE id of the peer's certificate, empty in plaintext
  std::string authority;            ///< `:authority` or Host, as sent
  std::string upstream_cluster;     ///< `outbound|9080||host` once the proxy knew the destination
  std::uint32_t response_code = 0;  ///< 0 for TCP
  bool reached_upstream = false;    ///< an upstream connection was there: the destination is real
  WallTime start;
};

}  // namespace lazymesh::als
