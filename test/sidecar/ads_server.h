#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/ip.h"
#include "sidecar/resource.h"

namespace lazymesh::test {

/// The plainest aggregated discovery service: says what it was given, delta or state of the world,
/// and remembers what the client refused.
class AdsServer {
 public:
  explicit AdsServer(std::vector<sidecar::ResourcePtr> resources);
  ~AdsServer();

  SocketAddress address() const;
  /// Of one type, by now.
  std::size_t acknowledged(sidecar::ResourceType type) const;
  /// The client's own words for everything it refused.
  std::vector<std::string> refused() const;

 private:
  class Service;
  std::unique_ptr<Service> service_;
};

}  // namespace lazymesh::test
