#include "lazy-controller/publish/xds/by_name.h"

namespace lazymesh::publish::xds {
namespace {

Wish present(EntryPtr entry) { return {Wish::Kind::kPresent, std::move(entry)}; }

}  // namespace

Wish ByName::find(ResourceType type, const Name& name) const {
  const auto text = name.text();
  const bool delta = variant_ == Variant::kDelta;
  switch (type) {
    case ResourceType::kCluster:
      if (const auto found = catalog_.find(text)) return present(found->second->cluster);
      break;
    case ResourceType::kEndpoints:
      if (const auto found = catalog_.find(text)) return present(found->second->endpoints);
      if (!delta) return present(catalog_.no_endpoints(text));
      break;
    case ResourceType::kRoutes:
      if (auto routes = catalog_.user_routes(text)) return present(std::move(routes));
      if (!delta) return present(catalog_.no_routes(text));
      break;
    case ResourceType::kListener:
      break;
  }
  return {Wish::Kind::kAbsent};
}

void ByName::registry_changed(std::span<const Name> names) {
  for (const auto& name : names) {
    changes_.push_back({ResourceType::kCluster, name});
    changes_.push_back({ResourceType::kEndpoints, name});
    changes_.push_back({ResourceType::kRoutes, name});
  }
}

}  // namespace lazymesh::publish::xds
