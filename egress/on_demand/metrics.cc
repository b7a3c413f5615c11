#include "egress/on_demand/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace lazymesh::egress {
namespace {

constexpr std::size_t kMaxFields = 200;

prometheus::Gauge& gauge(prometheus::Registry& registry, const std::string& name,
                         const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Counter& counter(prometheus::Registry& registry, const std::string& name,
                             const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

OnDemandMetrics::OnDemandMetrics(prometheus::Registry& registry)
    : destinations_(gauge(registry, "lazymesh_egress_destinations",
                          "Destinations that are known and kept up to date")),
      callers_(gauge(registry, "lazymesh_egress_callers",
                     "Callers whose workload is known and kept up to date")),
      unknown_hosts_(
          gauge(registry, "lazymesh_egress_unknown_hosts", "Hosts remembered as unknown")),
      unknown_callers_(
          gauge(registry, "lazymesh_egress_unknown_callers", "Callers remembered as unknown")),
      pending_(gauge(registry, "lazymesh_egress_pending",
                     "Hosts and callers asked for and not answered yet")),
      streams_(gauge(registry, "lazymesh_egress_control_streams",
                     "Streams to the control plane that are wanted: the Resolver's and one a "
                     "service namespace")),
      streams_open_(gauge(registry, "lazymesh_egress_control_streams_open",
                          "Streams to the control plane that are open")),
      up_(gauge(registry, "lazymesh_egress_control_up", "1 while the Resolver's stream is open")),
      watches_(counter(registry, "lazymesh_egress_watches_total",
                       "Questions of event loops, answered from what is known or not")),
      reconnects_(counter(registry, "lazymesh_egress_control_reconnects_total",
                          "Attempts to open a broken stream to the control plane again")),
      failures_(counter(registry, "lazymesh_egress_resolve_failures_total",
                        "Hosts and callers for which no answer came in time")),
      refusals_(counter(registry, "lazymesh_egress_resolve_refused_total",
                        "Questions refused because too many had no answer yet")),
      evictions_(counter(registry, "lazymesh_egress_let_go_total",
                         "Hosts and callers let go: unused, or above a limit")),
      resolve_seconds_(
          prometheus::BuildHistogram()
              .Name("lazymesh_egress_resolve_seconds")
              .Help("From the first question for a destination to all of its configuration")
              .Register(registry)
              .Add({}, prometheus::Histogram::BucketBoundaries{.001, .0025, .005, .01, .025, .05,
                                                               .1, .25, .5, 1, 2.5, 5})),
      unsupported_(prometheus::BuildCounter()
                       .Name("lazymesh_egress_unsupported_total")
                       .Help("Configurations with a field that is not honoured, by its path")
                       .Register(registry)) {
  auto& rejected = prometheus::BuildCounter()
                       .Name("lazymesh_egress_rejected_total")
                       .Help("ADS responses answered with a NACK")
                       .Register(registry);
  for (const auto type :
       {ResourceType::kCluster, ResourceType::kEndpoints, ResourceType::kRoutes}) {
    rejected_.push_back(&rejected.Add({{"type", std::string(to_string(type))}}));
  }
}

void OnDemandMetrics::observe(const Table::Counts& counts) {
  callers_.Set(static_cast<double>(counts.known[0]));
  destinations_.Set(static_cast<double>(counts.known[1]));
  unknown_callers_.Set(static_cast<double>(counts.unknown[0]));
  unknown_hosts_.Set(static_cast<double>(counts.unknown[1]));
  pending_.Set(static_cast<double>(counts.pending));
  streams_.Set(static_cast<double>(counts.streams));
  streams_open_.Set(static_cast<double>(counts.streams_open));
  up_.Set(counts.up ? 1 : 0);
  watches_.Increment(static_cast<double>(counts.watches - last_.watches));
  reconnects_.Increment(static_cast<double>(counts.reconnects - last_.reconnects));
  failures_.Increment(static_cast<double>(counts.failures - last_.failures));
  refusals_.Increment(static_cast<double>(counts.refusals - last_.refusals));
  evictions_.Increment(static_cast<double>(counts.evictions - last_.evictions));
  last_ = counts;
}

void OnDemandMetrics::answered_in(std::chrono::nanoseconds duration) {
  resolve_seconds_.Observe(std::chrono::duration<double>(duration).count());
}

void OnDemandMetrics::rejected(ResourceType type) {
  rejected_[static_cast<std::size_t>(type)]->Increment();
}

void OnDemandMetrics::unsupported(const std::string& field) {
  auto found = fields_.find(field);
  if (found == fields_.end()) {
    const auto label = fields_.size() < kMaxFields ? field : std::string("other");
    auto& child = unsupported_.Add({{"field", label}});
    if (label != field) return child.Increment();
    found = fields_.emplace(field, &child).first;
  }
  found->second->Increment();
}

}  // namespace lazymesh::egress
