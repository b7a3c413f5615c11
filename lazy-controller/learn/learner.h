#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "als/observation.h"
#include "base/clock.h"
#include "mesh/registry.h"

namespace lazymesh::learn {

/// The dependencies of all workloads, and what follows from them. Pure: told what happened, it says
/// what to do. Lives on the control thread.
class Learner {
 public:
  struct Limits {
    std::size_t max_dependencies = 1000;  ///< of one workload; more are refused and counted
  };

  /// Why an observation taught nothing, for metrics.
  enum class Ignored {
    kReporterNotTrusted,  ///< the stream's peer may not report for this source
    kUnknownSource,  ///< no workload has the source address, or peer and source are not of the same
                     ///< one
    kUnknownDestination,  ///< outside the registry, or never reached
    kNotVisible,          ///< exportTo
    kNotLearning,         ///< the workload's mode is disabled
    kLimit,
  };

  struct Known {};  ///< counted, nothing to do
  struct Learned {
    mesh::Dependency dependency;  ///< to be stored, then confirmed, then the workload's scope published
  };
  using Outcome = std::variant<Ignored, Known, Learned>;

  explicit Learner(Limits limits) : limits_(limits) {}

  /// A new registry is in force. Dependencies on what it lacks are kept (they may come back) but
  /// are in no scope.
  void set_registry(std::shared_ptr<const mesh::Registry> registry);
  /// At start, from the store.
  void restore(std::vector<mesh::Dependency> dependencies);

  Outcome observe(WallTime now, const als::Reporter& reporter, const als::Observation& observation);

  /// These are in the store now: from here on scope_of() has them. (What a sidecar was told must outlive us, so a
  /// dependency is in no scope before; meanwhile observations of it are Known.)
  void confirm(const std::vector<mesh::DependencyKey>& keys);

  /// The dependencies whose count or last_seen moved since the last call: to be written now and
  /// then.
  std::vector<mesh::Dependency> take_touched();

  /// The services that the workload is told about, ascending by host: those it depends on and,
  /// transitively, those their routes lead to.
  std::vector<mesh::ServicePtr> scope_of(const mesh::Workload& workload) const;

  /// All dependencies, by key; those that follow from routes as `derived`.
  std::vector<mesh::Dependency> graph() const;

 private:
  Limits limits_;
};

std::string_view to_string(Learner::Ignored ignored);

}  // namespace lazymesh::learn
