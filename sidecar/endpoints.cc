#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "envoy/config/endpoint/v3/endpoint.pb.h"

#include "sidecar/configuration.h"
#include "sidecar/messages.h"

namespace lazymesh::sidecar {
namespace {

using envoy::config::core::v3::HealthStatus;
using envoy::config::endpoint::v3::ClusterLoadAssignment;

HealthStatus status(mesh::Health health) {
  switch (health) {
    case mesh::Health::kHealthy:
      return HealthStatus::HEALTHY;
    case mesh::Health::kUnhealthy:
      return HealthStatus::UNHEALTHY;
    case mesh::Health::kDraining:
      return HealthStatus::DRAINING;
    case mesh::Health::kDegraded:
      return HealthStatus::DEGRADED;
  }
  return HealthStatus::UNKNOWN;
}

}  // namespace

ResourcePtr endpoints_of(const mesh::Service& service, const mesh::Port& port) {
  // By locality and within it by address, so that the order in the registry makes no new version.
  std::map<mesh::Locality, std::vector<const mesh::Endpoint*>> localities;
  for (const auto& endpoint : service.endpoints) {
    if (endpoint.service_port != port.number) continue;
    localities[endpoint.locality ? *endpoint.locality : mesh::Locality{}].push_back(&endpoint);
  }
  auto name = mesh::cluster_name(service.host, port.number);
  ClusterLoadAssignment assignment;
  assignment.set_cluster_name(name);
  for (auto& [locality, endpoints] : localities) {
    const auto key = [](const auto* e) { return std::tie(e->address, e->weight, e->health); };
    std::sort(endpoints.begin(), endpoints.end(),
              [&](const auto* a, const auto* b) { return key(a) < key(b); });
    auto& group = *assignment.add_endpoints();
    if (locality != mesh::Locality{}) {
      group.mutable_locality()->set_region(locality.region);
      group.mutable_locality()->set_zone(locality.zone);
      group.mutable_locality()->set_sub_zone(locality.sub_zone);
    }
    std::uint64_t weight = 0;
    for (const auto* endpoint : endpoints) {
      auto& lb = *group.add_lb_endpoints();
      set(endpoint->address, *lb.mutable_endpoint()->mutable_address());
      lb.set_health_status(status(endpoint->health));
      lb.mutable_load_balancing_weight()->set_value(endpoint->weight);
      weight += endpoint->weight;
    }
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
    group.mutable_load_balancing_weight()->set_value(
        static_cast<std::uint32_t>(std::min(weight, kMost)));
  }
  return make_resource(ResourceType::kEndpoints, std::move(name), assignment);
}

}  // namespace lazymesh::sidecar
