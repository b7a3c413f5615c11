#include "test/lazy-controller/publish/world.h"

#include <stdexcept>

namespace lazymesh::publish::xds::test {

World::World() : namespaces{{"shop", {}}, {"other", {}}} {
  settings.egress = {*SocketAddress::parse("10.0.0.2:15080")};
}

mesh::Service& World::service(std::string_view name, std::vector<std::uint16_t> ports,
                              mesh::Protocol protocol, std::string_view ns) {
  mesh::Service service;
  service.host = host(name, ns);
  service.namespace_ = ns;
  const auto n = next_address_++;
  service.vips = {IpAddress::v4(
      {10, 96, static_cast<std::uint8_t>(n / 250), static_cast<std::uint8_t>(n % 250 + 1)})};
  for (const auto port : ports) {
    service.ports.push_back({port, protocol, "p" + std::to_string(port)});
    mesh::Endpoint endpoint;
    endpoint.address = {IpAddress::v4({10, 1, static_cast<std::uint8_t>(n / 250),
                                       static_cast<std::uint8_t>(n % 250 + 1)}),
                        port};
    endpoint.service_port = port;
    service.endpoints.push_back(endpoint);
  }
  return services_[service.host] = service;
}

mesh::Service& World::change(std::string_view name, std::string_view ns) {
  return services_.at(host(name, ns));
}

void World::remove(std::string_view name) { services_.erase(host(name)); }

mesh::Workload& World::workload(std::string_view name, std::string_view address,
                                std::string_view lazy) {
  mesh::Workload workload;
  workload.id = {"shop", std::string(name)};
  workload.labels = {{std::string(mesh::kLazyLabel), std::string(lazy)}};
  workload.addresses = {*IpAddress::parse(address)};
  return workloads[workload.id] = workload;
}

std::shared_ptr<const mesh::Registry> World::registry() {
  mesh::RegistryContent content;
  content.settings = settings;
  content.namespaces = namespaces;
  std::map<std::string, mesh::ServicePtr> made;
  for (const auto& [host, service] : services_) {
    auto& shared = made[host];
    const auto before = made_.find(host);
    if (before != made_.end() && *before->second == service) {
      shared = before->second;
    } else {
      shared = std::make_shared<const mesh::Service>(service);
    }
    content.services.push_back(shared);
  }
  made_ = std::move(made);
  for (const auto& [id, workload] : workloads) {
    auto& shared = made_workloads_[id];
    if (!shared || *shared != workload) {
      shared = std::make_shared<const mesh::Workload>(workload);
    }
    content.workloads.push_back(shared);
  }
  auto built = mesh::Registry::build(std::move(content));
  if (!built) throw std::runtime_error(built.error().message);
  return registry_ = *built;
}

std::vector<mesh::ServicePtr> World::services(const std::vector<std::string>& names) {
  std::map<std::string, mesh::ServicePtr> sorted;
  for (const auto& name : names) {
    const auto found = made_.find(host(name));
    if (found != made_.end()) sorted.insert(*found);
  }
  std::vector<mesh::ServicePtr> result;
  for (auto& [_, service] : sorted) result.push_back(service);
  return result;
}

}  // namespace lazymesh::publish::xds::test
