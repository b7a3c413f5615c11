#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lazy-controller/publish/xds/messages.h"

namespace lazymesh::publish::xds::test {

/// What an Envoy does with discovery responses, without the Envoy: clusters warm until their
/// endpoints come and these have been checked, requests for clusters wait while any warms,
/// listeners are asked for once the first clusters are warm, then routes; good clusters of a
/// refused response are taken, unless one is invalid: then none is; what it holds survives the
/// stream.
class FakeEnvoy {
 public:
  explicit FakeEnvoy(Variant variant) : variant_(variant) {}

  /// A new stream: the requests with which Envoy opens one are put into the outbox.
  void connect();
  /// What the client has sent.
  std::deque<Request>& outbox() { return outbox_; }
  void receive(const Response& response);
  /// The first health checks of clusters that have endpoints are done.
  void finish_checks();
  /// Clusters whose endpoints did not come in time go on without.
  void time_out();

  /// Names of clusters that it refuses, unless they are changed.
  std::set<std::string> refuses;
  /// Its words are cut short before the first name.
  bool cuts_errors_short = false;
  /// It says which cluster is invalid.
  bool names_the_invalid = true;

  /// Of what is in force; empty if all is well.
  std::string contradiction() const;
  std::set<std::string> clusters() const;
  /// Clusters that the server cannot know of: they came with a refused response, so that their
  /// versions are not told when the stream is opened again.
  std::set<std::string> clusters_without_version() const;
  /// Whether it ever accepted a response with clusters, so that it names a version.
  bool accepted_clusters() const;
  std::string routes() const;
  bool listening() const { return asked_listeners_; }
  std::size_t received() const { return received_; }
  std::size_t received_resources() const { return received_resources_; }

 private:
  struct Held {
    sidecar::ResourcePtr resource;
    std::uint64_t version = 0;  // as told by the server; 0: of a refused response
  };
  struct Cluster {
    std::optional<Held> active;
    std::optional<Held> warming;
  };

  Request request(ResourceType type);
  void send(Request request);
  void answer(const Response& response, const std::string& error);
  bool reject_clusters(const Response& response);
  void receive_clusters(const Response& response);
  void receive_endpoints(const Response& response);
  void receive_rest(const Response& response);
  void ask_for_endpoints();
  void finish_warming(Cluster& cluster);
  void progress();
  bool is_warming() const;
  std::map<std::string, Held>& held(ResourceType type);

  Variant variant_;
  std::deque<Request> outbox_;
  std::deque<Request> paused_;  // requests for clusters, while any warms
  std::map<std::string, Cluster> clusters_;
  std::array<std::map<std::string, Held>, 4> held_;  // all but clusters
  std::set<std::string> wanted_endpoints_;
  std::array<std::string, 4> nonces_;
  std::array<std::string, 4> versions_;
  bool clusters_initialized_ = false;
  bool first_clusters_received_ = false;
  bool asked_listeners_ = false;
  bool asked_routes_ = false;
  std::vector<ResourceType> order_;  // in which it first asked, and will ask again
  std::size_t received_ = 0;
  std::size_t received_resources_ = 0;
};

}  // namespace lazymesh::publish::xds::test
