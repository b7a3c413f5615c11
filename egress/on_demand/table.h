#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/clock.h"
#include "base/result.h"
#include "egress/on_demand/destination.h"
#include "egress/on_demand/link.h"
#include "egress/on_demand/resource_cache.h"

namespace lazymesh::egress {

/// What a loop asks for.
using Key = std::variant<CallerKey, DestinationKey>;
/// For messages: "reviews port 9080", "10.0.0.1 port 3306", "the caller 10.1.0.2".
std::string to_string(const Key& key);

/// What the Resolver says of a destination (proto/lazymesh/v1/resolver.proto).
struct ResolvedDestination {
  std::string host;
  std::uint16_t port = 0;
  mesh::Protocol protocol = mesh::Protocol::kHttp;
  std::string cluster;
  std::string route_configuration;  ///< empty: the host has no routes of its own
  std::string namespace_;
  Discovery discovery = Discovery::kEds;
  bool operator==(const ResolvedDestination&) const = default;
};
struct ResolvedNothing {
  std::string reason;
};
using Resolution = std::variant<mesh::WorkloadId, ResolvedDestination, ResolvedNothing>;

struct TableOptions {
  std::string controller;                     ///< for messages
  std::chrono::milliseconds deadline{5'000};  ///< of a first answer
  /// A route may name a cluster that does not exist: the others are not held up longer than this.
  std::chrono::milliseconds route_cluster_wait{1'000};
  std::chrono::milliseconds idle{std::chrono::minutes(10)};  ///< unused for so long: let go
  std::chrono::milliseconds unknown_ttl{10'000};  ///< how long a "no such host" is remembered
  std::chrono::milliseconds dns_refresh{30'000};
  std::chrono::milliseconds dns_retry{5'000};  ///< after a name could not be resolved
  std::size_t max_known = 10'000;  ///< destinations, and as many callers: least recently used first
  std::size_t max_unknown = 10'000;  ///< of each kind: oldest first
  std::size_t max_pending = 10'000;  ///< without an answer yet, of both kinds: more are refused
  std::size_t max_queries_per_message = 1'000;
  BackoffOptions backoff;
  std::uint64_t seed = 1;  ///< of the back-off's jitter
};

/// One message to one loop.
struct Delivery {
  struct Forget {};
  std::size_t loop = 0;
  Key key;
  std::variant<Forget, Result<CallerPtr>, Result<DestinationPtr>> what;
};

struct ResolverRequest {
  std::vector<Key> subscribe;
  std::vector<Key> unsubscribe;
};

/// What the shell is to do, in this order.
struct Actions {
  bool connect_resolver = false;
  std::vector<std::string> close_ads;    ///< by namespace
  std::vector<std::string> connect_ads;  ///< by namespace
  std::vector<std::string> resolve_names;
  std::vector<Delivery> deliveries;
  std::vector<UnsupportedReport> unsupported;
  std::vector<std::chrono::nanoseconds> answered_in;  ///< first answers of destinations
};

/// The on-demand client's whole knowledge and all its decisions, without I/O: told what loops ask,
/// what the control plane says and what time it is; says what is to be sent, opened and delivered.
///
/// A key goes from *asking* (the Resolver) to *waiting* (for cluster, endpoints, routes) to
/// *known*, or to *unknown*. Resolver and ADS stay subscribed to known keys, so an answer is good
/// until another one comes; what was delivered is never taken back because a stream broke. One
/// entry a key, however many loops and requests wait for it. Bounded by TableOptions' limits.
///
/// Requests are pulled (next_…_request()) when a stream can be written (from the attempt to open it
/// on), so that what changes in between is one request.
class Table {
 public:
  explicit Table(TableOptions options);
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  void watch(SteadyTime now, std::size_t loop, const Key& key);

  /// A stream that the actions said to open has reached the peer.
  void on_resolver_open(SteadyTime now);
  void on_resolver_closed(SteadyTime now, std::string reason);
  void on_resolution(SteadyTime now, const Key& key, Resolution resolution);

  void on_ads_open(SteadyTime now, const std::string& name_space);
  void on_ads_closed(SteadyTime now, const std::string& name_space, std::string reason);
  void on_ads_response(SteadyTime now, const std::string& name_space, AdsResponse response);

  void on_dns(SteadyTime now, const std::string& host,
              std::optional<std::vector<IpAddress>> addresses);
  /// Time has passed: deadlines, reconnects, what is idle. Due at next_wake(), harmless earlier.
  void on_tick(SteadyTime now);
  SteadyTime next_wake() const;

  Actions take_actions();
  std::optional<ResolverRequest> next_resolver_request();
  std::optional<AdsRequest> next_ads_request(const std::string& name_space);

  /// The Resolver was reached at least once: its stream stayed open, or answered.
  bool established() const { return established_; }

  struct Counts {
    std::size_t known[2] = {};    ///< callers, destinations
    std::size_t unknown[2] = {};  ///< callers, destinations
    std::size_t pending = 0;
    std::size_t streams_open = 0;
    bool up = false;  ///< the Resolver's stream is open
    std::size_t streams = 0;
    std::uint64_t watches = 0;
    std::uint64_t reconnects = 0;
    std::uint64_t failures = 0;   ///< first answers that did not come in time
    std::uint64_t refusals = 0;   ///< beyond max_pending
    std::uint64_t evictions = 0;  ///< idle, or above a limit
  };
  Counts counts() const;

  /// A view for the admin page; at most `limit` keys.
  struct Status {
    struct Stream {
      std::string name_space;  ///< empty: the Resolver's
      std::string state;
      std::string last_error;
      std::string cluster_version;
      std::size_t clusters = 0;
      std::size_t endpoints = 0;
      std::size_t routes = 0;
    };
    struct Entry {
      Key key;
      std::string state;
      std::string reason;  ///< unknown: why; waiting: for what
      std::size_t loops = 0;
      ResolvedDestination resolved;
      CallerPtr caller;
      DestinationPtr destination;
      std::vector<ResourceCache::ClusterStatus> clusters;
      std::vector<std::string> routes_unsupported;
      std::int64_t idle_seconds = 0;
    };
    std::vector<Stream> streams;
    std::vector<Entry> entries;
    std::size_t left_out = 0;
  };
  Status status(SteadyTime now, std::size_t limit) const;

 private:
  enum class State { kAsking, kWaiting, kKnown, kUnknown };
  struct Entry;
  struct Stream;

  // A pair, so that a set of them is ordered by time.
  using Timer = std::pair<SteadyTime, std::uint64_t>;

  Entry* find(const Key& key);
  void set_timer(Entry& entry, std::optional<SteadyTime> at);
  void set_state(Entry& entry, State state);
  void deliver(Entry& entry);
  void deliver_to(Entry& entry, std::size_t loop);
  void fail(SteadyTime now, Entry& entry);
  void forget(SteadyTime now, Entry& entry);
  void erase(SteadyTime now, Entry& entry);
  void become_unknown(SteadyTime now, Entry& entry, std::string reason);
  void become_caller(SteadyTime now, Entry& entry, mesh::WorkloadId workload);
  void become_destination(SteadyTime now, Entry& entry, ResolvedDestination resolved);
  void assemble(SteadyTime now, Entry& entry);
  void finish(SteadyTime now, Entry& entry, Destination next);
  void known(SteadyTime now, Entry& entry);
  void apply(SteadyTime now, ResourceCache::Change change);
  void use(SteadyTime now, Entry& entry, const std::string& name_space,
           std::set<std::string> clusters, const std::string& routes);
  void attempt_resolver();
  void attempt(const std::string& name_space, Stream& stream);
  Stream& stream(const std::string& name_space);
  void drop_if_unused(const std::string& name_space);
  void evict_least_used(SteadyTime now, std::size_t kind);
  void evict_unknown(SteadyTime now, std::size_t kind);
  void sweep(SteadyTime now);
  std::string missing(const Entry& entry) const;
  std::uint64_t random();

  const TableOptions options_;
  std::uint64_t random_state_;
  std::uint64_t next_id_ = 1;
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  absl::flat_hash_map<Key, std::uint64_t, KeyHash> ids_;
  absl::flat_hash_map<std::uint64_t, std::unique_ptr<Entry>> entries_;
  std::set<Timer> timers_;
  std::set<Timer> unknown_[2];  // by since when
  std::size_t known_[2] = {};
  std::size_t pending_ = 0;
  SteadyTime sweep_at_{};

  Link resolver_;
  bool established_ = false;
  std::vector<std::uint64_t> to_subscribe_;
  std::vector<Key> to_unsubscribe_;
  std::map<std::string, std::unique_ptr<Stream>, std::less<>> streams_;

  Actions actions_;
  Counts totals_;  // its counters only
};

}  // namespace lazymesh::egress
