#pragma once

#include <array>

#include "lazy-controller/publish/xds/entry.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace lazymesh::publish::xds {

/// What the publisher counts; children resolved here, none looked up later.
struct Metrics {
  explicit Metrics(prometheus::Registry& registry);

  struct PerType {
    prometheus::Counter& responses;
    prometheus::Counter& resources;
    prometheus::Counter& bytes;
    prometheus::Counter& acks;
    prometheus::Counter& nacks;
  };
  PerType& of(ResourceType type) { return types[static_cast<std::size_t>(type)]; }

  prometheus::Gauge& sidecars;
  prometheus::Gauge& egresses;
  prometheus::Counter& denied;
  prometheus::Counter& registry_pushes;  ///< clients told something because the registry changed
  prometheus::Counter& scope_pushes;     ///< because a scope did
  prometheus::Counter& overdue;
  prometheus::Histogram& warming_seconds;
  std::array<PerType, 4> types;
};

}  // namespace lazymesh::publish::xds
