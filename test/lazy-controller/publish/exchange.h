#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "lazy-controller/publish/xds/catalog.h"
#include "lazy-controller/publish/xds/sequencer.h"
#include "lazy-controller/publish/xds/stream.h"
#include "test/lazy-controller/publish/fake_envoy.h"
#include "test/lazy-controller/publish/world.h"
#include "test/support/manual_clock.h"

namespace lazymesh::publish::xds::test {

/// A controller and the Envoy of workload shop/web, connected by two queues that move one message
/// at a time, without gRPC.
class Exchange {
 public:
  explicit Exchange(Variant variant);

  World world;
  std::vector<std::string> scope;
  lazymesh::test::ManualClock clock;
  FakeEnvoy envoy;
  /// Services to which no request may be refused once the client has routes.
  std::vector<std::string> served;

  /// The world or the scope is another.
  void registry_changed();
  void scope_changed();
  /// The connection breaks and is made again; the controller is another process if `restarted`.
  void reconnect(bool restarted);

  /// One message, if there is one.
  bool server_receives();
  bool server_sends();
  bool client_receives();
  /// Until nothing moves any more; what is in force at the client is checked at each step.
  void run();
  /// Let time pass on both sides.
  void wait(std::chrono::milliseconds time);

  /// Empty if nothing in force at the client has been contradictory.
  const std::string& contradiction() const { return contradiction_; }
  /// What the client should hold in the end.
  std::set<std::string> expected_clusters() const;
  std::string expected_routes() const;

  Sequencer& sequencer() { return *server_->sequencer; }
  Stream& stream() { return *server_->stream; }
  const std::vector<ResourceType>& sent() const { return sent_; }
  void forget_sent() { sent_.clear(); }

 private:
  struct Server {
    Names names;
    Catalog catalog{names};
    std::unique_ptr<Sequencer> sequencer;
    std::unique_ptr<Stream> stream;
    std::deque<Response> responses;
    ~Server() { responses.clear(); }
  };
  Target target();
  void open();
  void check();

  Variant variant_;
  std::unique_ptr<Server> server_;
  std::vector<ResourceType> sent_;
  std::string contradiction_;
};

}  // namespace lazymesh::publish::xds::test
