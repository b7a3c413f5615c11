#pragma once

#include <cstddef>
#include <string_view>

#include "base/ip.h"

/// The PROXY protocol (haproxy's doc/proxy-protocol.txt), versions 1 and 2, without I/O.
namespace lazymesh::egress {

struct ProxyHeader {
  /// The sender speaks for itself (LOCAL, UNKNOWN, or an address family other than IP over TCP):
  /// the connection's own addresses hold.
  bool local = false;
  SocketAddress source;
  SocketAddress destination;
};

struct ProxyHeaderResult {
  enum class State { kIncomplete, kComplete, kBad };
  State state = State::kIncomplete;
  std::size_t length = 0;  ///< of the header, once complete
  ProxyHeader header;
};

/// Longest header taken, its TLVs included (which are skipped).
inline constexpr std::size_t kMaxProxyHeader = 4096;

/// Parse what a connection began with; `input` is everything received so far. Bad as early as the
/// bytes show it.
ProxyHeaderResult parse_proxy_header(std::string_view input);

}  // namespace lazymesh::egress
