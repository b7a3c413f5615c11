#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"

namespace boost::asio {
class io_context;
}

namespace lazymesh {

struct ControllerConfig {
  std::string mesh_file;   ///< the registry (docs/mesh-file.md)
  std::string store_file;  ///< SQLite; made if it is not there
  SocketAddress grpc;      ///< port 0: any
  SocketAddress admin;
};

/// The lazy controller, wired together: mesh file → registry → learning → scopes → sidecars. All of
/// it lives on the thread that runs `control`; gRPC and the store have threads of their own that
/// only post to it.
class Controller {
 public:
  struct Addresses {
    SocketAddress grpc;
    SocketAddress admin;
  };

  /// Open the store, bind the listeners, load the mesh file. A mesh file that is missing or broken
  /// is no error: the controller waits for a good one, and says so on /readyz.
  static Result<std::unique_ptr<Controller>> build(boost::asio::io_context& control,
                                                   const Clock& clock,
                                                   const ControllerConfig& config);
  /// After stop(), once `control` has been stopped by it.
  virtual ~Controller() = default;

  virtual Addresses addresses() const = 0;
  /// Control thread: say goodbye to all clients, write what is not yet written, then stop
  /// `control`.
  virtual void stop() = 0;
};

}  // namespace lazymesh
