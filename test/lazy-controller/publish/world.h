#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mesh/registry.h"

namespace lazymesh::publish::xds::test {

/// A small mesh to be changed step by step; every change makes a new registry that shares what did
/// not change.
class World {
 public:
  World();

  static std::string host(std::string_view name, std::string_view ns = "shop") {
    return std::string(name) + "." + std::string(ns) + ".svc.cluster.local";
  }
  static std::string cluster(std::string_view name, std::uint16_t port = 80) {
    return mesh::cluster_name(host(name), port);
  }

  /// An HTTP service with one endpoint; replaces one of the same name.
  mesh::Service& service(std::string_view name, std::vector<std::uint16_t> ports = {80},
                         mesh::Protocol protocol = mesh::Protocol::kHttp,
                         std::string_view ns = "shop");
  /// The service, to be changed.
  mesh::Service& change(std::string_view name, std::string_view ns = "shop");
  void remove(std::string_view name);
  mesh::Workload& workload(std::string_view name, std::string_view address,
                           std::string_view lazy = "enabled");

  mesh::MeshSettings settings;
  std::vector<mesh::Namespace> namespaces;
  std::map<mesh::WorkloadId, mesh::Workload> workloads;

  std::shared_ptr<const mesh::Registry> registry();
  std::vector<mesh::ServicePtr> services(const std::vector<std::string>& names);

 private:
  std::map<std::string, mesh::Service> services_;
  std::map<std::string, mesh::ServicePtr> made_;
  std::map<mesh::WorkloadId, mesh::WorkloadPtr> made_workloads_;
  std::shared_ptr<const mesh::Registry> registry_;
  int next_address_ = 1;
};

}  // namespace lazymesh::publish::xds::test
