#include "lazy-controller/publish/xds/metrics.h"

#include <string>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "lazy-controller/publish/xds/wire.h"

namespace lazymesh::publish::xds {
namespace {

prometheus::Family<prometheus::Counter>& counters(prometheus::Registry& registry, const char* name,
                                                  const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Gauge>& streams(prometheus::Registry& registry) {
  return prometheus::BuildGauge()
      .Name("lazymesh_xds_streams")
      .Help("Streams that are served, by who the client is")
      .Register(registry);
}

Metrics::PerType per_type(prometheus::Registry& registry, ResourceType type) {
  const prometheus::Labels labels{{"type", std::string(short_name(type))}};
  const auto add = [&](const char* name, const char* help) -> prometheus::Counter& {
    return counters(registry, name, help).Add(labels);
  };
  return {add("lazymesh_xds_responses_total", "Discovery responses sent"),
          add("lazymesh_xds_resources_total", "Resources in the discovery responses sent"),
          add("lazymesh_xds_sent_bytes_total", "Bytes of the discovery responses sent"),
          add("lazymesh_xds_acks_total", "Responses that clients accepted"),
          add("lazymesh_xds_nacks_total", "Responses that clients refused")};
}

prometheus::Family<prometheus::Counter>& pushes(prometheus::Registry& registry) {
  return counters(registry, "lazymesh_xds_pushes_total",
                  "Clients that were told something they did not ask for, by what changed");
}

}  // namespace

Metrics::Metrics(prometheus::Registry& registry)
    : sidecars(streams(registry).Add({{"client", "sidecar"}})),
      egresses(streams(registry).Add({{"client", "egress"}})),
      denied(counters(registry, "lazymesh_xds_denied_total", "Streams refused to their peers")
                 .Add({})),
      registry_pushes(pushes(registry).Add({{"cause", "registry"}})),
      scope_pushes(pushes(registry).Add({{"cause", "scope"}})),
      overdue(counters(registry, "lazymesh_xds_overdue_clusters_total",
                       "Clusters that did not become warm within the deadline")
                  .Add({})),
      warming_seconds(
          prometheus::BuildHistogram()
              .Name("lazymesh_xds_warming_seconds")
              .Help("From sending a cluster to the evidence that the client has it")
              .Register(registry)
              .Add({},
                   prometheus::Histogram::BucketBoundaries{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                           0.1, 0.25, 0.5, 1, 2.5, 5, 15})),
      types{
          per_type(registry, ResourceType::kCluster), per_type(registry, ResourceType::kEndpoints),
          per_type(registry, ResourceType::kListener), per_type(registry, ResourceType::kRoutes)} {}

}  // namespace lazymesh::publish::xds
