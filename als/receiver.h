#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "als/observation.h"
#include "als/seats.h"
#include "base/result.h"

namespace grpc {
class Service;
}
namespace prometheus {
class Registry;
}

namespace lazymesh::als {

/// Receives access logs over `envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs`, from
/// egresses and from real Envoys, and hands them on as observations. Owns nothing of the mesh: who
/// may open a stream is `admit`'s affair, and what it may report the sink's. Limits: see Limits and
/// the constants; what is beyond them is refused and counted
/// (lazymesh_als_receiver_refused_total).
class Receiver {
 public:
  using Limits = Seats::Limits;
  static constexpr std::size_t kMaxMessageBytes = 1024 * 1024;
  static constexpr std::size_t kMaxMessageEntries = 8192;  ///< the rest of a message is left out

  /// What the peer of a new stream is, or why it may not report. Called on a gRPC thread.
  using Admit = std::function<Result<Role>(const IpAddress&)>;
  /// Called on a gRPC thread, a whole message at a time, the messages of one stream one after the
  /// other; must not block (post it, and bound what is posted).
  using Sink = std::function<void(const Reporter&, std::vector<Observation>)>;

  static std::unique_ptr<Receiver> make(Admit admit, Sink sink, Limits limits,
                                        prometheus::Registry& metrics);
  virtual ~Receiver() = default;

  /// The service to register with a grpc::ServerBuilder. The receiver must outlive the server.
  virtual grpc::Service& service() = 0;
};

}  // namespace lazymesh::als
