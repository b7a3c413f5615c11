#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace grpc {
class CallbackGenericService;
class Service;
}  // namespace grpc

namespace lazymesh::api {

/// The controller's one gRPC port: the xDS, resolver and access log services share it.
class GrpcServer {
 public:
  /// Bind and serve. `generic` answers whatever no service claims. The port is never shared with
  /// another process. Settings are those that gRPC's defaults get wrong for Envoy: keepalive pings
  /// are welcome, and a sidecar that reconnects may send its whole list of versions (up to 64 MiB).
  static Result<std::unique_ptr<GrpcServer>> listen(const SocketAddress& address,
                                                    const std::vector<grpc::Service*>& services,
                                                    grpc::CallbackGenericService& generic);
  virtual ~GrpcServer() = default;

  virtual SocketAddress address() const = 0;
  /// Blocks until all calls have ended, at most for `grace`, after which they are cancelled.
  virtual void shut_down(std::chrono::milliseconds grace) = 0;
};

}  // namespace lazymesh::api
