#pragma once

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
/// may report what is the sink's affair.
class Receiver {
 public:
  /// Called on a gRPC thread, a whole message at a time; must not block (post it).
  using Sink = std::function<void(const Reporter&, std::vector<Observation>)>;

  static std::unique_ptr<Receiver> make(Sink sink, prometheus::Registry& metrics);
  virtual ~Receiver() = default;

  /// The service to register with a grpc::ServerBuilder; lives as long as the receiver.
  virtual grpc::Service& service() = 0;
};

}  // namespace lazymesh::als
