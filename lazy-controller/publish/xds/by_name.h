#pragma once

#include <vector>

#include "lazy-controller/publish/xds/catalog.h"
#include "lazy-controller/publish/xds/source.h"

namespace lazymesh::publish::xds {

/// For an egress, which asks for single service ports by the exact names of their clusters and sees
/// all of them. What there is not is answered with nothing in it, as istiod answers, where the
/// protocol has no word for it. No order is kept: the client itself asks in the order it needs.
class ByName final : public Source {
 public:
  ByName(Catalog& catalog, Variant variant) : catalog_(catalog), variant_(variant) {}

  Wish find(ResourceType type, const Name& name) const override;
  void each(ResourceType, const std::function<void(const EntryPtr&)>&) const override {}

  bool open(ResourceType, SteadyTime) const override { return true; }
  void asked(SteadyTime, ResourceType, const Subscription&) override {}
  void sent(SteadyTime, const Response&) override {}
  void unchanged(SteadyTime, ResourceType) override {}
  void acked(SteadyTime, ResourceType, std::uint64_t) override {}
  void refused(SteadyTime, ResourceType, std::uint64_t, std::string_view) override {}
  void registry_changed(std::span<const Name> names) override;
  std::vector<Change> take_changes(SteadyTime) override { return std::exchange(changes_, {}); }
  std::optional<SteadyTime> deadline() const override { return std::nullopt; }
  void tick(SteadyTime) override {}

 private:
  Catalog& catalog_;
  Variant variant_;
  std::vector<Change> changes_;
};

}  // namespace lazymesh::publish::xds
