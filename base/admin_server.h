#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/readiness.h"
#include "base/result.h"

namespace boost::asio {
class io_context;
}
namespace prometheus {
class Registry;
}

namespace lazymesh {

struct AdminRequest {
  std::string path;                          ///< without the query
  std::map<std::string, std::string> query;  ///< decoded
};

struct AdminResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
};

using AdminHandler = std::function<AdminResponse(const AdminRequest&)>;

/// The operator's HTTP listener of a program: GET and HEAD only, one handler a path, everything on
/// the thread that runs `context`. Limits: 64 connections at once (more are closed), 10 s to send a
/// request, 8 KiB of request. Unknown paths are answered 404 with the list of known ones.
class AdminServer {
 public:
  /// Bind and start to accept. kUnavailable, naming the address, if it cannot be bound; the port is
  /// never shared with another process.
  static Result<std::unique_ptr<AdminServer>> listen(boost::asio::io_context& context,
                                                     const SocketAddress& address);
  virtual ~AdminServer() = default;

  /// Serve GET `path` by `handler`, which runs on the context's thread and must not block.
  virtual void route(std::string path, AdminHandler handler) = 0;
  /// As bound: with port 0 asked for, the real one.
  virtual SocketAddress address() const = 0;
  /// Accept no more and forget the handlers; done by the destructor, too. On the context's thread.
  virtual void close() = 0;
};

/// What every program of ours serves: `/healthz` (200 while the loop runs), `/readyz` (200 or 503,
/// JSON `{"ready","missing","warnings"}`), `/metrics` (Prometheus text). The references must
/// outlive the server.
void add_standard_routes(AdminServer& server, const Readiness& readiness,
                         const prometheus::Registry& metrics);

}  // namespace lazymesh
