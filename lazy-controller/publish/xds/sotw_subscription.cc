#include "lazy-controller/publish/xds/sotw_subscription.h"

#include <algorithm>
#include <utility>

namespace lazymesh::publish::xds {

bool SotwSubscription::complete() const {
  return type_ == ResourceType::kCluster || type_ == ResourceType::kListener;
}

Result<Subscription::Heard> SotwSubscription::on_request(const Request& request) {
  const bool first = !std::exchange(asked_, true);
  const auto expected = last_nonce_ == 0 ? std::string() : std::to_string(last_nonce_);
  if (!first && request.nonce != expected) return Heard::kStale;
  if (first) {
    claimed_ = request.version;
    reconnected_ = !claimed_.empty();
  }
  if (auto done = want(request); !done) return tl::unexpected(done.error());
  if (std::exchange(unanswered_, 0) == 0) return Heard::kSubscription;
  return request.error ? Heard::kNack : Heard::kAck;
}

// No names at all mean everything, unless there were some before: then they mean nothing
// (xds_protocol, "How the client specifies what resources to return").
bool SotwSubscription::asks_for_all(const std::vector<std::string>& wanted) const {
  if (wanted.empty()) return wildcard_ || request_ == 0;
  return std::find(wanted.begin(), wanted.end(), "*") != wanted.end();
}

// Takes the complete list of names; what is new in it has to be answered.
Result<void> SotwSubscription::want(const Request& request) {
  const auto& wanted = request.names;
  if (complete() && asks_for_all(wanted)) {
    if (!std::exchange(wildcard_, true)) all_ = answer_ = true;
    return {};
  }
  if (wanted.size() > limits_.max_names) {
    return fail(Code::kResourceExhausted,
                "more than " + std::to_string(limits_.max_names) +
                    " resource names subscribed to on one stream",
                Origin::kDownstream);
  }
  wildcard_ = false;
  ++request_;
  for (const auto& text : wanted) {
    auto name = names_.intern(text);
    auto& slot = slots_[name];
    if (slot.request == 0) marks_.push_back({std::move(name), true});
    slot.request = request_;
  }
  for (auto slot = slots_.begin(); slot != slots_.end();) {
    const auto current = slot++;
    if (current->second.request == request_) continue;
    if (current->second.version != 0 && !complete()) answer_ = true;
    release(current->second, current->first);
    slots_.erase(current);
  }
  if (complete() && !marks_.empty()) all_ = answer_ = true;
  return {};
}

void SotwSubscription::mark(const Name& name, bool force) {
  if (!asked_ || (!wildcard_ && !slots_.contains(name))) return;
  if (complete()) {
    all_ = true;
    answer_ |= force;
    const auto slot = slots_.find(name);
    if (!force || slot == slots_.end() || slot->second.version == 0) return;
    release(slot->second, name);
    claim(name);
  } else {
    marks_.push_back({name, force});
  }
}

void SotwSubscription::claim(const Name& name) {
  auto& slot = slots_[name];
  if (slot.version != 0) return;
  slot.version = 1;
  version_ += version_share(name, slot.version);
  ++held_;
}

std::optional<Response> SotwSubscription::next(const Desired& desired, std::uint64_t nonce) {
  Response response{type_, nonce};
  return complete() ? next_complete(desired, std::move(response))
                    : next_partial(desired, std::move(response));
}

std::vector<EntryPtr> SotwSubscription::everything(const Desired& desired) const {
  std::vector<EntryPtr> entries;
  if (wildcard_) {
    const auto add = [&](const EntryPtr& entry) { entries.push_back(entry); };
    desired.each(type_, add);
    if (holds_other_) desired.each_former(type_, add);
    return entries;
  }
  for (const auto& [name, slot] : slots_) {
    auto wish = desired.find(type_, name);
    if (wish.kind == Wish::Kind::kPresent) entries.push_back(std::move(wish.entry));
  }
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a->name.text() < b->name.text(); });
  return entries;
}

std::optional<Response> SotwSubscription::next_complete(const Desired& desired, Response response) {
  all_ = false;
  marks_.clear();
  auto entries = everything(desired);
  const bool claimed = is_claimed(entries);
  const bool answer = std::exchange(answer_, false);
  if (!claimed && reconnected_ && !std::exchange(holds_other_, true)) {
    entries = everything(desired);
  }

  ++round_;
  for (const auto& entry : entries) {
    hold(entry, response);
    slots_[entry->name].round = round_;
  }
  for (auto slot = slots_.begin(); slot != slots_.end();) {
    const auto current = slot++;
    auto& [name, state] = *current;
    if (state.round == round_) continue;
    if (state.version != 0) response.removed.push_back(name);
    release(state, name);
    if (wildcard_) slots_.erase(current);
  }
  if (claimed) return std::nullopt;
  const bool changed =
      !response.added.empty() || !response.updated.empty() || !response.removed.empty();
  if (!changed && !answer) return std::nullopt;
  response.resources = std::move(entries);
  return send(std::move(response));
}

std::vector<SotwSubscription::Mark> SotwSubscription::take_marks() {
  auto marks = std::exchange(marks_, {});
  if (marks.size() < 2) return marks;
  absl::flat_hash_map<Name, std::size_t> index;
  index.reserve(marks.size());
  std::vector<Mark> unique;
  unique.reserve(marks.size());
  for (auto& mark : marks) {
    const auto [at, added] = index.emplace(mark.name, unique.size());
    if (added) {
      unique.push_back(std::move(mark));
    } else {
      unique[at->second].force |= mark.force;
    }
  }
  return unique;
}

std::optional<Response> SotwSubscription::next_partial(const Desired& desired, Response response) {
  all_ = false;
  std::vector<EntryPtr> entries;
  for (const auto& [name, force] : take_marks()) {
    const auto slot = slots_.find(name);
    if (slot == slots_.end()) continue;  // no longer wanted
    auto wish = desired.find(type_, name);
    if (wish.kind == Wish::Kind::kKeep) continue;
    if (wish.kind == Wish::Kind::kAbsent) {
      // The variant has no word for it; what the client holds goes with its cluster or listener.
      release(slot->second, name);
      continue;
    }
    if (!force && slot->second.version == wish.entry->version) continue;
    entries.push_back(std::move(wish.entry));
  }
  const bool claimed = is_claimed(entries);
  const bool answer = std::exchange(answer_, false);
  for (const auto& entry : entries) hold(entry, response);
  if (claimed || (entries.empty() && !answer)) return std::nullopt;
  response.resources = std::move(entries);
  return send(std::move(response));
}

// Whether a client that reconnected holds exactly this, by the version that it names. Of a complete
// response that it refused it took a part, under the version before: then the clusters whose
// endpoints it asks for are others.
bool SotwSubscription::is_claimed(const std::vector<EntryPtr>& entries) {
  const auto claimed = std::exchange(claimed_, {});
  if (claimed.empty()) return false;
  std::uint64_t version = 0;
  std::size_t with_endpoints = 0;
  for (const auto& entry : entries) {
    version += version_share(entry->name, entry->version);
    if (!entry->has_endpoints) continue;
    if (!holds(entry->name)) return false;
    ++with_endpoints;
  }
  return held_ == with_endpoints && claimed == sidecar::version_text(version);
}

void SotwSubscription::hold(const EntryPtr& entry, Response& response) {
  auto& slot = slots_[entry->name];
  if (slot.version == 0) {
    response.added.push_back(entry->name);
    ++held_;
  } else {
    if (slot.version != entry->version || !complete()) response.updated.push_back(entry->name);
    version_ -= version_share(entry->name, slot.version);
  }
  slot.version = entry->version;
  version_ += version_share(entry->name, slot.version);
}

void SotwSubscription::release(Slot& slot, const Name& name) {
  if (slot.version == 0) return;
  version_ -= version_share(name, slot.version);
  --held_;
  slot.version = 0;
}

std::optional<Response> SotwSubscription::send(Response response) {
  response.version = version_;
  last_nonce_ = response.nonce;
  ++unanswered_;
  return response;
}

bool SotwSubscription::wants(const Name& name) const { return wildcard_ || slots_.contains(name); }

bool SotwSubscription::holds(const Name& name) const {
  const auto slot = slots_.find(name);
  return slot != slots_.end() && slot->second.version != 0;
}

void SotwSubscription::each_held(const std::function<void(const Name&)>& visit) const {
  for (const auto& [name, slot] : slots_) {
    if (slot.version != 0) visit(name);
  }
}

}  // namespace lazymesh::publish::xds
