#include "lazy-controller/publish/xds/delta_subscription.h"

#include <algorithm>
#include <string>
#include <utility>

namespace lazymesh::publish::xds {
namespace {

constexpr std::string_view kWildcard = "*";

// Versions are compared in 63 bits, of which 0 means "not held".
constexpr std::uint64_t kVersionBits = ~std::uint64_t{0} >> 1;
std::uint64_t cut(std::uint64_t version) { return std::max<std::uint64_t>(version >> 1, 1); }

// An empty first subscription means everything for these two only (xds_protocol, "How the client
// specifies what resources to return").
bool has_wildcard(ResourceType type) {
  return type == ResourceType::kCluster || type == ResourceType::kListener;
}

}  // namespace

Result<Subscription::Heard> DeltaSubscription::on_request(const Request& request) {
  const bool first = !std::exchange(asked_, true);
  if (first) on_first_request(request);
  if (auto done = subscribe(request, first); !done) return tl::unexpected(done.error());
  unsubscribe(request);
  if (first && !wildcard_) {
    // What the client still has of names that it no longer wants is none of our business.
    absl::erase_if(slots_, [](const auto& slot) { return !slot.second.named; });
  }
  if (first) {
    held_ = 0;
    version_ = 0;
    for (const auto& [name, slot] : slots_) {
      if (slot.version == 0) continue;
      ++held_;
      version_ += version_share(name, slot.version);
    }
  }
  return answered(request);
}

void DeltaSubscription::on_first_request(const Request& request) {
  reconnected_ = !request.initial_versions.empty();
  for (const auto& [name, version] : request.initial_versions) {
    slots_[names_.intern(name)].version = cut(version) & kVersionBits;
  }
  if (request.names.empty() && has_wildcard(type_)) wildcard_ = all_ = true;
  greet_ = wildcard_ && !reconnected_;
}

Result<void> DeltaSubscription::subscribe(const Request& request, bool first) {
  for (const auto& text : request.names) {
    if (text == kWildcard) {
      wildcard_ = all_ = true;
      force_all_ = !first;
      greet_ = !reconnected_;
      continue;
    }
    auto name = names_.intern(text);
    auto& slot = slots_[name];
    if (!slot.named && ++named_ > limits_.max_names) {
      return fail(Code::kResourceExhausted,
                  "more than " + std::to_string(limits_.max_names) +
                      " resource names subscribed to on one stream",
                  Origin::kDownstream);
    }
    slot.named = true;
    // Named, it has to be answered, unless the client told which version it holds.
    marks_.push_back({std::move(name), !first || slot.version == 0});
  }
  return {};
}

void DeltaSubscription::unsubscribe(const Request& request) {
  for (const auto& text : request.unsubscribe) {
    if (text == kWildcard) {
      stop_wildcard();
      continue;
    }
    const auto name = names_.find(text);
    const auto slot = name ? slots_.find(name) : slots_.end();
    if (slot == slots_.end()) continue;
    if (slot->second.named) --named_;
    slot->second.named = false;
    if (wildcard_) {
      // The client forgot it, but the wildcard still stands for it.
      marks_.push_back({name, true});
    } else {
      drop(slot);
    }
  }
}

void DeltaSubscription::stop_wildcard() {
  wildcard_ = all_ = force_all_ = greet_ = false;
  for (auto slot = slots_.begin(); slot != slots_.end();) {
    const auto current = slot++;
    if (!current->second.named) drop(current);
  }
}

Subscription::Heard DeltaSubscription::answered(const Request& request) {
  if (request.nonce.empty()) return Heard::kSubscription;
  const auto found = std::find_if(unanswered_.begin(), unanswered_.end(), [&](auto nonce) {
    return std::to_string(nonce) == request.nonce;
  });
  if (found == unanswered_.end()) return Heard::kStale;
  // A client answers in order: what was sent before is answered too.
  unanswered_.erase(unanswered_.begin(), std::next(found));
  return request.error ? Heard::kNack : Heard::kAck;
}

void DeltaSubscription::mark(const Name& name, bool force) {
  if (!asked_ || (!wildcard_ && !slots_.contains(name))) return;
  marks_.push_back({name, force});
}

void DeltaSubscription::claim(const Name& name) {
  auto& slot = slots_[name];
  if (slot.version != 0) return;
  slot.version = 1;
  version_ += version_share(name, slot.version);
  ++held_;
}

bool DeltaSubscription::pending() const {
  return asked_ && (greet_ || all_ || !marks_.empty()) &&
         unanswered_.size() < limits_.max_unanswered;
}

std::vector<DeltaSubscription::Mark> DeltaSubscription::take_marks(const Desired& desired) {
  auto marks = std::exchange(marks_, {});
  if (std::exchange(all_, false)) {
    const bool force = std::exchange(force_all_, false);
    for (const auto& [name, slot] : slots_) {
      if (slot.version != 0) marks.push_back({name, false});
    }
    desired.each(type_,
                 [&](const EntryPtr& entry) { marks.push_back({entry->name, force, entry}); });
  }
  if (marks.size() < 2) return marks;
  // Each name once: a response must not have a resource twice.
  absl::flat_hash_map<Name, std::size_t> index;
  index.reserve(marks.size());
  std::vector<Mark> unique;
  unique.reserve(marks.size());
  for (auto& mark : marks) {
    const auto [at, added] = index.emplace(mark.name, unique.size());
    if (added) {
      unique.push_back(std::move(mark));
      continue;
    }
    auto& first = unique[at->second];
    first.force |= mark.force;
    if (mark.entry) first.entry = std::move(mark.entry);
  }
  return unique;
}

std::optional<Response> DeltaSubscription::next(const Desired& desired, std::uint64_t nonce) {
  Response response{type_, nonce};
  for (const auto& mark : take_marks(desired)) decide(mark, desired, response);
  const bool greet = std::exchange(greet_, false);
  if (!greet && response.resources.empty() && response.removed.empty()) return std::nullopt;
  response.version = version_;
  unanswered_.push_back(nonce);
  return response;
}

void DeltaSubscription::decide(const Mark& mark, const Desired& desired, Response& response) {
  auto slot = slots_.find(mark.name);
  if (slot == slots_.end()) {
    if (!wildcard_) return;  // unsubscribed meanwhile
    slot = slots_.emplace(mark.name, Slot{}).first;
  }
  const bool held = slot->second.version != 0;
  const auto wish =
      mark.entry ? Wish{Wish::Kind::kPresent, mark.entry} : desired.find(type_, mark.name);
  if (wish.kind == Wish::Kind::kPresent) {
    if (!mark.force && slot->second.version == cut(wish.entry->version)) return;
    (held ? response.updated : response.added).push_back(mark.name);
    response.resources.push_back(wish.entry);
    hold(slot, *wish.entry);
    return;
  }
  if (held && wish.kind == Wish::Kind::kKeep) return;
  if (held || mark.force) response.removed.push_back(mark.name);
  drop(slot);
}

void DeltaSubscription::hold(Slots::iterator slot, const Entry& entry) {
  auto& [name, state] = *slot;
  if (state.version != 0) {
    version_ -= version_share(name, state.version);
  } else {
    ++held_;
  }
  state.version = cut(entry.version) & kVersionBits;
  version_ += version_share(name, state.version);
}

void DeltaSubscription::drop(Slots::iterator slot) {
  auto& [name, state] = *slot;
  if (state.version != 0) {
    version_ -= version_share(name, state.version);
    --held_;
  }
  state.version = 0;
  if (!state.named) slots_.erase(slot);
}

bool DeltaSubscription::wants(const Name& name) const {
  if (wildcard_) return true;
  const auto slot = slots_.find(name);
  return slot != slots_.end() && slot->second.named;
}

bool DeltaSubscription::holds(const Name& name) const {
  const auto slot = slots_.find(name);
  return slot != slots_.end() && slot->second.version != 0;
}

void DeltaSubscription::each_held(const std::function<void(const Name&)>& visit) const {
  for (const auto& [name, slot] : slots_) {
    if (slot.version != 0) visit(name);
  }
}

}  // namespace lazymesh::publish::xds
