#pragma once

#include <memory>

#include "mesh/registry.h"

namespace boost::asio {
class io_context;
}
namespace grpc {
class Service;
}
namespace prometheus {
class Registry;
}

namespace lazymesh::api {

/// lazymesh.v1.Resolver for egresses: answers what is asked at once, and again whenever a new
/// registry changes the answer. State lives on the control thread; gRPC threads only post to it. A
/// query asked before the first registry is answered when that is in force. Only the mesh's
/// egresses may ask (settings.reporters, else settings.egress; the machine itself where bound
/// addresses are trusted), for as long as the registry says that they are: anybody else could list
/// the mesh. What is beyond a limit is refused with RESOURCE_EXHAUSTED, and every refusal counted
/// (lazymesh_resolver_refused_total).
class ResolverService {
 public:
  struct Options {
    std::size_t max_queries = 200'000;  ///< subscribed by one stream; above it the stream ends
    std::size_t max_streams = 1024;     ///< at once
  };

  static std::unique_ptr<ResolverService> make(boost::asio::io_context& control, Options options,
                                               prometheus::Registry& metrics);
  virtual ~ResolverService() = default;

  /// To register with the grpc::ServerBuilder.
  virtual grpc::Service& service() = 0;
  /// Control thread.
  virtual void registry_changed(std::shared_ptr<const mesh::Registry> registry) = 0;
  /// Control thread: end all streams, and those that still come, before the gRPC server shuts down.
  virtual void close() = 0;
};

}  // namespace lazymesh::api
