#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "als/observation.h"
#include "lazy-controller/learn/learner.h"
#include "mesh/registry.h"

/// A little mesh, and what an egress would report of it.
namespace lazymesh::learn::test {

inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
inline SocketAddress address(std::string_view text) { return SocketAddress::parse(text).value(); }

inline const IpAddress kEgress = ip("10.0.0.2");

inline mesh::Service service(std::string name, std::string ns, std::string_view vip,
                             std::vector<std::string> export_to = {},
                             std::vector<std::string> route_hosts = {}) {
  mesh::Service result;
  result.host = name + "." + ns + ".svc.cluster.local";
  result.namespace_ = std::move(ns);
  result.vips = {ip(vip)};
  result.ports = {{9080, mesh::Protocol::kHttp, "http"}, {3306, mesh::Protocol::kTcp, "tcp"}};
  result.export_to = std::move(export_to);
  result.route_hosts = std::move(route_hosts);
  return result;
}

inline mesh::Workload workload(std::string ns, std::string name,
                               std::vector<std::string_view> addresses) {
  mesh::Workload result;
  result.id = {std::move(ns), std::move(name)};
  result.service_account = result.id.name;
  for (const auto& text : addresses) result.addresses.push_back(ip(text));
  return result;
}

/// shop is lazy, lab is observed, old is neither. reviews routes to ratings, which routes to stars
/// (and back); secret is visible from its own namespace only.
inline mesh::RegistryContent content() {
  mesh::RegistryContent result;
  result.settings.egress = {{kEgress, 15080}};
  result.namespaces = {{"shop", {{"lazymesh.io/lazy", "enabled"}}},
                       {"lab", {{"lazymesh.io/lazy", "observe"}}},
                       {"old", {}},
                       {"vault", {}}};
  const auto add = [&](mesh::Service made) {
    result.services.push_back(std::make_shared<mesh::Service>(std::move(made)));
  };
  add(service("details", "shop", "10.96.0.1"));
  auto reviews = service("reviews", "shop", "10.96.0.2", {}, {"ratings.shop.svc.cluster.local"});
  auto& endpoint = reviews.endpoints.emplace_back();
  endpoint.address = address("10.1.9.9:19080");
  endpoint.service_port = 9080;
  add(std::move(reviews));
  add(service("ratings", "shop", "10.96.0.3", {},
              {"gone.shop.svc.cluster.local", "secret.vault.svc.cluster.local",
               "stars.shop.svc.cluster.local"}));
  add(service("stars", "shop", "10.96.0.4", {}, {"reviews.shop.svc.cluster.local"}));
  add(service("secret", "vault", "10.96.0.5", {"."}));
  for (auto made :
       {workload("shop", "web", {"10.1.0.1", "10.1.0.2"}), workload("shop", "api", {"10.1.0.3"}),
        workload("lab", "probe", {"10.1.0.4"}), workload("old", "cron", {"10.1.0.5"})}) {
    result.workloads.push_back(std::make_shared<mesh::Workload>(std::move(made)));
  }
  return result;
}

inline std::shared_ptr<const mesh::Registry> registry(mesh::RegistryContent from = content()) {
  return mesh::Registry::build(std::move(from)).value();
}

inline als::Reporter reporter(const IpAddress& peer = kEgress) {
  return {peer, "egress~10.0.0.2~egress.lazymesh~lazymesh.svc.cluster.local", "lazymesh_egress"};
}

/// A request that was served: from an address, to a service in namespace shop.
inline als::Observation request(std::string_view from, std::string_view to,
                                std::uint16_t port = 9080) {
  als::Observation result;
  result.peer = result.source = SocketAddress{ip(from), 40000};
  result.destination = SocketAddress{ip("10.96.0.77"), port};
  result.upstream_cluster = mesh::cluster_name(std::string(to) + ".shop.svc.cluster.local", port);
  result.response_code = 200;
  result.reached_upstream = true;
  return result;
}

inline mesh::WorkloadId web() { return {"shop", "web"}; }

inline std::vector<std::string> hosts(const std::vector<mesh::ServicePtr>& services) {
  std::vector<std::string> result;
  for (const auto& each : services) result.push_back(each->host.substr(0, each->host.find('.')));
  return result;
}

}  // namespace lazymesh::learn::test
