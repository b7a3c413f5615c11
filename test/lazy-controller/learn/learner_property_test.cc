#include <map>
#include <tuple>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "test/lazy-controller/learn/mesh.h"

namespace lazymesh::learn {
namespace {

using namespace test;

std::string any_address() {
  return *rc::gen::element<std::string>("10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5",
                                        "10.1.0.6", "10.0.0.2", "127.0.0.1", "10.96.0.2");
}

// Anything that a stream may say, plausible often enough.
als::Observation any_observation() {
  auto seen = request(any_address(),
                      *rc::gen::element<std::string>("details", "reviews", "ratings", "nowhere"),
                      *rc::gen::element<std::uint16_t>(9080, 3306, 1));
  if (*rc::gen::inRange(0, 3) == 0) seen.source = SocketAddress{ip(any_address()), 1};
  if (*rc::gen::inRange(0, 3) == 0) seen.destination = SocketAddress{ip(any_address()), 9080};
  if (*rc::gen::inRange(0, 3) == 0) seen.upstream_cluster = *rc::gen::arbitrary<std::string>();
  if (*rc::gen::inRange(0, 3) == 0) seen.authority = *rc::gen::arbitrary<std::string>();
  if (*rc::gen::inRange(0, 3) == 0) seen.authority = "reviews.shop:9080";
  if (*rc::gen::inRange(0, 8) == 0) seen.source_identity = *rc::gen::arbitrary<std::string>();
  seen.reached_upstream = *rc::gen::inRange(0, 8) != 0;
  seen.ended = *rc::gen::arbitrary<bool>();
  return seen;
}

using Row = std::tuple<std::string, std::string, std::uint16_t>;
std::map<Row, std::uint64_t> counts(const Learner& learner) {
  std::map<Row, std::uint64_t> result;
  for (const auto& each : learner.graph()) {
    result[{each.key.source.to_string(), each.key.host, each.key.port}] = each.count;
  }
  return result;
}

TEST(LearnerProperty, OnlyTheSourceOfAnObservationChangesAndOnlyIfItSaysSo) {
  EXPECT_TRUE(rc::check([] {
    constexpr std::size_t kLimit = 3;
    const auto now = registry();
    Learner learner({.max_dependencies = kLimit});
    learner.set_registry(WallTime{}, now);
    const auto steps = *rc::gen::inRange(1, 40);
    for (int i = 0; i < steps; ++i) {
      const auto before = counts(learner);
      std::map<std::string, std::vector<std::string>> scopes;
      for (const auto& each : now->workloads()) {
        scopes[each->id.to_string()] = hosts(learner.scope_of(*each));
      }
      const auto seen = any_observation();
      const auto peer = ip(any_address());
      const auto outcome = learner.observe(WallTime{}, reporter(peer), seen);

      // Whoever may change: the workload whose own address the TCP connection came from.
      const auto owner = now->find_workload(seen.peer->ip);
      const bool may_report = owner && (peer == kEgress || now->find_workload(peer) == owner);
      if (const auto* learned = std::get_if<Learner::Learned>(&outcome)) {
        RC_ASSERT(may_report);
        RC_ASSERT(learned->dependency.key.source == owner->id);
        learner.confirm({learned->dependency.key});
      } else if (std::holds_alternative<Learner::Ignored>(outcome)) {
        RC_ASSERT(counts(learner) == before);
      } else {
        RC_ASSERT(may_report);
        RC_ASSERT(counts(learner).size() == before.size());
      }
      for (const auto& each : now->workloads()) {
        if (each == owner) continue;
        RC_ASSERT(hosts(learner.scope_of(*each)) == scopes[each->id.to_string()]);
      }
    }
    std::map<std::string, std::size_t> learned;
    for (const auto& each : learner.graph()) {
      if (each.reason == mesh::Reason::kLearned) ++learned[each.key.source.to_string()];
    }
    for (const auto& [id, count] : learned) RC_ASSERT(count <= kLimit);
  }));
}

}  // namespace
}  // namespace lazymesh::learn
