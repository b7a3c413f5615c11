#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "lazy-controller/publish/xds/subscription.h"

namespace lazymesh::publish::xds {

/// What a client is to hold may be another under this name.
struct Change {
  ResourceType type;
  Name name;
  bool force = false;  ///< to be sent even if it is the same
};

/// Decides what one client is to hold at each moment, told how the exchange with it goes. Pure:
/// time is an argument.
class Source : public Desired {
 public:
  /// Whether the type may be answered yet.
  virtual bool open(ResourceType type, SteadyTime now) const = 0;

  /// The client's first request of a type. `subscription` lives as long as this.
  virtual void asked(SteadyTime now, ResourceType type, const Subscription& subscription) = 0;
  virtual void sent(SteadyTime now, const Response& response) = 0;
  /// The client holds what it should.
  virtual void unchanged(SteadyTime now, ResourceType type) = 0;
  virtual void acked(SteadyTime now, ResourceType type, std::uint64_t nonce) = 0;
  virtual void refused(SteadyTime now, ResourceType type, std::uint64_t nonce,
                       std::string_view words) = 0;
  /// Services whose clusters have these names changed in the registry.
  virtual void registry_changed(std::span<const Name> names) = 0;

  /// What may be another since the last call.
  virtual std::vector<Change> take_changes(SteadyTime now) = 0;

  /// When tick() has something to do, unless something happens before.
  virtual std::optional<SteadyTime> deadline() const = 0;
  virtual void tick(SteadyTime now) = 0;
};

}  // namespace lazymesh::publish::xds
