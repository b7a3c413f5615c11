#include "egress/directory.h"

#include <algorithm>
#include <chrono>

namespace lazymesh::egress {
namespace {

/// Whether an error is an answer about the key (kept until told otherwise), not about the asking.
bool is_remembered(const Error& error) { return error.code == Code::kNotFound; }

LoopDestinationPtr adapt(DestinationPtr snapshot, Upstreams& upstreams) {
  auto out = std::make_shared<LoopDestination>();
  if (snapshot->cluster) out->cluster = std::make_shared<Cluster>(snapshot->cluster, upstreams);
  for (const auto& each : snapshot->route_clusters) {
    out->route_clusters.push_back(std::make_shared<Cluster>(each, upstreams));
  }
  out->snapshot = std::move(snapshot);
  return out;
}

}  // namespace

const Cluster* LoopDestination::find_cluster(std::string_view name) const {
  if (cluster && cluster->name() == name) return cluster.get();
  const auto found = std::lower_bound(
      route_clusters.begin(), route_clusters.end(), name,
      [](const ClusterPtr& each, std::string_view wanted) { return each->name() < wanted; });
  return found != route_clusters.end() && (*found)->name() == name ? found->get() : nullptr;
}

void Directory::attach(OnDemand& on_demand, OnDemand::Post post) {
  on_demand_ = &on_demand;
  loop_ = on_demand.attach(*this, std::move(post));
}

CallerEntryPtr Directory::caller(const CallerKey& key) {
  if (const auto found = callers_.find(key); found != callers_.end()) return found->second;
  if (callers_.size() >= limits_.callers) return nullptr;
  auto entry = std::make_shared<CallerEntry>();
  callers_.emplace(key, entry);
  on_demand_->watch_caller(loop_, key);
  return entry;
}

DestinationEntryPtr Directory::destination(const DestinationView& key) {
  if (const auto found = destinations_.find(key); found != destinations_.end()) {
    return found->second;
  }
  if (destinations_.size() >= limits_.destinations) forget_unknown();
  if (destinations_.size() >= limits_.destinations) return nullptr;
  auto entry = std::make_shared<DestinationEntry>();
  DestinationKey owned{std::string(key.caller_namespace), std::string(key.host), key.address,
                       key.port};
  destinations_.emplace(owned, entry);
  on_demand_->watch_destination(loop_, owned);
  return entry;
}

void Directory::touch(const std::shared_ptr<std::atomic<std::int64_t>>& last_used,
                      std::int64_t& written, SteadyTime now) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  if (written == seconds || !last_used) return;
  written = seconds;
  last_used->store(seconds, std::memory_order_relaxed);
}

template <class Ptr>
void Directory::wake(Entry<Ptr>& entry) {
  while (!entry.waiting.empty()) {
    auto* const listener = entry.waiting.front();
    entry.waiting.pop_front();
    --waiting_;
    listener->on_ready();  // may change anything here
  }
}

template <class Map, class Ptr>
void Directory::update(Map& map, typename Map::iterator found, Result<Ptr> answer) {
  const auto entry = found->second;
  if (!answer && !is_remembered(answer.error())) {
    // What is known holds while the controller is away; that nothing is known does not, since the
    // on-demand client has let go of the key and will not say when that changes.
    if (entry->answer && entry->answer->has_value()) return;
    entry->stale = true;
    map.erase(found);
  }
  entry->answer = std::move(answer);
  wake(*entry);
}

template <class Map>
void Directory::forget(Map& map, const typename Map::key_type& key) {
  const auto found = map.find(key);
  if (found == map.end()) return;
  const auto entry = found->second;
  entry->stale = true;
  map.erase(found);
  wake(*entry);  // those who wait look it up anew
}

void Directory::on_caller(const CallerKey& key, Result<CallerPtr> caller) {
  const auto found = callers_.find(key);
  if (found != callers_.end()) update(callers_, found, std::move(caller));
}

void Directory::on_destination(const DestinationKey& key, Result<DestinationPtr> destination) {
  const auto found = destinations_.find(key);
  if (found == destinations_.end()) return;
  update(destinations_, found, std::move(destination).map([this](DestinationPtr snapshot) {
    return adapt(std::move(snapshot), upstreams_);
  }));
}

void Directory::on_forget_caller(const CallerKey& key) { forget(callers_, key); }

void Directory::on_forget_destination(const DestinationKey& key) { forget(destinations_, key); }

void Directory::forget_unknown() {
  absl::erase_if(destinations_, [](const auto& each) {
    const auto& entry = each.second;
    const bool unknown = entry->answer && !*entry->answer;
    entry->stale = entry->stale || unknown;
    return unknown;
  });
}

}  // namespace lazymesh::egress
