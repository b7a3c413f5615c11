#pragma once

#include <deque>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lazy-controller/publish/xds/subscription.h"

namespace lazymesh::publish::xds {

/// The incremental variant: resources are added, updated and removed one by one, and every response
/// is answered. Subscription changes count whatever nonce they come with.
class DeltaSubscription final : public Subscription {
 public:
  DeltaSubscription(ResourceType type, Names& names, const Limits& limits)
      : type_(type), names_(names), limits_(limits) {}

  Result<Heard> on_request(const Request& request) override;
  void mark(const Name& name, bool force) override;
  void claim(const Name& name) override;
  bool pending() const override;
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
    std::uint64_t version : 63 = 0;   // held, the lowest bit cut off; 0: not held
    std::uint64_t named : 1 = false;  // subscribed to by this name, not only by the wildcard
  };
  struct Mark {
    Name name;
    bool force;
    EntryPtr entry = nullptr;  // where it is known already
  };
  using Slots = absl::flat_hash_map<Name, Slot>;

  void on_first_request(const Request& request);
  Result<void> subscribe(const Request& request, bool first);
  void unsubscribe(const Request& request);
  void stop_wildcard();
  Heard answered(const Request& request);
  std::vector<Mark> take_marks(const Desired& desired);
  void decide(const Mark& mark, const Desired& desired, Response& response);
  void hold(Slots::iterator slot, const Entry& entry);
  void drop(Slots::iterator slot);

  ResourceType type_;
  Names& names_;
  Limits limits_;

  bool asked_ = false;
  bool reconnected_ = false;
  bool wildcard_ = false;
  bool greet_ = false;      // a new client waits for an answer even if there is nothing
  bool all_ = false;        // everything may have changed
  bool force_all_ = false;  // and is sent even if it did not
  Slots slots_;
  std::size_t named_ = 0;
  std::size_t held_ = 0;
  std::uint64_t version_ = 0;
  std::vector<Mark> marks_;
  std::deque<std::uint64_t> unanswered_;  // nonces
};

}  // namespace lazymesh::publish::xds
