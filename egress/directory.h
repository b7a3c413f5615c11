#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "egress/on_demand/on_demand.h"
#include "egress/upstreams.h"
#include "egress/wakeup.h"

namespace lazymesh::egress {

/// A destination as one loop uses it: the snapshot with the loop's own endpoints.
struct LoopDestination {
  DestinationPtr snapshot;
  ClusterPtr cluster;                      ///< null if the snapshot has none
  std::vector<ClusterPtr> route_clusters;  ///< by name ascending
  std::int64_t used = 0;                   ///< what was last written to the snapshot's last_used

  const Cluster* find_cluster(std::string_view name) const;
};
using LoopDestinationPtr = std::shared_ptr<LoopDestination>;

/// What a loop knows, or waits to be told, about one key.
template <class Ptr>
struct Entry {
  std::optional<Result<Ptr>> answer;
  /// No longer kept up to date: to be looked up anew.
  bool stale = false;
  std::list<ReadyListener*> waiting;
};
using CallerEntry = Entry<CallerPtr>;
using DestinationEntry = Entry<LoopDestinationPtr>;
using CallerEntryPtr = std::shared_ptr<CallerEntry>;
using DestinationEntryPtr = std::shared_ptr<DestinationEntry>;

/// DestinationKey without owning its text, for looking up.
struct DestinationView {
  std::string_view caller_namespace;
  std::string_view host;
  IpAddress address;
  std::uint16_t port = 0;
};

/// One loop's cache of callers and destinations. The first use of a key asks the on-demand client
/// once, however many requests wait for it; answers and changes come back as Observer calls on the
/// loop's thread. An answer that is not to be remembered is given to those who wait and dropped.
class Directory final : public OnDemand::Observer {
 public:
  Directory(const Limits& limits, Upstreams& upstreams, LoopStats& stats)
      : limits_(limits), upstreams_(upstreams), stats_(stats) {}
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  /// Before the first look-up.
  void attach(OnDemand& on_demand, OnDemand::Post post);

  /// The entry of a key, asked for if it is new. Null: the directory is full.
  CallerEntryPtr caller(const CallerKey& key);
  DestinationEntryPtr destination(const DestinationView& key);

  /// Have `listener` told once the entry has an answer or is stale. False: too many wait already.
  /// Undone by stop_waiting().
  template <class Ptr>
  bool wait(Entry<Ptr>& entry, ReadyListener& listener) {
    if (waiting_ >= limits_.waiting) {
      stats_.waiting_overflow.add(1);
      return false;
    }
    ++waiting_;
    entry.waiting.push_back(&listener);
    return true;
  }
  template <class Ptr>
  void stop_waiting(Entry<Ptr>& entry, ReadyListener& listener) {
    waiting_ -= entry.waiting.remove(&listener);
  }

  /// Tell the on-demand client of a use: at most once a second, which `written` remembers, since
  /// the other loops write there too.
  static void touch(const std::shared_ptr<std::atomic<std::int64_t>>& last_used,
                    std::int64_t& written, SteadyTime now);
  std::size_t destinations() const { return destinations_.size(); }

 private:
  void on_caller(const CallerKey& key, Result<CallerPtr> caller) override;
  void on_destination(const DestinationKey& key, Result<DestinationPtr> destination) override;
  void on_forget_caller(const CallerKey& key) override;
  void on_forget_destination(const DestinationKey& key) override;

  template <class Ptr>
  void wake(Entry<Ptr>& entry);
  template <class Map, class Ptr>
  void update(Map& map, typename Map::iterator found, Result<Ptr> answer);
  template <class Map>
  void forget(Map& map, const typename Map::key_type& key);
  void forget_unknown();

  /// Hash and equality of keys, owned or viewed.
  struct KeyHash {
    using is_transparent = void;
    template <class Key>
    std::size_t operator()(const Key& key) const {
      return absl::HashOf(std::string_view(key.caller_namespace), std::string_view(key.host),
                          key.address, key.port);
    }
  };
  struct KeyEqual {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return a.port == b.port && a.host == b.host && a.caller_namespace == b.caller_namespace &&
             a.address == b.address;
    }
  };

  const Limits& limits_;
  Upstreams& upstreams_;
  LoopStats& stats_;
  OnDemand* on_demand_ = nullptr;
  std::size_t loop_ = 0;
  std::size_t waiting_ = 0;
  absl::flat_hash_map<CallerKey, CallerEntryPtr> callers_;
  absl::flat_hash_map<DestinationKey, DestinationEntryPtr, KeyHash, KeyEqual> destinations_;
};

}  // namespace lazymesh::egress
