#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "egress/on_demand/table.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
template <typename T>
class Family;
}  // namespace prometheus

namespace lazymesh::egress {

/// The on-demand client's metrics. Control thread.
class OnDemandMetrics {
 public:
  explicit OnDemandMetrics(prometheus::Registry& registry);

  void observe(const Table::Counts& counts);
  void answered_in(std::chrono::nanoseconds duration);
  /// A response with something in it that could not be used.
  void rejected(ResourceType type);
  /// By field, of which the schema has a bounded number; beyond 200 they are counted as "other".
  void unsupported(const std::string& field);

 private:
  prometheus::Gauge& destinations_;
  prometheus::Gauge& callers_;
  prometheus::Gauge& unknown_hosts_;
  prometheus::Gauge& unknown_callers_;
  prometheus::Gauge& pending_;
  prometheus::Gauge& streams_;
  prometheus::Gauge& streams_open_;
  prometheus::Gauge& up_;
  prometheus::Counter& watches_;
  prometheus::Counter& reconnects_;
  prometheus::Counter& failures_;
  prometheus::Counter& refusals_;
  prometheus::Counter& evictions_;
  prometheus::Histogram& resolve_seconds_;
  std::vector<prometheus::Counter*> rejected_;  // by ResourceType
  prometheus::Family<prometheus::Counter>& unsupported_;
  absl::flat_hash_map<std::string, prometheus::Counter*> fields_;
  Table::Counts last_;
};

}  // namespace lazymesh::egress
