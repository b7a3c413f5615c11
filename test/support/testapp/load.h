#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ip.h"

namespace lazymesh::testapp {

struct Target {
  std::string host;       ///< the Host header
  SocketAddress address;  ///< where the connection goes
};

struct LoadOptions {
  std::vector<Target> targets;
  std::string path = "/";
  unsigned connections = 1;  ///< a target, each kept alive
  double rate = 0;           ///< requests a second, a connection; 0: as fast as answers come
  std::chrono::milliseconds duration{0};    ///< stop after; 0: never
  std::uint64_t requests = 0;               ///< stop after; 0: never
  std::chrono::milliseconds ramp{0};        ///< target i begins at i * ramp
  std::chrono::milliseconds timeout{5000};  ///< of one request, the connection's making included
};

/// Drive the load until it ends, or SIGINT or SIGTERM ends it, and return what happened as JSON:
/// `{"requests","failed","status":{"200":n},"peers":{"10.0.0.2":n},"errors":{"text":n},
/// "last_change":{"ms","requests"},"failures":[{"ms","host","what"}],"ms":{"p50","p90","p99","max"},
/// "seconds"}`. A request without an answer, or with another than 200, is failed; `failures` holds
/// the first 100, `ms` their time since the start. `last_change`: when a connection was last
/// answered with another peer than before, and how many requests had begun by then. A connection
/// that ends between two requests is made again, and is no failure.
std::string load(const LoadOptions& options);

}  // namespace lazymesh::testapp
