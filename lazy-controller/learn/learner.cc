#include "lazy-controller/learn/learner.h"

#include <algorithm>

#include <absl/container/flat_hash_set.h>

namespace lazymesh::learn {
namespace {

using mesh::ServicePtr;
using mesh::WorkloadPtr;

// The host of an authority (RFC 3986, 3.2): without a port, an IPv6 address in its brackets.
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  const auto colon = authority.find(':');
  const bool one_colon = colon != std::string_view::npos && colon == authority.rfind(':');
  return one_colon ? authority.substr(0, colon) : authority;
}

// Whether the SPIFFE id (`spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT`, as Istio's) is the
// workload's. Which trust domains there are was decided when the certificate was accepted.
bool is_identity_of(std::string_view spiffe_id, const mesh::Workload& workload) {
  constexpr std::string_view kScheme = "spiffe://";
  if (!spiffe_id.starts_with(kScheme)) return false;
  const auto path = spiffe_id.find('/', kScheme.size());
  if (path == std::string_view::npos) return false;
  const std::string_view account =
      workload.service_account.empty() ? "default" : std::string_view(workload.service_account);
  return spiffe_id.substr(path) ==
         std::string("/ns/").append(workload.id.namespace_).append("/sa/").append(account);
}

}  // namespace

void Learner::set_registry(WallTime now, std::shared_ptr<const mesh::Registry> registry) {
  registry_.swap(registry);
  for (const auto& before : registry->workloads()) {
    for (const auto& address : before->addresses) {
      const auto owner = registry_->find_workload(address);
      if (!owner || owner->id != before->id) lost_[address] = now;
    }
  }
  for (const auto& [id, state] : states_) {
    state->scope.reset();
    state->all_lead_somewhere = false;
  }
}

void Learner::restore(std::vector<mesh::Dependency> dependencies) {
  for (auto& dependency : dependencies) {
    State& state = state_of(dependency.key.source);
    state.records.insert_or_assign(
        std::pair{std::move(dependency.key.host), dependency.key.port},
        Record{dependency.protocol, dependency.reason, dependency.first_seen, dependency.last_seen,
               dependency.count, /*confirmed=*/true, /*touched=*/false});
    state.scope.reset();
  }
}

Learner::Outcome Learner::observe(WallTime now, const als::Reporter& reporter,
                                  const als::Observation& observation) {
  const auto source = source_of(reporter, observation);
  if (!source) return source.error();
  const mesh::WorkloadId& id = (*source)->id;
  if (registry_->lazy_mode(**source) == mesh::LazyMode::kDisabled) return Ignored::kNotLearning;
  const auto destination = destination_of(observation, id.namespace_);
  if (!destination) return destination.error();

  const std::pair key{std::string_view(destination->service->host), destination->port->number};
  std::optional<mesh::DependencyKey> displaced;
  if (const auto found = states_.find(id); found != states_.end()) {
    State& state = *found->second;
    if (const auto known = state.records.find(key); known != state.records.end()) {
      Record& record = known->second;
      if (observation.ended) ++record.count;
      record.last_seen = std::max(record.last_seen, now);
      if (!record.touched) touched_.emplace_back(&state, &*known);
      record.touched = true;
      return Known{};
    }
    if (state.records.size() >= limits_.max_dependencies) {
      displaced = make_room(state);
      if (!displaced) return Ignored::kLimit;
    }
  } else if (limits_.max_dependencies == 0) {
    return Ignored::kLimit;
  }
  State& state = state_of(id);
  const auto [added, _] = state.records.emplace(
      key, Record{destination->port->protocol, mesh::Reason::kLearned, now, now,
                  observation.ended ? 1U : 0U, /*confirmed=*/false, /*touched=*/false});
  return Learned{dependency_of(state, *added), std::move(displaced)};
}

bool Learner::leads_somewhere(const State& state, const Records::value_type& entry) const {
  const auto& [host, port] = entry.first;
  const auto service = registry_->find_service(host);
  return service && service->find_port(port) != nullptr &&
         service->visible_from(state.id.namespace_);
}

std::optional<mesh::DependencyKey> Learner::make_room(State& state) {
  if (state.all_lead_somewhere) return std::nullopt;
  auto& records = state.records;
  auto oldest = records.end();
  for (auto each = records.begin(); each != records.end(); ++each) {
    if (leads_somewhere(state, *each)) continue;
    if (oldest == records.end() || each->second.last_seen < oldest->second.last_seen) oldest = each;
  }
  state.all_lead_somewhere = oldest == records.end();
  if (state.all_lead_somewhere) return std::nullopt;
  auto key = key_of(state, *oldest);
  std::erase_if(touched_, [&](const auto& touched) { return touched.second == &*oldest; });
  records.erase(oldest);
  return key;
}

std::vector<mesh::DependencyKey> Learner::forget(WallTime now) {
  const auto is_dead = [&](const State& state, const Records::value_type& entry) {
    if (entry.second.last_seen > now - limits_.forget_after) return false;
    return !registry_->find_workload(state.id) || !leads_somewhere(state, entry);
  };
  absl::erase_if(lost_,
                 [&](const auto& each) { return each.second <= now - limits_.forget_after; });
  std::erase_if(touched_, [&](const auto& each) { return is_dead(*each.first, *each.second); });
  std::vector<mesh::DependencyKey> forgotten;
  absl::erase_if(states_, [&](const auto& each) {
    State& state = *each.second;
    std::erase_if(state.records, [&](const auto& entry) {
      if (!is_dead(state, entry)) return false;
      forgotten.push_back(key_of(state, entry));
      return true;
    });
    return state.records.empty();
  });
  return forgotten;
}

void Learner::confirm(const std::vector<mesh::DependencyKey>& keys) {
  for (const auto& key : keys) {
    const auto state = states_.find(key.source);
    if (state == states_.end()) continue;
    auto& records = state->second->records;
    const auto record = records.find(std::pair{std::string_view(key.host), key.port});
    if (record == records.end() || record->second.confirmed) continue;
    record->second.confirmed = true;
    state->second->scope.reset();
  }
}

tl::expected<WorkloadPtr, Learner::Ignored> Learner::source_of(
    const als::Reporter& reporter, const als::Observation& observation) const {
  const auto& settings = registry_->settings();
  const auto workload_at = [&](const std::optional<SocketAddress>& address) -> WorkloadPtr {
    if (!address) return nullptr;
    const auto lost = lost_.find(address->ip);
    if (lost != lost_.end() && observation.start < lost->second) return nullptr;
    return registry_->find_workload(address->ip);
  };
  const bool bound = settings.trust_bound_addresses && observation.destination &&
                     observation.destination->ip.is_loopback();
  WorkloadPtr source = workload_at(bound ? observation.destination : observation.peer);

  if (settings.is_egress(reporter.peer)) {
    if (!source) return tl::unexpected(Ignored::kUnknownSource);
    if (!bound && workload_at(observation.source) != source) {
      return tl::unexpected(Ignored::kUnknownSource);
    }
  } else if (!source || registry_->find_workload(reporter.peer) != source) {
    return tl::unexpected(Ignored::kReporterNotTrusted);
  }
  if (!observation.source_identity.empty() &&
      !is_identity_of(observation.source_identity, *source)) {
    return tl::unexpected(Ignored::kUnknownSource);
  }
  return source;
}

tl::expected<Learner::Destination, Learner::Ignored> Learner::destination_of(
    const als::Observation& observation, std::string_view from_namespace) const {
  const auto unknown = tl::unexpected(Ignored::kUnknownDestination);
  if (!observation.reached_upstream) return unknown;
  Destination found{nullptr, nullptr};
  const auto find = [&](ServicePtr service, std::uint16_t port) {
    found = {service, service ? service->find_port(port) : nullptr};
  };
  const auto& address = observation.destination;
  // What the caller asked for, since its routes may lead to other services; else where it went.
  if (observation.http && address && !observation.authority.empty()) {
    find(registry_->resolve(host_of(observation.authority), from_namespace), address->port);
  }
  const auto cluster = mesh::parse_cluster_name(observation.upstream_cluster);
  if (found.port == nullptr && !cluster.host.empty()) {
    find(registry_->find_service(cluster.host), cluster.port);
  } else if (found.port == nullptr && address) {
    find(registry_->find_vip(*address), address->port);
    if (const auto match = registry_->find_endpoint(*address); match && found.port == nullptr) {
      find(match->service, match->endpoint->service_port);
    }
  }
  if (found.port == nullptr) return unknown;
  if (!found.service->visible_from(from_namespace)) return tl::unexpected(Ignored::kNotVisible);
  return found;
}

std::vector<mesh::Dependency> Learner::take_touched() {
  std::vector<mesh::Dependency> dependencies;
  dependencies.reserve(touched_.size());
  for (const auto& [state, entry] : touched_) {
    entry->second.touched = false;
    dependencies.push_back(dependency_of(*state, *entry));
  }
  touched_.clear();
  return dependencies;
}

std::vector<ServicePtr> Learner::scope_of(const mesh::Workload& workload) const {
  const auto found = states_.find(workload.id);
  if (found == states_.end()) return {};
  const State& state = *found->second;
  if (!state.scope) {
    auto& scope = state.scope.emplace();
    for (auto& reached : reached_from(state)) scope.push_back(std::move(reached.service));
    std::sort(scope.begin(), scope.end(),
              [](const auto& a, const auto& b) { return a->host < b->host; });
  }
  return *state.scope;
}

std::vector<mesh::Dependency> Learner::graph() const {
  std::vector<mesh::Dependency> dependencies;
  for (const auto& [id, state] : states_) {
    for (const auto& entry : state->records) dependencies.push_back(dependency_of(*state, entry));
    for (const auto& [service, from, derived] : reached_from(*state)) {
      if (!derived) continue;
      for (const auto& port : service->ports) {
        const std::pair key{std::string_view(service->host), port.number};
        if (state->records.contains(key)) continue;  // learned, not yet confirmed
        dependencies.push_back({{id, service->host, port.number},
                                port.protocol,
                                mesh::Reason::kDerived,
                                from->first_seen,
                                from->last_seen,
                                /*count=*/0});
      }
    }
  }
  std::sort(dependencies.begin(), dependencies.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  return dependencies;
}

Learner::State& Learner::state_of(const mesh::WorkloadId& id) {
  auto& state = states_[id];
  if (!state) state = std::make_unique<State>(id);
  return *state;
}

// Breadth first from what is confirmed, so that what is depended on is never taken for derived.
std::vector<Learner::Reached> Learner::reached_from(const State& state) const {
  std::vector<Reached> reached;
  absl::flat_hash_set<std::string_view> seen;
  const auto reach = [&](std::string_view host, const Record* from, bool derived) {
    auto service = registry_->find_service(host);
    if (!service || !service->visible_from(state.id.namespace_)) return;
    if (seen.insert(service->host).second) reached.push_back({std::move(service), from, derived});
  };
  for (const auto& [key, record] : state.records) {
    if (record.confirmed) reach(key.first, &record, /*derived=*/false);
  }
  for (std::size_t i = 0; i < reached.size(); ++i) {
    const auto service = reached[i].service;
    const Record* const from = reached[i].from;
    for (const auto& host : service->route_hosts) reach(host, from, /*derived=*/true);
  }
  return reached;
}

mesh::DependencyKey Learner::key_of(const State& state, const Records::value_type& entry) {
  return {state.id, entry.first.first, entry.first.second};
}

mesh::Dependency Learner::dependency_of(const State& state, const Records::value_type& entry) {
  const Record& record = entry.second;
  return {key_of(state, entry), record.protocol,  record.reason,
          record.first_seen,    record.last_seen, record.count};
}

std::string_view to_string(Learner::Ignored ignored) {
  switch (ignored) {
    case Learner::Ignored::kReporterNotTrusted:
      return "reporter_not_trusted";
    case Learner::Ignored::kUnknownSource:
      return "unknown_source";
    case Learner::Ignored::kUnknownDestination:
      return "unknown_destination";
    case Learner::Ignored::kNotVisible:
      return "not_visible";
    case Learner::Ignored::kNotLearning:
      return "not_learning";
    case Learner::Ignored::kLimit:
      return "limit";
  }
  return "unknown";
}

}  // namespace lazymesh::learn
