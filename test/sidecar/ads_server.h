#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/ip.h"
#include "sidecar/resource.h"

namespace grpc {
class Server;
}

namespace lazymesh::test {

/// The plainest controller: says over ADS what it was given, delta or state of the world, remembers
/// what the client refused, and takes access logs.
class AdsServer {
 public:
  explicit AdsServer(std::vector<sidecar::ResourcePtr> resources);
  ~AdsServer();

  SocketAddress address() const;
  /// Of one type, by now.
  std::size_t acknowledged(sidecar::ResourceType type) const;
  /// The client's own words for everything it refused.
  std::vector<std::string> refused() const;
  /// The HTTP entries of access logs, as text of the protos.
  std::vector<std::string> access_logs() const;

 private:
  class Discovery;
  class AccessLogs;
  std::unique_ptr<Discovery> discovery_;
  std::unique_ptr<AccessLogs> access_logs_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace lazymesh::test
