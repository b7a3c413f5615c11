#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "als/observation.h"
#include "base/clock.h"
#include "mesh/registry.h"

namespace lazymesh::learn {

/// The dependencies of all workloads, and what follows from them. Pure: told what happened, it says
/// what to do. Lives on the control thread.
///
/// Who is believed: an egress (MeshSettings::is_egress) of any workload whose addresses are both
/// the connection's peer and its source; a sidecar of its own workload only, by the connection's
/// peer alone, since Envoy may take the source from a request header. Where bound addresses are
/// trusted, a loopback destination is the source's address instead. A certificate must name the
/// workload's service account. No observation of one workload changes another's scope, and what is
/// refused leaves no trace.
class Learner {
 public:
  struct Limits {
    /// Of one workload. The oldest that leads nowhere today makes room for another; where there is
    /// none, the other is refused and counted.
    std::size_t max_dependencies = 1000;
    /// For how long nothing has shown a dependency that forget() drops.
    std::chrono::hours forget_after{30 * 24};
  };

  /// Why an observation taught nothing, for metrics.
  enum class Ignored {
    kReporterNotTrusted,  ///< the stream's peer may not report for this source
    kUnknownSource,  ///< no workload has the source address, or had it then; peer and source are
                     ///< not of the same one; or the certificate is another's
    kUnknownDestination,  ///< outside the registry, or never reached
    kNotVisible,          ///< exportTo
    kNotLearning,         ///< the workload's mode is disabled
    kLimit,
  };

  struct Known {};  ///< counted, nothing to do
  struct Learned {
    mesh::Dependency
        dependency;  ///< to be stored, then confirmed, then the workload's scope published
    std::optional<mesh::DependencyKey> displaced;  ///< made room for it: to be removed
  };
  using Outcome = std::variant<Ignored, Known, Learned>;

  explicit Learner(Limits limits) : limits_(limits) {}

  /// A new registry is in force. Dependencies on what it lacks are kept (they may come back) but
  /// are in no scope. What began before an address lost its workload is not charged to its next.
  void set_registry(WallTime now, std::shared_ptr<const mesh::Registry> registry);
  /// At start, from the store.
  void restore(std::vector<mesh::Dependency> dependencies);

  Outcome observe(WallTime now, const als::Reporter& reporter, const als::Observation& observation);

  /// These are in the store now: from here on scope_of() has them. (What a sidecar was told must
  /// outlive us, so a dependency is in no scope before; meanwhile observations of it are Known.)
  void confirm(const std::vector<mesh::DependencyKey>& keys);

  /// The dependencies whose count or last_seen moved since the last call: to be written now and
  /// then.
  std::vector<mesh::Dependency> take_touched();

  /// Drop what nothing has shown for long and whose workload or service is not in the registry; it
  /// is to be removed. (A dependency in use may go unseen for as long: its traffic does not come by
  /// the egress.)
  std::vector<mesh::DependencyKey> forget(WallTime now);

  /// The services that the workload is told about, ascending by host: those it depends on and,
  /// transitively, those their routes lead to.
  std::vector<mesh::ServicePtr> scope_of(const mesh::Workload& workload) const;

  /// All dependencies, by key; those that follow from routes as `derived`.
  std::vector<mesh::Dependency> graph() const;

 private:
  struct Record {
    mesh::Protocol protocol = mesh::Protocol::kHttp;
    mesh::Reason reason = mesh::Reason::kLearned;
    WallTime first_seen;
    WallTime last_seen;
    std::uint64_t count = 0;
    bool confirmed = false;  // in the store, so in the scope
    bool touched = false;    // in touched_
  };
  struct ByHostAndPort {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      const int order = std::string_view(a.first).compare(b.first);
      return order != 0 ? order < 0 : a.second < b.second;
    }
  };
  using Records = std::map<std::pair<std::string, std::uint16_t>, Record, ByHostAndPort>;
  // What one workload depends on. Only what was learned or restored has one.
  struct State {
    explicit State(mesh::WorkloadId workload) : id(std::move(workload)) {}
    mesh::WorkloadId id;
    Records records;
    // Of scope_of(), until a record is confirmed or the registry changes.
    mutable std::optional<std::vector<mesh::ServicePtr>> scope;
    bool all_lead_somewhere = false;  // known to, in the registry in force
  };
  struct Destination {
    mesh::ServicePtr service;
    const mesh::Port* port;
  };
  // A service that a scope leads to: depended on, or by the routes of what `from` names.
  struct Reached {
    mesh::ServicePtr service;
    const Record* from;
    bool derived;
  };

  tl::expected<mesh::WorkloadPtr, Ignored> source_of(const als::Reporter& reporter,
                                                     const als::Observation& observation) const;
  tl::expected<Destination, Ignored> destination_of(const als::Observation& observation,
                                                    std::string_view from_namespace) const;
  State& state_of(const mesh::WorkloadId& id);
  bool leads_somewhere(const State& state, const Records::value_type& entry) const;
  std::optional<mesh::DependencyKey> make_room(State& state);
  std::vector<Reached> reached_from(const State& state) const;
  static mesh::DependencyKey key_of(const State& state, const Records::value_type& entry);
  static mesh::Dependency dependency_of(const State& state, const Records::value_type& entry);

  Limits limits_;
  std::shared_ptr<const mesh::Registry> registry_ = mesh::Registry::empty();
  absl::flat_hash_map<mesh::WorkloadId, std::unique_ptr<State>> states_;
  std::vector<std::pair<const State*, Records::value_type*>> touched_;
  absl::flat_hash_map<IpAddress, WallTime> lost_;  // when an address was last taken from a workload
};

std::string_view to_string(Learner::Ignored ignored);

}  // namespace lazymesh::learn
