#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "mesh/registry.h"

namespace boost::asio {
class io_context;
}
namespace grpc {
class CallbackGenericService;
}
namespace prometheus {
class Registry;
}

namespace lazymesh::publish::xds {

/// What a connected xDS client holds and thinks of it, for `/sidecars` and `lazymeshctl`.
struct ClientStatus {
  struct PerType {
    std::size_t sent = 0;  ///< resources held by the client as far as we know
    std::string version;   ///< of the last response acknowledged
    std::uint64_t responses = 0;
    std::uint64_t acks = 0;
    std::uint64_t nacks = 0;
    /// Envoy's own words; empty if the last answer was an ACK and nothing is left out because of
    /// an earlier one.
    std::string last_nack;
  };
  std::string node_id;
  std::string peer;
  bool delta = true;
  mesh::WorkloadId workload;  ///< empty for an egress
  mesh::LazyMode mode = mesh::LazyMode::kDisabled;
  WallTime connected;
  std::vector<std::string>
      pending;  ///< services in scope whose cluster is not warm yet, or that Envoy refused
  std::map<std::string, PerType> types;  ///< by short name: cds, eds, lds, rds
};

/// The embedded mesh backend: serves the aggregated discovery service, delta and state of the
/// world, to sidecars (by scope) and to egresses (by name). Lives on the control thread; gRPC
/// threads only post to it.
class Publisher {
 public:
  struct Options {
    /// A cluster that has not become warm for so long no longer holds up anything but its own
    /// route.
    std::chrono::milliseconds warming_deadline{2000};
    std::size_t max_streams = 20'000;
    /// Of one address that is not loopback: an egress has one for each namespace that it serves.
    std::size_t max_streams_of_one = 2'000;
    /// A stream that has not said who it is for so long is ended.
    std::chrono::milliseconds greeting_deadline{10'000};
    /// Names that one stream may subscribe to; above it the stream is ended with
    /// RESOURCE_EXHAUSTED.
    std::size_t max_names = 200'000;
  };

  /// The services that a lazy workload is told about: existing, visible, ascending by host. Called
  /// on the control thread.
  using ScopeOf = std::function<std::vector<mesh::ServicePtr>(const mesh::Workload&)>;

  static std::unique_ptr<Publisher> make(boost::asio::io_context& control, const Clock& clock,
                                         ScopeOf scope_of, prometheus::Registry& metrics,
                                         Options options);
  virtual ~Publisher() = default;

  /// Serves ADS, as a generic service so that resources go out without being copied; register it
  /// with the grpc::ServerBuilder. Streams that arrive before the first registry wait for it.
  virtual grpc::CallbackGenericService& service() = 0;

  /// Control thread: a new registry is in force (the first one opens the door). Only clients that
  /// see a change are sent anything.
  virtual void registry_changed(std::shared_ptr<const mesh::Registry> registry) = 0;
  /// Control thread: the scope of one workload is another.
  virtual void scope_changed(const mesh::WorkloadId& workload) = 0;

  /// Control thread.
  virtual std::vector<ClientStatus> clients() const = 0;
  /// End all streams; called before the gRPC server shuts down.
  virtual void close() = 0;
};

}  // namespace lazymesh::publish::xds
