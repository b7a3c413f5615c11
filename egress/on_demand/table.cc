#include "egress/on_demand/table.h"

#include <algorithm>
#include <utility>

#include "egress/on_demand/routing.h"

namespace lazymesh::egress {
namespace {

// An opened stream that says nothing has been accepted by the peer if it lives so long.
constexpr std::chrono::milliseconds kEstablishedAfter{100};
// How long the content of released resources stays; longer than a request and its answer take.
constexpr std::chrono::seconds kReleasedFor{5};
// Between attempts to reach the controller while somebody waits for it, if the back-off is longer.
constexpr std::chrono::milliseconds kAttemptWhenNeeded{500};

std::int64_t seconds(SteadyTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string port_suffix(std::uint16_t port) { return " port " + std::to_string(port); }

Error control_plane_error(Code code, std::string message) {
  return {code, std::move(message), Origin::kControlPlane, Retry::kSafe};
}

}  // namespace

std::string to_string(const Key& key) {
  if (const auto* caller = std::get_if<CallerKey>(&key)) {
    return "the caller " +
           (caller->bound.is_unspecified() ? caller->source : caller->bound).to_string();
  }
  const auto& destination = std::get<DestinationKey>(key);
  return (destination.host.empty() ? destination.address.to_string() : destination.host) +
         port_suffix(destination.port);
}

std::size_t Table::KeyHash::operator()(const Key& key) const {
  return std::visit(
      [](const auto& each) { return absl::Hash<std::decay_t<decltype(each)>>{}(each); }, key);
}

struct Table::Entry {
  std::uint64_t id = 0;
  Key key;
  State state = State::kAsking;
  std::vector<std::size_t> loops;
  bool subscribed = false;  // told to the Resolver on its present stream
  SteadyTime asked_at{};
  std::optional<SteadyTime> timer;

  CallerPtr caller;
  DestinationPtr destination;
  std::string reason;          // kUnknown
  SteadyTime unknown_since{};  // kUnknown
  std::shared_ptr<std::atomic<std::int64_t>> last_used =
      std::make_shared<std::atomic<std::int64_t>>(0);

  // What is used of which stream, for what was resolved and for what was delivered.
  std::optional<ResolvedDestination> resolved;
  std::string name_space;
  std::set<std::string> clusters;
  std::string routes;
  // Since when only clusters that the routes name are missing, and which of these are no longer
  // waited for.
  std::optional<SteadyTime> routes_wait_since;
  std::set<std::string> given_up;

  std::size_t kind() const { return key.index(); }
};

struct Table::Stream {
  explicit Stream(BackoffOptions backoff) : link(backoff) {}
  Link link;
  ResourceCache cache;
};

Table::Table(TableOptions options)
    : options_(std::move(options)), random_state_(options_.seed), resolver_(options_.backoff) {}

Table::~Table() = default;

// SplitMix64: jitter needs no more.
std::uint64_t Table::random() {
  random_state_ += 0x9e3779b97f4a7c15;
  auto mixed = random_state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

Table::Entry* Table::find(const Key& key) {
  const auto found = ids_.find(key);
  return found == ids_.end() ? nullptr : entries_.at(found->second).get();
}

void Table::set_timer(Entry& entry, std::optional<SteadyTime> at) {
  if (entry.timer) timers_.erase({*entry.timer, entry.id});
  entry.timer = at;
  if (at) timers_.insert({*at, entry.id});
}

void Table::set_state(Entry& entry, State state) {
  const auto count = [&](State of, int by) {
    auto& counted = of == State::kKnown ? known_[entry.kind()] : pending_;
    if (of == State::kUnknown) {
      const Timer since{entry.unknown_since, entry.id};
      by > 0 ? void(unknown_[entry.kind()].insert(since))
             : void(unknown_[entry.kind()].erase(since));
    } else {
      counted += static_cast<std::size_t>(by);
    }
  };
  count(entry.state, -1);
  entry.state = state;
  count(state, 1);
}

void Table::watch(SteadyTime now, std::size_t loop, const Key& key) {
  ++totals_.watches;
  auto* entry = find(key);
  if (entry == nullptr) {
    if (pending_ >= options_.max_pending) {
      ++totals_.refusals;
      const auto error = control_plane_error(Code::kResourceExhausted,
                                             "more than " + std::to_string(options_.max_pending) +
                                                 " hosts and callers are being asked for at once");
      Delivery refusal{loop, key, Delivery::Forget{}};
      if (std::holds_alternative<CallerKey>(key)) {
        refusal.what = Result<CallerPtr>(tl::unexpected(error));
      } else {
        refusal.what = Result<DestinationPtr>(tl::unexpected(error));
      }
      actions_.deliveries.push_back(std::move(refusal));
      return;
    }
    auto made = std::make_unique<Entry>();
    entry = made.get();
    entry->id = next_id_++;
    entry->key = key;
    entry->asked_at = now;
    ids_.emplace(key, entry->id);
    entries_.emplace(entry->id, std::move(made));
    ++pending_;
    to_subscribe_.push_back(entry->id);
    set_timer(*entry, now + options_.deadline);
    resolver_.hurry(now + kAttemptWhenNeeded);
  }
  if (std::find(entry->loops.begin(), entry->loops.end(), loop) == entry->loops.end()) {
    entry->loops.push_back(loop);
  }
  entry->last_used->store(seconds(now), std::memory_order_relaxed);
  deliver_to(*entry, loop);
}

void Table::deliver_to(Entry& entry, std::size_t loop) {
  if (entry.state == State::kKnown) {
    Delivery delivery{loop, entry.key, Delivery::Forget{}};
    if (entry.kind() == 0) {
      delivery.what = Result<CallerPtr>(entry.caller);
    } else {
      delivery.what = Result<DestinationPtr>(entry.destination);
    }
    actions_.deliveries.push_back(std::move(delivery));
  } else if (entry.state == State::kUnknown) {
    const Error error{Code::kNotFound, entry.reason, Origin::kControlPlane, Retry::kNever};
    Delivery delivery{loop, entry.key, Delivery::Forget{}};
    if (entry.kind() == 0) {
      delivery.what = Result<CallerPtr>(tl::unexpected(error));
    } else {
      delivery.what = Result<DestinationPtr>(tl::unexpected(error));
    }
    actions_.deliveries.push_back(std::move(delivery));
  }
}

void Table::deliver(Entry& entry) {
  for (const auto loop : entry.loops) deliver_to(entry, loop);
}

// No answer in time: said to whoever waits, and forgotten, so that the next request asks again.
void Table::fail(SteadyTime now, Entry& entry) {
  ++totals_.failures;
  const auto within = " within " + std::to_string(options_.deadline.count()) + " ms";
  Error error;
  const auto found = streams_.find(entry.name_space);
  if (!resolver_.open()) {
    error = control_plane_error(
        Code::kUnavailable,
        "the controller " + options_.controller + " could not be asked about " +
            to_string(entry.key) + within + ": " +
            (resolver_.last_error().empty() ? "not connected yet" : resolver_.last_error()));
  } else if (entry.state == State::kAsking) {
    error = control_plane_error(Code::kDeadlineExceeded, "the controller " + options_.controller +
                                                             " did not say what is known of " +
                                                             to_string(entry.key) + within);
  } else if (found != streams_.end() && !found->second->link.open()) {
    error = control_plane_error(
        Code::kUnavailable,
        "the configuration of " + to_string(entry.key) + " could not be asked for" + within + ": " +
            (found->second->link.last_error().empty() ? "not connected yet"
                                                      : found->second->link.last_error()));
  } else {
    error = control_plane_error(Code::kDeadlineExceeded,
                                "the configuration of " + to_string(entry.key) + " did not come" +
                                    within + ": " + missing(entry));
  }
  for (const auto loop : entry.loops) {
    Delivery delivery{loop, entry.key, Delivery::Forget{}};
    if (entry.kind() == 0) {
      delivery.what = Result<CallerPtr>(tl::unexpected(error));
    } else {
      delivery.what = Result<DestinationPtr>(tl::unexpected(error));
    }
    actions_.deliveries.push_back(std::move(delivery));
  }
  erase(now, entry);
}

void Table::forget(SteadyTime now, Entry& entry) {
  ++totals_.evictions;
  for (const auto loop : entry.loops) {
    actions_.deliveries.push_back({loop, entry.key, Delivery::Forget{}});
  }
  erase(now, entry);
}

void Table::erase(SteadyTime now, Entry& entry) {
  use(now, entry, entry.name_space, {}, {});
  set_timer(entry, std::nullopt);
  if (entry.subscribed) to_unsubscribe_.push_back(entry.key);
  set_state(entry, State::kAsking);
  --pending_;
  ids_.erase(entry.key);
  entries_.erase(entry.id);
}

// Makes the entry a user of exactly these resources. What it keeps is not let go in between, so
// that nothing that is held is asked for again.
void Table::use(SteadyTime now, Entry& entry, const std::string& name_space,
                std::set<std::string> clusters, const std::string& routes) {
  const auto old_space = entry.name_space;
  const bool moved = old_space != name_space;
  if (!clusters.empty() || !routes.empty()) {
    auto& cache = stream(name_space).cache;
    const bool with_endpoints = entry.resolved && entry.resolved->discovery == Discovery::kEds;
    for (const auto& cluster : clusters) {
      if (!moved && entry.clusters.contains(cluster)) continue;
      cache.use_cluster(cluster, entry.id, with_endpoints || cluster != entry.resolved->cluster,
                        now - kReleasedFor);
    }
    if (!routes.empty() && (moved || entry.routes != routes)) {
      cache.use_routes(routes, entry.id, now - kReleasedFor);
    }
  }
  if (const auto found = streams_.find(old_space); found != streams_.end()) {
    auto& cache = found->second->cache;
    for (const auto& cluster : entry.clusters) {
      if (moved || !clusters.contains(cluster)) cache.release_cluster(now, cluster, entry.id);
    }
    if (!entry.routes.empty() && (moved || entry.routes != routes)) {
      cache.release_routes(now, entry.routes, entry.id);
    }
    drop_if_unused(old_space);
  }
  entry.name_space = name_space;
  entry.clusters = std::move(clusters);
  entry.routes = routes;
}

void Table::attempt(const std::string& name_space, Stream& stream) {
  stream.link.on_attempt();
  stream.cache.on_stream_open();
  actions_.connect_ads.push_back(name_space);
}

Table::Stream& Table::stream(const std::string& name_space) {
  auto& found = streams_[name_space];
  if (!found) {
    found = std::make_unique<Stream>(options_.backoff);
    attempt(name_space, *found);
  }
  return *found;
}

void Table::drop_if_unused(const std::string& name_space) {
  const auto found = streams_.find(name_space);
  if (found == streams_.end() || !found->second->cache.empty()) return;
  streams_.erase(found);
  std::erase(actions_.connect_ads, name_space);
  actions_.close_ads.push_back(name_space);
}

void Table::attempt_resolver() {
  if (!resolver_.last_error().empty()) ++totals_.reconnects;
  resolver_.on_attempt();
  actions_.connect_resolver = true;
  to_subscribe_.clear();
  to_unsubscribe_.clear();
  for (auto& [id, entry] : entries_) {
    entry->subscribed = false;
    to_subscribe_.push_back(id);
  }
  // Those that somebody waits for first.
  std::partition(to_subscribe_.begin(), to_subscribe_.end(),
                 [this](std::uint64_t id) { return entries_.at(id)->state == State::kAsking; });
}

void Table::on_resolver_open(SteadyTime now) {
  resolver_.on_open(now);
  for (auto& [name_space, each] : streams_) each->link.hurry(now);
  on_tick(now);
}

void Table::on_resolver_closed(SteadyTime now, std::string reason) {
  resolver_.on_closed(now, std::move(reason), random());
  if (pending_ > 0) resolver_.hurry(now + kAttemptWhenNeeded);
  to_subscribe_.clear();
  to_unsubscribe_.clear();
  for (auto& [id, entry] : entries_) entry->subscribed = false;
}

void Table::on_resolution(SteadyTime now, const Key& key, Resolution resolution) {
  resolver_.on_message();
  established_ = true;
  auto* entry = find(key);
  if (entry == nullptr) return;
  if (auto* nothing = std::get_if<ResolvedNothing>(&resolution)) {
    become_unknown(now, *entry, std::move(nothing->reason));
  } else if (auto* workload = std::get_if<mesh::WorkloadId>(&resolution);
             workload && entry->kind() == 0) {
    become_caller(now, *entry, std::move(*workload));
  } else if (auto* destination = std::get_if<ResolvedDestination>(&resolution);
             destination && entry->kind() == 1) {
    become_destination(now, *entry, std::move(*destination));
  } else {
    become_unknown(now, *entry, "the controller answered something else than was asked");
  }
}

void Table::become_unknown(SteadyTime now, Entry& entry, std::string reason) {
  if (entry.state == State::kUnknown && entry.reason == reason) return;
  use(now, entry, entry.name_space, {}, {});
  entry.resolved.reset();
  entry.destination.reset();
  entry.caller.reset();
  entry.routes_wait_since.reset();
  entry.given_up.clear();
  if (entry.state == State::kUnknown) set_state(entry, State::kAsking);
  entry.reason = std::move(reason);
  entry.unknown_since = now;
  set_state(entry, State::kUnknown);
  set_timer(entry, now + options_.unknown_ttl);
  deliver(entry);
  evict_unknown(now, entry.kind());
}

void Table::become_caller(SteadyTime now, Entry& entry, mesh::WorkloadId workload) {
  if (entry.state == State::kKnown && entry.caller->workload == workload) return;
  entry.caller = std::make_shared<const Caller>(Caller{std::move(workload)});
  known(now, entry);
}

void Table::become_destination(SteadyTime now, Entry& entry, ResolvedDestination resolved) {
  if (entry.resolved == resolved) return;
  entry.resolved = resolved;
  if (entry.state == State::kUnknown) entry.asked_at = now;
  if (resolved.namespace_.empty()) {
    // Outside the registry: there is nothing to ask for, the original destination is the endpoint.
    use(now, entry, {}, {}, {});
    UpstreamCluster cluster;
    cluster.name = resolved.cluster;
    Destination next;
    next.cluster = std::make_shared<const UpstreamCluster>(std::move(cluster));
    return finish(now, entry, std::move(next));
  }
  // What was delivered is not dropped before what replaces it is there, unless it moved to another
  // stream: then the delivered snapshot lives on by itself.
  std::set<std::string> clusters{resolved.cluster};
  if (entry.state == State::kKnown && entry.name_space == resolved.namespace_) {
    clusters.insert(entry.clusters.begin(), entry.clusters.end());
  }
  use(now, entry, resolved.namespace_, std::move(clusters), resolved.route_configuration);
  if (entry.state == State::kAsking || entry.state == State::kUnknown) {
    set_timer(entry, entry.asked_at + options_.deadline);
    set_state(entry, State::kWaiting);
  }
  assemble(now, entry);
}

// Delivers a new snapshot if all that it is made from is there and it is another than the last.
void Table::assemble(SteadyTime now, Entry& entry) {
  const auto& resolved = *entry.resolved;
  auto& cache = streams_.at(entry.name_space)->cache;
  std::shared_ptr<const RouteTable> routes;
  std::set<std::string> wanted{resolved.cluster};
  if (!resolved.route_configuration.empty()) {
    routes = cache.routes(resolved.route_configuration);
    if (!routes) return;
    wanted.insert(routes->clusters().begin(), routes->clusters().end());
    auto held = wanted;
    held.insert(entry.clusters.begin(), entry.clusters.end());
    use(now, entry, entry.name_space, std::move(held), entry.routes);
  }
  Destination next;
  next.cluster = cache.cluster(resolved.cluster);
  if (!next.cluster) return;
  std::set<std::string> missing;
  if (routes) {
    for (const auto& name : routes->clusters()) {
      if (auto cluster = cache.cluster(name)) {
        next.route_clusters.push_back(std::move(cluster));
      } else {
        missing.insert(name);
      }
    }
  }
  if (!std::includes(entry.given_up.begin(), entry.given_up.end(), missing.begin(),
                     missing.end())) {
    if (!entry.routes_wait_since) entry.routes_wait_since = now;
    const auto until = *entry.routes_wait_since + options_.route_cluster_wait;
    if (now < until) {
      if (!entry.timer || *entry.timer > until) set_timer(entry, until);
      return;
    }
  }
  entry.routes_wait_since.reset();
  entry.given_up = std::move(missing);
  next.routes = std::move(routes);
  use(now, entry, entry.name_space, std::move(wanted), entry.routes);
  finish(now, entry, std::move(next));
}

// Delivers the snapshot, completed by what was resolved, unless it is the last one again.
void Table::finish(SteadyTime now, Entry& entry, Destination next) {
  const auto& resolved = *entry.resolved;
  next.host = resolved.host;
  next.port = resolved.port;
  next.protocol = resolved.protocol;
  next.discovery = resolved.discovery;
  next.last_used = entry.last_used;
  const auto* last = entry.destination.get();
  if (last && last->host == next.host && last->port == next.port &&
      last->protocol == next.protocol && last->discovery == next.discovery &&
      last->cluster == next.cluster && last->routes == next.routes &&
      last->route_clusters == next.route_clusters) {
    if (entry.state == State::kKnown) set_timer(entry, std::nullopt);
    return;
  }
  entry.destination = std::make_shared<const Destination>(std::move(next));
  known(now, entry);
}

void Table::known(SteadyTime now, Entry& entry) {
  const bool first = entry.state != State::kKnown;
  set_timer(entry, std::nullopt);
  if (first) {
    if (entry.kind() == 1) actions_.answered_in.push_back(now - entry.asked_at);
    set_state(entry, State::kKnown);
    entry.last_used->store(seconds(now), std::memory_order_relaxed);
  }
  deliver(entry);
  if (first) evict_least_used(now, entry.kind());
}

void Table::on_ads_open(SteadyTime now, const std::string& name_space) {
  const auto found = streams_.find(name_space);
  if (found == streams_.end()) return;
  found->second->link.on_open(now);
}

void Table::on_ads_closed(SteadyTime now, const std::string& name_space, std::string reason) {
  const auto found = streams_.find(name_space);
  if (found != streams_.end()) {
    found->second->link.on_closed(now, std::move(reason), random());
  }
}

void Table::on_ads_response(SteadyTime now, const std::string& name_space, AdsResponse response) {
  const auto found = streams_.find(name_space);
  if (found == streams_.end()) return;
  found->second->link.on_message();
  apply(now, found->second->cache.on_response(std::move(response)));
}

void Table::on_dns(SteadyTime now, const std::string& host,
                   std::optional<std::vector<IpAddress>> addresses) {
  const auto again = now + (addresses ? options_.dns_refresh : options_.dns_retry);
  std::vector<ResourceCache::Change> changes;
  for (auto& [name_space, each] : streams_) {
    changes.push_back(each->cache.on_dns(host, addresses, again));
  }
  for (auto& change : changes) apply(now, std::move(change));
}

void Table::apply(SteadyTime now, ResourceCache::Change change) {
  for (auto& report : change.unsupported) actions_.unsupported.push_back(std::move(report));
  for (const auto id : change.users) {
    const auto found = entries_.find(id);
    if (found != entries_.end() && found->second->resolved) assemble(now, *found->second);
  }
}

void Table::evict_least_used(SteadyTime now, std::size_t kind) {
  if (known_[kind] <= options_.max_known) return;
  // A hundredth more than necessary, so that the search is not made for each new key.
  const auto excess = known_[kind] - options_.max_known + options_.max_known / 100;
  std::vector<Timer> by_use;
  for (const auto& [id, entry] : entries_) {
    if (entry->state != State::kKnown || entry->kind() != kind) continue;
    by_use.emplace_back(
        SteadyTime(std::chrono::seconds(entry->last_used->load(std::memory_order_relaxed))), id);
  }
  const auto end = by_use.begin() + static_cast<std::ptrdiff_t>(excess);
  std::nth_element(by_use.begin(), end - 1, by_use.end());
  for (auto each = by_use.begin(); each != end; ++each) forget(now, *entries_.at(each->second));
}

void Table::evict_unknown(SteadyTime now, std::size_t kind) {
  while (unknown_[kind].size() > options_.max_unknown) {
    forget(now, *entries_.at(unknown_[kind].begin()->second));
  }
}

void Table::on_tick(SteadyTime now) {
  if (resolver_.due(now)) attempt_resolver();
  if (resolver_.open() && now - resolver_.opened_at() >= kEstablishedAfter) established_ = true;
  for (auto& [name_space, each] : streams_) {
    if (each->link.due(now)) {
      ++totals_.reconnects;
      attempt(name_space, *each);
    }
    for (auto& host : each->cache.dns_due(now)) actions_.resolve_names.push_back(std::move(host));
  }
  std::vector<std::uint64_t> due;
  while (!timers_.empty() && timers_.begin()->first <= now) {
    due.push_back(timers_.begin()->second);
    set_timer(*entries_.at(due.back()), std::nullopt);
  }
  for (const auto id : due) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) continue;
    auto& entry = *found->second;
    switch (entry.state) {
      case State::kAsking:
        fail(now, entry);
        break;
      case State::kWaiting:
        assemble(now, entry);
        if (entries_.contains(id) && entry.state == State::kWaiting) {
          if (now >= entry.asked_at + options_.deadline) {
            fail(now, entry);
          } else {
            set_timer(entry, entry.asked_at + options_.deadline);
          }
        }
        break;
      case State::kKnown:
        if (entry.resolved) assemble(now, entry);
        break;
      case State::kUnknown:
        // While nobody could say otherwise, what is unknown stays so.
        if (resolver_.open()) {
          forget(now, entry);
        } else {
          set_timer(entry, now + options_.unknown_ttl);
        }
        break;
    }
  }
  if (now >= sweep_at_) sweep(now);
}

// Lets go of what has not been used for long, but not while it could not be asked for again.
void Table::sweep(SteadyTime now) {
  using std::chrono::milliseconds;
  sweep_at_ =
      now + std::clamp<milliseconds>(options_.idle / 20, milliseconds(1'000), milliseconds(30'000));
  for (auto& [name_space, each] : streams_) each->cache.purge(now - kReleasedFor);
  if (!resolver_.open()) return;
  // Callers are kept up to their limit: no loop tells when it uses them.
  const auto limit =
      seconds(now) - std::chrono::duration_cast<std::chrono::seconds>(options_.idle).count();
  std::vector<std::uint64_t> idle;
  for (const auto& [id, entry] : entries_) {
    if (entry->state == State::kKnown && entry->kind() == 1 &&
        entry->last_used->load(std::memory_order_relaxed) <= limit) {
      idle.push_back(id);
    }
  }
  for (const auto id : idle) forget(now, *entries_.at(id));
}

SteadyTime Table::next_wake() const {
  auto wake = sweep_at_;
  if (!timers_.empty()) wake = std::min(wake, timers_.begin()->first);
  if (resolver_.state() == Link::State::kWaiting) wake = std::min(wake, resolver_.retry_at());
  if (resolver_.open() && !established_) {
    wake = std::min(wake, resolver_.opened_at() + kEstablishedAfter);
  }
  for (const auto& [name_space, each] : streams_) {
    if (each->link.state() == Link::State::kWaiting) wake = std::min(wake, each->link.retry_at());
    if (const auto dns = each->cache.dns_wake()) wake = std::min(wake, *dns);
  }
  return wake;
}

Actions Table::take_actions() { return std::exchange(actions_, {}); }

// What is no longer wanted goes first, in a message of its own: a key may have been let go and
// asked for again.
std::optional<ResolverRequest> Table::next_resolver_request() {
  if (resolver_.state() == Link::State::kWaiting) return std::nullopt;
  ResolverRequest request;
  const auto most = options_.max_queries_per_message;
  if (!to_unsubscribe_.empty()) {
    const auto count = std::min(most, to_unsubscribe_.size());
    const auto end = to_unsubscribe_.begin() + static_cast<std::ptrdiff_t>(count);
    request.unsubscribe.assign(std::make_move_iterator(to_unsubscribe_.begin()),
                               std::make_move_iterator(end));
    to_unsubscribe_.erase(to_unsubscribe_.begin(), end);
    return request;
  }
  std::size_t taken = 0;
  while (taken < to_subscribe_.size() && request.subscribe.size() < most) {
    const auto found = entries_.find(to_subscribe_[taken++]);
    if (found == entries_.end() || found->second->subscribed) continue;
    found->second->subscribed = true;
    request.subscribe.push_back(found->second->key);
  }
  to_subscribe_.erase(to_subscribe_.begin(),
                      to_subscribe_.begin() + static_cast<std::ptrdiff_t>(taken));
  if (request.subscribe.empty()) return std::nullopt;
  return request;
}

std::optional<AdsRequest> Table::next_ads_request(const std::string& name_space) {
  const auto found = streams_.find(name_space);
  if (found == streams_.end() || found->second->link.state() == Link::State::kWaiting) {
    return std::nullopt;
  }
  return found->second->cache.next_request();
}

std::string Table::missing(const Entry& entry) const {
  std::string text;
  const auto add = [&](const std::string& name, const std::string& state) {
    if (!text.empty()) text += ", ";
    text.append(name).append(" (").append(state).append(")");
  };
  const auto found = streams_.find(entry.name_space);
  if (!entry.resolved || found == streams_.end()) return text;
  const auto& cache = found->second->cache;
  if (!entry.routes.empty() && !cache.routes(entry.routes)) {
    add(entry.routes, cache.routes_status(entry.routes));
  }
  for (const auto& cluster : entry.clusters) {
    if (!cache.cluster(cluster)) add(cluster, cache.cluster_status(cluster).state);
  }
  return text;
}

Table::Counts Table::counts() const {
  auto counts = totals_;
  for (std::size_t kind = 0; kind < 2; ++kind) {
    counts.known[kind] = known_[kind];
    counts.unknown[kind] = unknown_[kind].size();
  }
  counts.pending = pending_;
  counts.up = resolver_.open();
  counts.streams = streams_.size() + 1;
  counts.streams_open = resolver_.open() ? 1 : 0;
  for (const auto& [name_space, each] : streams_) {
    if (each->link.open()) ++counts.streams_open;
  }
  return counts;
}

Table::Status Table::status(SteadyTime now, std::size_t limit) const {
  const auto name_of = [](const Link& link) -> std::string {
    switch (link.state()) {
      case Link::State::kOpen:
        return "open";
      case Link::State::kConnecting:
        return "connecting";
      case Link::State::kWaiting:
        break;
    }
    return "waiting to reconnect";
  };
  Status status;
  status.streams.push_back({"", name_of(resolver_), resolver_.last_error(), "", 0, 0, 0});
  for (const auto& [name_space, each] : streams_) {
    status.streams.push_back(
        {name_space, name_of(each->link), each->link.last_error(),
         each->cache.version(ResourceType::kCluster), each->cache.size(ResourceType::kCluster),
         each->cache.size(ResourceType::kEndpoints), each->cache.size(ResourceType::kRoutes)});
  }
  for (const auto& [id, entry] : entries_) {
    if (status.entries.size() >= limit) break;
    Status::Entry each;
    each.key = entry->key;
    each.loops = entry->loops.size();
    each.caller = entry->caller;
    each.destination = entry->destination;
    each.idle_seconds = seconds(now) - entry->last_used->load(std::memory_order_relaxed);
    switch (entry->state) {
      case State::kAsking:
        each.state = "asking";
        break;
      case State::kWaiting:
        each.state = "waiting";
        break;
      case State::kKnown:
        each.state = "known";
        break;
      case State::kUnknown:
        each.state = "unknown";
        each.reason = entry->reason;
        break;
    }
    const auto found = streams_.find(entry->name_space);
    if (entry->resolved && found != streams_.end()) {
      each.resolved = *entry->resolved;
      each.reason = missing(*entry);
      const auto& cache = found->second->cache;
      for (const auto& cluster : entry->clusters) {
        each.clusters.push_back(cache.cluster_status(cluster));
      }
      if (!entry->routes.empty()) each.routes_unsupported = cache.routes_unsupported(entry->routes);
    }
    status.entries.push_back(std::move(each));
  }
  status.left_out = entries_.size() - status.entries.size();
  return status;
}

}  // namespace lazymesh::egress
