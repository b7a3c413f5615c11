#pragma once

#include <memory>
#include <vector>

#include "lazy-controller/registry/file/schema.h"
#include "mesh/registry.h"

namespace lazymesh::registry {

/// Collects what a mesh file says, part by part, and at its end makes the registry, checking what
/// needs the whole file. One thread, one file.
class Content final : public PartHandler {
 public:
  /// Services and workloads equal to those of `previous` are shared with it.
  Content(const mesh::Registry& previous, Problems& problems)
      : previous_(previous), problems_(problems), decoder_(problems) {}

  void on_key(std::string_view key, Mark mark) override;
  void on_element(std::string_view key, std::size_t index, const Part& part) override;
  void on_value(std::string_view key, const Part& part) override;

  /// Null if there is a problem.
  std::shared_ptr<const mesh::Registry> finish();

 private:
  struct Targets {
    mesh::ServicePtr service;
    std::vector<RouteTarget> targets;
  };

  void add_service(const Value& value);
  void add_workload(const Value& value);
  void fill_route_hosts(mesh::Service& service, const std::vector<RouteTarget>& targets);
  void refuse(const mesh::Culprit& culprit, std::string reason);
  template <class Items, class Is>
  void refuse_last(std::string_view section, const Items& items, const std::vector<Mark>& marks,
                   std::string reason, Is is);
  void check_lazy(const mesh::Registry& registry);
  void check_shape(const mesh::Registry& registry);
  void check_targets(const mesh::Registry& registry);
  std::string target_problem(const mesh::Registry& registry, const mesh::Service& service,
                             const std::string& cluster) const;

  const mesh::Registry& previous_;
  Problems& problems_;
  Decoder decoder_;
  mesh::RegistryContent content_;
  std::vector<Targets> targets_;
  // Where each was written, in the order of the file.
  Mark settings_;
  std::vector<Mark> namespace_marks_;
  std::vector<Mark> service_marks_;
  std::vector<Mark> workload_marks_;
};

}  // namespace lazymesh::registry
