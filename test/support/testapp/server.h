#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace boost::asio {
class io_context;
}

namespace lazymesh::testapp {

/// Another service that this one calls when it is asked for /tree.
struct Call {
  std::string host;       ///< the Host header
  SocketAddress address;  ///< where the connection goes: a VIP, or this workload's own sidecar
};

struct ServerOptions {
  std::string name;                   ///< what it calls itself in its answers
  std::vector<SocketAddress> http;    ///< HTTP/1.1
  std::vector<SocketAddress> echo;    ///< TCP, the client speaks first
  std::vector<SocketAddress> banner;  ///< TCP, the server speaks first
  /// The connection's peer is a sidecar in front of us, which names its own peer as the last
  /// element of x-forwarded-for.
  bool behind_sidecar = false;
  std::vector<Call> calls;
};

/// A destination for the lab: answers HTTP requests with what it saw of them, and TCP connections
/// with who its peer is. Everything on the context's thread.
///
/// Paths: `/size?n=BYTES`, `/slow?ms=N`, `/status?code=N`, `/tree` (calls others first), `/quit`
/// (answers and closes); any other answers JSON `{server, peer, method, host, path, body_bytes,
/// headers, calls}`. A POST to /echo is answered with its body. `x-peer` and `x-server` are set on
/// every answer.
Result<void> serve(boost::asio::io_context& context, const ServerOptions& options);

}  // namespace lazymesh::testapp
