#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/readiness.h"
#include "base/result.h"
#include "egress/config.h"

namespace prometheus {
class Registry;
}
namespace lazymesh::als {
class Sender;
}

namespace lazymesh::egress {

class OnDemand;

/// Where the egress touches the world, apart from its sockets.
struct Edges {
  const Clock& clock;
  Readiness& readiness;
  prometheus::Registry& metrics;
  std::unique_ptr<OnDemand> on_demand;
  std::unique_ptr<als::Sender> access_log;
  /// The on-demand client's state as JSON, for the admin listener's /destinations; may be empty.
  std::function<std::string(const OnDemand&)> on_demand_state;
};

/// The shared proxy: listeners, event loops, admin listener. The same for the program and for its
/// tests.
class Egress {
 public:
  struct Addresses {
    SocketAddress listen;
    SocketAddress admin;
  };

  /// Bind everything; nothing is accepted before run(). kUnavailable names the address that cannot
  /// be bound.
  static Result<std::unique_ptr<Egress>> build(Config config, Edges edges);
  virtual ~Egress() = default;

  /// As bound.
  virtual Addresses addresses() const = 0;
  /// Serve on this thread (admin) and the loops' until stop(), and drain.
  virtual void run() = 0;
  /// Begin to drain; run() returns when that is over. From any thread.
  virtual void stop() = 0;
};

}  // namespace lazymesh::egress
