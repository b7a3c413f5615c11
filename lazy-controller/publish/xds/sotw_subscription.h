#pragma once

#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lazy-controller/publish/xds/subscription.h"

namespace lazymesh::publish::xds {

/// The state-of-the-world variant. Responses of clusters and listeners are complete: what is not in
/// them is gone. Responses of endpoints and routes have only what changed. Requests that answer
/// anything but the last response are ignored, as the client repeats what they say.
class SotwSubscription final : public Subscription {
 public:
  SotwSubscription(ResourceType type, Names& names, const Limits& limits)
      : type_(type), names_(names), limits_(limits) {}

  Result<Heard> on_request(const Request& request) override;
  void mark(const Name& name, bool force) override;
  void claim(const Name& name) override;
  bool pending() const override {
    return asked_ && (all_ || answer_ || !marks_.empty()) && unanswered_ < limits_.max_unanswered;
  }
  std::optional<Response> next(const Desired& desired, std::uint64_t nonce) override;

  bool asked() const override { return asked_; }
  bool reconnected() const override { return reconnected_; }
  bool wants(const Name& name) const override;
  bool holds(const Name& name) const override;
  void each_held(const std::function<void(const Name&)>& visit) const override;
  std::size_t held() const override { return held_; }

 private:
  // Of one name that is subscribed to or held.
  struct Slot {
    std::uint64_t version = 0;  // held; 0: not held
    std::uint32_t request = 0;  // the last one that named it; 0: held by the wildcard
    std::uint32_t round = 0;    // the last response that had to have it
  };
  struct Mark {
    Name name;
    bool force;
  };
  using Slots = absl::flat_hash_map<Name, Slot>;

  bool complete() const;
  bool asks_for_all(const std::vector<std::string>& wanted) const;
  Result<void> want(const Request& request);
  std::vector<EntryPtr> everything(const Desired& desired) const;
  std::vector<Mark> take_marks();
  std::optional<Response> next_complete(const Desired& desired, Response response);
  std::optional<Response> next_partial(const Desired& desired, Response response);
  bool is_claimed(const std::vector<EntryPtr>& entries);
  void hold(const EntryPtr& entry, Response& response);
  void release(Slot& slot, const Name& name);
  std::optional<Response> send(Response response);

  ResourceType type_;
  Names& names_;
  Limits limits_;

  bool asked_ = false;
  bool reconnected_ = false;
  bool holds_other_ = false;  // reconnected, and what it holds is not what it should
  bool wildcard_ = false;
  bool all_ = false;  // everything may have changed
  // An answer is due even if nothing changed: because the client waits for it, or because it let
  // names go and its version must say so, lest it be sent everything when it reconnects.
  bool answer_ = false;
  std::string claimed_;  // the version that a reconnecting client holds, until it is compared
  Slots slots_;
  std::size_t held_ = 0;
  std::uint64_t version_ = 0;
  std::vector<Mark> marks_;
  std::uint32_t request_ = 0;
  std::uint32_t round_ = 0;
  std::uint64_t last_nonce_ = 0;  // 0: none sent
  std::size_t unanswered_ = 0;
};

}  // namespace lazymesh::publish::xds
