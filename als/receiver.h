#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "als/observation.h"

namespace grpc {
class Service;
}
namespace prometheus {
class Registry;
}

namespace lazymesh::als {

/// Receives access logs over `envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs`, from
/// egresses and from real Envoys, and hands them on as observations. Owns nothing of the mesh: who
/// may report what is the sink's affair. Limits: see the constants; what is beyond them is refused
/// and counted (lazymesh_als_receiver_refused_total).
class Receiver {
 public:
  static constexpr std::size_t kMaxStreams = 1024;  ///< at once
  static constexpr std::size_t kMaxMessageBytes = 1024 * 1024;
  static constexpr std::size_t kMaxMessageEntries = 8192;  ///< the rest of a message is left out

  /// Called on a gRPC thread, a whole message at a time, the messages of one stream one after the
  /// other; must not block (post it, and bound what is posted).
  using Sink = std::function<void(const Reporter&, std::vector<Observation>)>;

  static std::unique_ptr<Receiver> make(Sink sink, prometheus::Registry& metrics);
  virtual ~Receiver() = default;

  /// The service to register with a grpc::ServerBuilder. The receiver must outlive the server.
  virtual grpc::Service& service() = 0;
};

}  // namespace lazymesh::als
