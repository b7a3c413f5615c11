#include "lazy-controller/publish/xds/sequencer.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include <absl/container/flat_hash_set.h>

#include "sidecar/configuration.h"

namespace lazymesh::publish::xds {
namespace {

bool contains(const std::vector<EntryPtr>& entries, const Name& name) {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const auto& entry) { return entry->name == name; });
}

// Envoy cuts long messages short and says so.
bool is_cut_short(std::string_view words) {
  return words.find("(truncated)") != std::string_view::npos;
}

// Envoy checks all that a response says before it takes any of it; what it says of single clusters
// it found later.
bool is_about_all(std::string_view words) {
  return words.find("Proto constraint validation failed") != std::string_view::npos &&
         words.find("Error adding/updating cluster(s)") == std::string_view::npos;
}

absl::flat_hash_set<Name> checked_among(const std::vector<EntryPtr>& clusters) {
  absl::flat_hash_set<Name> names;
  for (const auto& entry : clusters) {
    if (entry->is_checked) names.insert(entry->name);
  }
  return names;
}

bool same_clusters(const Item& a, const Item& b) {
  return std::equal(a.ports().begin(), a.ports().end(), b.ports().begin(), b.ports().end(),
                    [](const auto& x, const auto& y) { return x.cluster == y.cluster; });
}

bool same_configuration(const Item& a, const Item& b) {
  return same_clusters(a, b) && a.service()->routes == b.service()->routes;
}

bool by_name(const EntryPtr& a, const EntryPtr& b) { return a->name.text() < b->name.text(); }

}  // namespace

std::vector<std::string_view> mentioned(std::string_view words) {
  constexpr std::string_view kBetween = " \t\n,:;'\"()[]";
  std::vector<std::string_view> result;
  while (true) {
    const auto begin = words.find_first_not_of(kBetween);
    if (begin == std::string_view::npos) return result;
    words.remove_prefix(begin);
    auto word = words.substr(0, words.find_first_of(kBetween));
    words.remove_prefix(word.size());
    while (word.ends_with('.')) word.remove_suffix(1);  // the end of a sentence
    if (!word.empty()) result.push_back(word);
  }
}

Sequencer::Sequencer(Catalog& catalog, Variant variant, std::chrono::nanoseconds warming_deadline,
                     SteadyTime now, Target target)
    : catalog_(catalog),
      variant_(variant),
      warming_deadline_(warming_deadline),
      opened_(now),
      target_(std::move(target)),
      services_(target_.services) {
  const auto nothing = std::make_shared<const Told>();
  for (auto& possible : possible_) possible.push_back({0, nothing});
}

// --- what the client is to hold ---

const EntryPtr* Sequencer::base_cluster(const Name& name) const {
  for (const auto& entry : target_.frame->base) {
    if (entry->name == name) return &entry;
  }
  return nullptr;
}

Wish Sequencer::find(ResourceType type, const Name& name) const {
  const auto present = [](EntryPtr entry) { return Wish{Wish::Kind::kPresent, std::move(entry)}; };
  const auto text = name.text();
  const bool delta = variant_ == Variant::kDelta;
  switch (type) {
    case ResourceType::kCluster: {
      if (const auto* entry = base_cluster(name)) return present(*entry);
      if (const auto* port = services_->find_port(text)) return present(port->cluster);
      const auto lingering = lingering_.find(name);
      if (lingering != lingering_.end()) return present(lingering->second.cluster);
      return {unknown_in_force() ? Wish::Kind::kKeep : Wish::Kind::kAbsent};
    }
    case ResourceType::kEndpoints: {
      // Of a service that is set aside, as they are now.
      for (const auto& services : {target_.services, services_}) {
        if (const auto* port = services->find_port(text)) return present(port->endpoints);
      }
      const auto lingering = lingering_.find(name);
      if (lingering != lingering_.end() && lingering->second.endpoints) {
        return present(lingering->second.endpoints);
      }
      const auto found = catalog_.find(text);
      const auto& from_namespace = target_.frame->workload->id.namespace_;
      if (found && found->first->service()->visible_from(from_namespace)) {
        return present(found->second->endpoints);
      }
      if (unknown_in_force()) return {Wish::Kind::kKeep};
      return delta ? Wish{Wish::Kind::kAbsent} : present(catalog_.no_endpoints(text));
    }
    case ResourceType::kListener: {
      const auto at =
          std::lower_bound(listeners_.begin(), listeners_.end(), text,
                           [](const auto& entry, auto key) { return entry->name.text() < key; });
      if (at == listeners_.end() || (*at)->name != name) return {Wish::Kind::kAbsent};
      return present(*at);
    }
    case ResourceType::kRoutes:
      if (text == sidecar::kOutboundRoutes) {
        return present(catalog_.routes(*told_->frame, *told_->services));
      }
      return delta ? Wish{Wish::Kind::kAbsent} : present(catalog_.no_routes(text));
  }
  return {Wish::Kind::kAbsent};
}

void Sequencer::each(ResourceType type, const std::function<void(const EntryPtr&)>& visit) const {
  if (type == ResourceType::kListener) {
    for (const auto& entry : listeners_) visit(entry);
  }
  if (type != ResourceType::kCluster) return;
  for (const auto& entry : target_.frame->base) visit(entry);
  for (const auto& item : services_->list()) {
    for (const auto& port : item->ports()) visit(port.cluster);
  }
  for (const auto& [name, lingering] : lingering_) visit(lingering.cluster);
}

// Where a response is complete, what is to be kept has to be in it.
void Sequencer::each_former(ResourceType type,
                            const std::function<void(const EntryPtr&)>& visit) const {
  if (type != ResourceType::kCluster || !unknown_in_force()) return;
  for (const auto& entry : catalog_.base_of_any_mode(*target_.frame)) {
    const bool is_kept = base_cluster(entry->name) != nullptr || lingering_.contains(entry->name);
    if (!is_kept) visit(entry);
  }
  subscription(type)->each_held([&](const Name& name) {
    if (find(type, name).kind != Wish::Kind::kKeep) return;
    const auto found = catalog_.find(name.text());
    if (found && !aside_.contains(found->first->host())) visit(found->second->cluster);
  });
}

bool Sequencer::open(ResourceType type, SteadyTime now) const {
  if (routed(type)) return told_ != nullptr;
  if (type != ResourceType::kCluster || variant_ == Variant::kDelta) return true;
  // A client that reconnects says which clusters it has only by asking for their endpoints. Envoy
  // asks in the order in which it first did, so that nothing else says that it has none.
  return subscription(ResourceType::kEndpoints) != nullptr || !subscription(type)->reconnected() ||
         waiting_is_over(now);
}

// --- what happens ---

void Sequencer::retarget(Target target) {
  if (target.frame == target_.frame && target.services == target_.services) return;
  const auto before = std::exchange(target_, std::move(target));
  for (const auto* frame : {before.frame.get(), target_.frame.get()}) {
    for (const auto& entry : frame->base) changes_.push_back({ResourceType::kCluster, entry->name});
  }
  // What was refused is tried again once it is another.
  absl::erase_if(aside_, [this](const auto& aside) {
    const auto* item = target_.services->find(aside.first);
    return item == nullptr || !same_configuration(**item, *aside.second.item);
  });
  follow_target();
}

// The services of the target, but for those that are set aside.
void Sequencer::follow_target() {
  auto services = target_.services;
  if (!aside_.empty()) {
    std::vector<ItemPtr> list;
    for (const auto& item : target_.services->list()) {
      const auto aside = aside_.find(item->host());
      const auto& instead = aside == aside_.end() ? item : aside->second.instead;
      if (instead) list.push_back(instead);
    }
    services = catalog_.items(std::move(list));
  }
  const auto before = std::exchange(services_, std::move(services));
  if (before != services_) changed_services(*before, *services_);
  update_lingering();
  unsettled_ = true;
}

void Sequencer::changed_services(const Items& before, const Items& after) {
  const auto mark = [this](const Item& item) {
    for (const auto& port : item.ports()) {
      changes_.push_back({ResourceType::kCluster, port.name});
      changes_.push_back({ResourceType::kEndpoints, port.name});
    }
  };
  auto a = before.list().begin();
  auto b = after.list().begin();
  const auto end_a = before.list().end();
  const auto end_b = after.list().end();
  while (a != end_a || b != end_b) {
    const bool in_a = a != end_a && (b == end_b || (*a)->host() <= (*b)->host());
    const bool in_b = b != end_b && (a == end_a || (*b)->host() <= (*a)->host());
    const bool in_both = in_a && in_b;
    if (in_both && !same_clusters(**a, **b)) before_.try_emplace((*a)->host(), Before{*a});
    if (in_a && !(in_both && *a == *b)) mark(**a);
    if (in_b && !(in_both && *a == *b)) mark(**b);
    if (in_a) ++a;
    if (in_b) ++b;
  }
}

void Sequencer::asked(SteadyTime now, ResourceType type, const Subscription& subscription) {
  subscriptions_[static_cast<std::size_t>(type)] = &subscription;
  if (routed(type)) {
    // Without claims it holds none.
    auto& front = possible(type).front();
    front.told = subscription.reconnected() ? nullptr : std::make_shared<const Told>();
    // It did not wait for the clusters that it was just sent.
    for (const auto& response : clusters_in_flight_) {
      const auto checked = checked_among(response.resources);
      for (const auto& name : response.added) {
        const Cold cold{now, response.nonce, checked.contains(name)};
        if (cold_.try_emplace(name, cold).second) send_endpoints_again(name);
      }
    }
  }
  if (type == ResourceType::kCluster && subscription.reconnected()) {
    for (const auto routed_type : {ResourceType::kListener, ResourceType::kRoutes}) {
      if (this->subscription(routed_type) == nullptr) possible(routed_type).front().told = nullptr;
    }
  }
  if (unknown_in_force()) was_unknown_ = true;
  update_lingering();
  if (type == ResourceType::kEndpoints) {
    for (auto& name : std::exchange(endpoints_owed_, {})) {
      changes_.push_back({ResourceType::kEndpoints, std::move(name), true});
    }
  }
  if (type == ResourceType::kEndpoints || type == ResourceType::kCluster) cool_unconfirmed(now);
  unsettled_ = true;
}

// A reconnecting client has the clusters that it claims, but those whose endpoints it asks for and
// does not claim were still warming.
void Sequencer::cool_unconfirmed(SteadyTime now) {
  const auto* clusters = subscription(ResourceType::kCluster);
  const auto* endpoints = subscription(ResourceType::kEndpoints);
  if (variant_ != Variant::kDelta || clusters == nullptr || endpoints == nullptr) return;
  if (!clusters->reconnected()) return;
  clusters->each_held([&](const Name& name) {
    if (endpoints->wants(name) && !endpoints->holds(name)) cold_.try_emplace(name, Cold{now});
  });
}

void Sequencer::sent(SteadyTime now, const Response& response) {
  if (routed(response.type)) {
    auto& sets = possible(response.type);
    sets.push_back({response.nonce, told_});
    // Refused again and again, they are as the last ones were.
    constexpr std::size_t kMaxPossible = 16;
    if (refused_last(response.type) && sets.size() > kMaxPossible) sets.erase(sets.begin() + 1);
    return;
  }
  if (response.type == ResourceType::kCluster) return sent_clusters(now, response);
  EndpointsInFlight in_flight{response.nonce, {}};
  for (const auto* names : {&response.added, &response.updated}) {
    for (const auto& name : *names) {
      if (cold_.contains(name)) in_flight.names.push_back(name);
    }
  }
  if (!in_flight.names.empty()) endpoints_in_flight_.push_back(std::move(in_flight));
}

void Sequencer::sent_clusters(SteadyTime now, const Response& response) {
  const bool first = !std::exchange(clusters_told_, true);
  const bool reconnected = subscription(ResourceType::kCluster)->reconnected();
  const bool gated = !first || reconnected || routes_asked();
  const auto checked = checked_among(response.resources);
  const auto cold = [&](const Name& name) {
    return Cold{now, response.nonce, checked.contains(name)};
  };
  for (const auto& name : response.added) {
    if (gated) cold_.insert_or_assign(name, cold(name));
  }
  for (const auto& name : response.updated) {
    if (const auto at = cold_.find(name); at != cold_.end()) at->second = cold(name);
  }
  for (const auto& name : response.removed) cold_.erase(name);
  for (auto& [host, before] : before_) {
    if (before.nonce == 0) before.nonce = response.nonce;
  }
  clusters_in_flight_.push_back(
      {response.nonce, response.added, response.updated, response.removed, response.resources});

  const bool endpoints_asked = subscription(ResourceType::kEndpoints) != nullptr;
  if (endpoints_asked || reconnected) {
    for (const auto* names : {&response.added, &response.updated}) {
      for (const auto& name : *names) send_endpoints_again(name);
    }
  }
  unsettled_ = true;
}

// Behind a cluster, though the client has them: at once, or as soon as it asks for any.
void Sequencer::send_endpoints_again(const Name& name) {
  if (subscription(ResourceType::kEndpoints) != nullptr) {
    changes_.push_back({ResourceType::kEndpoints, name, true});
  } else {
    endpoints_owed_.push_back(name);
  }
}

void Sequencer::unchanged(SteadyTime, ResourceType type) {
  if (type == ResourceType::kCluster) {
    clusters_told_ = true;
    unsettled_ = true;
    absl::erase_if(before_, [](const auto& before) { return before.second.nonce == 0; });
  } else if (routed(type) && !refused_last(type)) {
    possible(type).back().told = told_;
    update_lingering();
  }
}

void Sequencer::acked(SteadyTime now, ResourceType type, std::uint64_t nonce) {
  if (routed(type)) {
    refused_last(type) = false;
    auto& sets = possible(type);
    while (sets.size() > 1 && sets[1].nonce <= nonce) sets.pop_front();
    update_lingering();
  } else if (type == ResourceType::kCluster) {
    while (!clusters_in_flight_.empty() && clusters_in_flight_.front().nonce <= nonce) {
      accept_clusters(now, clusters_in_flight_.front());
      clusters_in_flight_.pop_front();
    }
  } else {
    while (!endpoints_in_flight_.empty() && endpoints_in_flight_.front().nonce <= nonce) {
      for (const auto& name : endpoints_in_flight_.front().names) {
        const auto cold = cold_.find(name);
        if (cold == cold_.end() || cold->second.refused || cold->second.is_checked) continue;
        // Else it has no such cluster, though its words on that may be yet to come.
        if (subscription(type)->wants(name)) warm(now, name, nonce);
      }
      endpoints_in_flight_.pop_front();
    }
  }
}

void Sequencer::refused(SteadyTime now, ResourceType type, std::uint64_t nonce,
                        std::string_view words) {
  if (routed(type)) {
    // A refused route configuration changed nothing; of refused listeners, some may be in force.
    refused_last(type) = true;
    if (type == ResourceType::kRoutes) refuse_routes(nonce, words);
  } else if (type == ResourceType::kCluster) {
    // Where only the last response is answered, the answer is for all before it too.
    ClustersInFlight all{nonce, {}, {}, {}, {}};
    const auto move_all = [](auto& from, auto& into) {
      std::move(from.begin(), from.end(), std::back_inserter(into));
    };
    while (!clusters_in_flight_.empty() && clusters_in_flight_.front().nonce <= nonce) {
      auto& response = clusters_in_flight_.front();
      move_all(response.added, all.added);
      move_all(response.updated, all.updated);
      move_all(response.removed, all.removed);
      move_all(response.resources, all.resources);
      clusters_in_flight_.pop_front();
    }
    if (is_about_all(words)) {
      reject_clusters(now, all, words);
    } else {
      refuse_clusters(now, all, words);
    }
  } else {
    std::erase_if(endpoints_in_flight_,
                  [&](const auto& response) { return response.nonce <= nonce; });
  }
}

void Sequencer::accept_clusters(SteadyTime now, const ClustersInFlight& response) {
  absl::erase_if(before_, [&](const auto& before) {
    return before.second.nonce != 0 && before.second.nonce <= response.nonce;
  });
  for (const auto& name : response.added) warm(now, name, response.nonce);
  for (const auto& name : response.updated) warm(now, name, response.nonce);
}

// Envoy takes the good clusters of a response and names the bad ones. If it names none, nothing is
// known of any until its endpoints are acknowledged.
void Sequencer::refuse_clusters(SteadyTime now, const ClustersInFlight& response,
                                std::string_view words) {
  const auto named = names_in(words);
  // Of a refused update, the client has the version before.
  for (const auto& name : response.added) {
    if (named.contains(name)) cold_.try_emplace(name, Cold{now, response.nonce});
  }
  const auto sent = [&](const Name& name) {
    const auto among = [&](const auto& names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    return among(response.added) || among(response.updated) ||
           subscription(ResourceType::kCluster)->holds(name);
  };
  bool any_named = false;
  for (const auto& name : named) {
    any_named |= sent(name);
    if (const auto cold = cold_.find(name); cold != cold_.end()) {
      cold->second.refused = cold->second.overdue = true;
    }
  }
  unsettled_ = true;
  if (!any_named || is_cut_short(words)) return;
  for (const auto* names : {&response.added, &response.updated}) {
    for (const auto& name : *names) {
      if (!named.contains(name)) warm(now, name, response.nonce);
    }
  }
}

absl::flat_hash_set<Name> Sequencer::names_in(std::string_view words) const {
  absl::flat_hash_set<Name> names;
  for (const auto word : mentioned(words)) {
    if (auto name = catalog_.names().find(word)) names.insert(std::move(name));
  }
  return names;
}

// Nothing of the response was taken. It is sent again without the services that are to blame: those
// that the client names, else all whose clusters somebody wrote.
void Sequencer::reject_clusters(SteadyTime now, const ClustersInFlight& response,
                                std::string_view words) {
  const auto named = names_in(words);
  absl::flat_hash_set<Name> sent(response.added.begin(), response.added.end());
  sent.insert(response.updated.begin(), response.updated.end());
  const auto blame = [&](const auto& is_suspect) {
    bool progress = false;
    for (const auto& entry : response.resources) {
      if (!sent.contains(entry->name) || !is_suspect(entry->name)) continue;
      const std::string host(mesh::parse_cluster_name(entry->name.text()).host);
      const auto* item = services_->find(host);
      const auto* port = services_->find_port(entry->name.text());
      progress |= !aside_.contains(host);  // else it is another by now
      if (item != nullptr && port != nullptr && port->cluster == entry) {
        forget_before(host, entry);
        const auto before = before_.find(host);
        set_aside(ResourceType::kCluster, *item,
                  before == before_.end() ? nullptr : before->second.item, words);
        progress = true;
      }
    }
    return progress;
  };
  const bool progress = blame([&](const Name& name) { return named.contains(name); }) ||
                        blame([&](const Name& name) { return is_users(name); });
  // No answer to what was sent is evidence of any of them.
  constexpr auto kNoNonce = std::numeric_limits<std::uint64_t>::max();
  for (const auto& name : response.added) {
    cold_.insert_or_assign(name, Cold{now, kNoNonce, false, !progress, !progress});
  }
  unsettled_ = true;
  if (!progress) return;
  for (const auto* names : {&response.added, &response.updated, &response.removed}) {
    for (const auto& name : *names) changes_.push_back({ResourceType::kCluster, name, true});
  }
  follow_target();
}

// Whether the user wrote a part of the cluster.
bool Sequencer::is_users(const Name& name) const {
  const auto* item = services_->find(mesh::parse_cluster_name(name.text()).host);
  return item != nullptr && !(*item)->service()->cluster.empty();
}

// What was there before is no better if it has the same cluster.
void Sequencer::forget_before(std::string_view host, const EntryPtr& cluster) {
  absl::erase_if(before_, [&](const auto& before) {
    if (before.first != host) return false;
    const auto& ports = before.second.item->ports();
    return std::any_of(ports.begin(), ports.end(),
                       [&](const auto& port) { return port.cluster == cluster; });
  });
}

// It is left out, or is what it was before, until somebody changes it.
void Sequencer::set_aside(ResourceType type, const ItemPtr& item, const ItemPtr& instead,
                          std::string_view words) {
  auto& aside = aside_[item->host()];
  if (aside.instead == item) {
    aside.instead = nullptr;  // no better than the other
  } else if (aside.item == nullptr) {
    aside = {item, instead == item ? nullptr : instead, type, std::string(cut(words, kMaxWords))};
  }
}

// Envoy does not say which virtual host it refuses: all are to blame that are another than in the
// last accepted ones and that a user wrote.
void Sequencer::refuse_routes(std::uint64_t nonce, std::string_view words) {
  auto& sets = possible(ResourceType::kRoutes);
  const auto at = std::find_if(std::next(sets.begin()), sets.end(),
                               [&](const auto& set) { return set.nonce == nonce; });
  if (at == sets.end()) return;
  const auto refused = at->told;
  sets.erase(at);
  const auto accepted = sets.front().told;
  std::vector<std::pair<ItemPtr, ItemPtr>> blamed;  // with what is to be there instead
  for (const auto& item : refused->services->list()) {
    const auto& routes = item->service()->routes;
    const auto* now = services_->find(item->host());
    if (routes.empty()) continue;
    const auto* before =
        accepted && accepted->services ? accepted->services->find(item->host()) : nullptr;
    if (before != nullptr && (*before)->service()->routes == routes) continue;
    // It was sent before the answer to another came, which this one repeats.
    if (now == nullptr || (*now)->service()->routes != routes) {
      blamed.clear();
      break;
    }
    blamed.emplace_back(*now, before == nullptr ? nullptr : *before);
  }
  for (const auto& [item, instead] : blamed) {
    set_aside(ResourceType::kRoutes, item, instead, words);
  }
  follow_target();
}

std::string_view Sequencer::refusal(ResourceType type) const {
  for (const auto& [_, aside] : aside_) {
    if (aside.type == type) return aside.words;
  }
  return {};
}

void Sequencer::warm(SteadyTime now, const Name& name, std::uint64_t nonce) {
  const auto cold = cold_.find(name);
  if (cold == cold_.end() || cold->second.nonce > nonce) return;
  warmed_.push_back(now - cold->second.since);
  cold_.erase(cold);
  unsettled_ = true;
}

void Sequencer::registry_changed(std::span<const Name> names) {
  for (const auto& name : names) changes_.push_back({ResourceType::kEndpoints, name});
}

// --- what may be told ---

bool Sequencer::unknown_in_force() const {
  return possible_[0].front().told == nullptr || possible_[1].front().told == nullptr;
}

bool Sequencer::has(const Name& name) const {
  const auto* clusters = subscription(ResourceType::kCluster);
  return clusters != nullptr && clusters->holds(name) && !cold_.contains(name);
}

bool Sequencer::routes_asked() const {
  return subscription(ResourceType::kListener) != nullptr ||
         subscription(ResourceType::kRoutes) != nullptr;
}

bool Sequencer::expects_evidence() const {
  return std::any_of(cold_.begin(), cold_.end(),
                     [](const auto& cold) { return !cold.second.refused; });
}

bool Sequencer::has_clusters(const Item& item) const {
  return std::all_of(item.ports().begin(), item.ports().end(),
                     [this](const auto& port) { return has(port.name); });
}

bool Sequencer::has_cold(const Item& item) const {
  return std::any_of(item.ports().begin(), item.ports().end(),
                     [this](const auto& port) { return cold_.contains(port.name); });
}

bool Sequencer::may_be_routed(const Item& item) const {
  if (!has_clusters(item)) return false;
  const auto& hosts = item.service()->route_hosts;
  return std::all_of(hosts.begin(), hosts.end(), [this](const auto& host) {
    if (target_.services->find(host) == nullptr) return true;
    const auto* other = services_->find(host);
    return other != nullptr && has_clusters(**other);
  });
}

// The services of the target that may be routed to; of those that changed and may not yet, what is
// told of them now.
ItemsPtr Sequencer::routable() const {
  static const std::vector<ItemPtr> none;
  const auto& now_told = told_ ? told_->services->list() : none;
  auto old = now_told.begin();
  std::vector<ItemPtr> list;
  list.reserve(services_->list().size());
  for (const auto& item : services_->list()) {
    while (old != now_told.end() && (*old)->host() < item->host()) ++old;
    const bool was_told = old != now_told.end() && (*old)->host() == item->host();
    if (was_told && *old == item) {
      // Its clusters were there and cannot have been withdrawn.
      if (cold_.empty() || !has_cold(*item)) list.push_back(item);
    } else if (may_be_routed(*item)) {
      list.push_back(item);
    } else if (was_told && !has_cold(**old)) {
      list.push_back(*old);
    }
  }
  if (list == services_->list()) return services_;
  return catalog_.items(std::move(list));
}

// Clusters of no service need no endpoints: what was sent long ago and not refused is there.
bool Sequencer::has_base() const {
  const auto& base = target_.frame->base;
  const bool settled = told_ == nullptr || clusters_in_flight_.empty();
  return std::all_of(base.begin(), base.end(), [&](const auto& entry) {
    if (has(entry->name)) return true;
    const auto cold = cold_.find(entry->name);
    return settled && cold != cold_.end() && cold->second.overdue && !cold->second.refused;
  });
}

// A sidecar that is to be lazy no more keeps its fallback until it has the services themselves.
bool Sequencer::keeps_fallback(SteadyTime now, const ItemsPtr& services) {
  const auto is_lazy = [](const Frame& frame) { return frame.mode == mesh::LazyMode::kEnabled; };
  if (told_ == nullptr || !is_lazy(*told_->frame) || is_lazy(*target_.frame) ||
      services == services_) {
    leaving_since_.reset();
    return false;
  }
  if (!leaving_since_) leaving_since_ = now;
  return now < *leaving_since_ + warming_deadline_;
}

void Sequencer::settle(SteadyTime now) {
  if (!unsettled_) return;
  if (!routes_asked() || !clusters_told_ || !has_base()) return;
  auto services = routable();
  // What a client has from before is left alone while better is to be expected.
  const bool first = told_ == nullptr || unknown_in_force();
  if (first && expects_evidence() && !waiting_is_over(now)) return;
  unsettled_ = false;
  const auto frame = keeps_fallback(now, services) ? told_->frame : target_.frame;
  if (told_ && told_->frame == frame && told_->services == services) return;
  tell({frame, std::move(services)});
}

void Sequencer::tell(Told told) {
  for (const auto& entry : listeners_) changes_.push_back({ResourceType::kListener, entry->name});
  listeners_ = catalog_.listeners(*told.frame, *told.services);
  std::sort(listeners_.begin(), listeners_.end(), by_name);
  for (const auto& entry : listeners_) changes_.push_back({ResourceType::kListener, entry->name});
  changes_.push_back({ResourceType::kRoutes, catalog_.names().intern(sidecar::kOutboundRoutes)});
  told_ = std::make_shared<const Told>(std::move(told));
  update_lingering();
}

void Sequencer::update_lingering() {
  absl::flat_hash_map<Name, Lingering> lingering;
  if (told_) linger(*told_->frame, told_->services->list(), lingering);
  for (const auto type : {ResourceType::kListener, ResourceType::kRoutes}) {
    for (const auto& set : possible(type)) {
      if (!set.told || !set.told->frame || set.told == told_) continue;
      const auto& services = *set.told->services;
      const bool listeners = type == ResourceType::kListener;
      linger(*set.told->frame, listeners ? services.with_listeners() : services.list(), lingering);
    }
  }
  std::swap(lingering, lingering_);
  for (const auto& [name, before] : lingering) {
    if (lingering_.contains(name)) continue;
    changes_.push_back({ResourceType::kCluster, name});
    changes_.push_back({ResourceType::kEndpoints, name});
  }
  if (was_unknown_ && !unknown_in_force()) forget_unknown();
}

void Sequencer::linger(const Frame& frame, const std::vector<ItemPtr>& items,
                       absl::flat_hash_map<Name, Lingering>& into) const {
  for (const auto& entry : frame.base) {
    if (!contains(target_.frame->base, entry->name))
      into.try_emplace(entry->name, Lingering{entry, nullptr});
  }
  auto kept = services_->list().begin();
  const auto end = services_->list().end();
  for (const auto& item : items) {
    while (kept != end && (*kept)->host() < item->host()) ++kept;
    const bool same_host = kept != end && (*kept)->host() == item->host();
    if (same_host && *kept == item) continue;
    for (const auto& port : item->ports()) {
      if (same_host && (*kept)->find(port.number) != nullptr) continue;
      into.try_emplace(port.name, Lingering{port.cluster, port.endpoints});
    }
  }
}

// What was kept only because it might have been in use.
void Sequencer::forget_unknown() {
  was_unknown_ = false;
  const auto* clusters = subscription(ResourceType::kCluster);
  if (clusters == nullptr) return;
  clusters->each_held([&](const Name& name) {
    if (find(ResourceType::kCluster, name).kind == Wish::Kind::kPresent) return;
    changes_.push_back({ResourceType::kCluster, name});
    changes_.push_back({ResourceType::kEndpoints, name});
  });
}

std::vector<Change> Sequencer::take_changes(SteadyTime now) {
  settle(now);
  return std::exchange(changes_, {});
}

// --- time ---

std::optional<SteadyTime> Sequencer::deadline() const {
  std::optional<SteadyTime> earliest;
  const auto consider = [&](SteadyTime at) {
    if (!earliest || at < *earliest) earliest = at;
  };
  if (!waited_ && (unknown_in_force() || !clusters_told_)) consider(opened_ + warming_deadline_);
  if (leaving_since_) consider(*leaving_since_ + warming_deadline_);
  for (const auto& [name, cold] : cold_) {
    if (!cold.overdue) consider(cold.since + warming_deadline_);
  }
  return earliest;
}

void Sequencer::tick(SteadyTime now) {
  if (!waited_ && waiting_is_over(now)) {
    waited_ = true;
    for (const auto type : {ResourceType::kListener, ResourceType::kRoutes}) {
      auto& front = possible(type).front();
      if (front.told != nullptr || subscription(type) != nullptr) continue;
      // It asked for none for so long: it has none.
      front.told = std::make_shared<const Told>();
      update_lingering();
    }
    unsettled_ = true;
  }
  if (leaving_since_ && now >= *leaving_since_ + warming_deadline_) unsettled_ = true;
  for (auto& [name, cold] : cold_) {
    if (cold.overdue || now < cold.since + warming_deadline_) continue;
    cold.overdue = unsettled_ = true;
    overdue_.emplace_back(name.text());
  }
}

std::vector<std::string> Sequencer::pending() const {
  std::vector<std::string> hosts;
  if (told_ && told_->services == target_.services) return hosts;
  for (const auto& item : target_.services->list()) {
    const bool done = told_ ? told_->services->contains(item) : may_be_routed(*item);
    if (!done) hosts.push_back(item->host());
  }
  return hosts;
}

std::vector<std::chrono::nanoseconds> Sequencer::take_warmed() {
  return std::exchange(warmed_, {});
}

std::vector<std::string> Sequencer::take_overdue() { return std::exchange(overdue_, {}); }

}  // namespace lazymesh::publish::xds
