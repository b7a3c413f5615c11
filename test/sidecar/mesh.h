#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "mesh/registry.h"
#include "sidecar/configuration.h"

/// A small mesh to make sidecars of.
namespace lazymesh::test {

inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
inline SocketAddress address(std::string_view text) { return SocketAddress::parse(text).value(); }

inline mesh::Endpoint endpoint(std::string_view at, std::uint16_t service_port) {
  mesh::Endpoint result;
  result.address = address(at);
  result.service_port = service_port;
  return result;
}

/// `NAME.shop.svc.cluster.local`, for all to see.
inline mesh::Service service(std::string_view name, std::vector<mesh::Port> ports) {
  mesh::Service result;
  result.host = std::string(name) + ".shop.svc.cluster.local";
  result.namespace_ = "shop";
  result.ports = std::move(ports);
  return result;
}

/// Services that callers in workload shop/web, at 10.1.0.2 unless said otherwise, may see.
struct Mesh {
  mesh::MeshSettings settings;
  std::vector<mesh::Service> services;
  mesh::LazyMode mode = mesh::LazyMode::kEnabled;
  std::string workload_address = "10.1.0.2";

  /// Valid until the next call.
  sidecar::Subject subject() {
    mesh::RegistryContent content;
    content.settings = settings;
    content.namespaces = {{"shop", {}}, {"bank", {}}};
    for (const auto& each : services) {
      content.services.push_back(std::make_shared<const mesh::Service>(each));
    }
    content.workloads.push_back(std::make_shared<const mesh::Workload>(mesh::Workload{
        {"shop", "web"}, {{"app", "web"}, {"version", "v1"}}, "web", {ip(workload_address)}}));
    auto built = mesh::Registry::build(std::move(content));
    if (!built) throw std::logic_error(built.error().message);
    registry = *built;
    return {*registry, *registry->workloads().front(), mode};
  }

  std::shared_ptr<const mesh::Registry> registry;
};

/// Everything that a sidecar is told when it knows all services of the mesh.
struct Told {
  explicit Told(const sidecar::Subject& subject) {
    const auto& services = subject.registry.services();
    clusters = sidecar::base_clusters(subject);
    for (const auto& each : services) {
      for (const auto& port : each->ports) {
        clusters.push_back(sidecar::cluster_of(*each, port));
        endpoints.push_back(sidecar::endpoints_of(*each, port));
      }
    }
    listeners = sidecar::listeners(subject, services);
    routes = {sidecar::route_configuration(subject, services)};
  }

  std::string contradiction() const {
    return sidecar::contradiction(clusters, endpoints, listeners, routes);
  }

  std::vector<sidecar::ResourcePtr> clusters;
  std::vector<sidecar::ResourcePtr> endpoints;
  std::vector<sidecar::ResourcePtr> listeners;
  std::vector<sidecar::ResourcePtr> routes;
};

template <class Message>
Message parse(const sidecar::Resource& resource) {
  Message message;
  EXPECT_TRUE(message.ParseFromString(resource.body)) << resource.name;
  return message;
}

template <class Message>
Message unpack(const auto& any) {
  Message message;
  EXPECT_TRUE(any.UnpackTo(&message)) << any.type_url();
  return message;
}

inline sidecar::ResourcePtr find(const std::vector<sidecar::ResourcePtr>& resources,
                                 std::string_view name) {
  for (const auto& resource : resources) {
    if (resource->name == name) return resource;
  }
  return nullptr;
}

}  // namespace lazymesh::test
