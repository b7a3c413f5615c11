#include "lazy-controller/learn/learner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/lazy-controller/learn/mesh.h"

namespace lazymesh::learn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Ignored = Learner::Ignored;
using namespace test;

const WallTime kNow = WallTime{} + std::chrono::hours(10);

class LearnerTest : public testing::Test {
 protected:
  LearnerTest() { adopt(content()); }

  void adopt(mesh::RegistryContent content) {
    registry_ = registry(std::move(content));
    learner_.set_registry(kNow, registry_);
  }
  Learner::Outcome observe(const als::Observation& seen, const IpAddress& peer = kEgress) {
    return learner_.observe(kNow, reporter(peer), seen);
  }
  bool learned(const als::Observation& seen, const IpAddress& peer = kEgress) {
    return std::holds_alternative<Learner::Learned>(observe(seen, peer));
  }
  bool known(const als::Observation& seen) {
    return std::holds_alternative<Learner::Known>(observe(seen));
  }
  std::string ignored(const als::Observation& seen, const IpAddress& peer = kEgress) {
    const auto outcome = observe(seen, peer);
    const auto* why = std::get_if<Ignored>(&outcome);
    return why == nullptr ? "not ignored" : std::string(to_string(*why));
  }
  /// Learn and confirm, as the controller does once it is stored.
  void depend(const als::Observation& seen) {
    const auto outcome = observe(seen);
    learner_.confirm({std::get<Learner::Learned>(outcome).dependency.key});
  }
  std::vector<std::string> scope(const mesh::WorkloadId& id) {
    return hosts(learner_.scope_of(*registry_->find_workload(id)));
  }

  std::shared_ptr<const mesh::Registry> registry_;
  Learner learner_{{}};
};

using Learning = LearnerTest;

TEST_F(Learning, ANewPairIsADependency) {
  const auto outcome = observe(request("10.1.0.1", "details"));
  const auto* learned = std::get_if<Learner::Learned>(&outcome);
  ASSERT_NE(learned, nullptr);
  const mesh::Dependency expected{{web(), "details.shop.svc.cluster.local", 9080},
                                  mesh::Protocol::kHttp,
                                  mesh::Reason::kLearned,
                                  kNow,
                                  kNow,
                                  1};
  EXPECT_EQ(learned->dependency, expected);
}

TEST_F(Learning, AKnownPairIsCounted) {
  observe(request("10.1.0.1", "details"));
  learner_.observe(kNow + std::chrono::seconds(3), reporter(), request("10.1.0.2", "details"));
  const auto graph = learner_.graph();
  ASSERT_EQ(graph.size(), 1U);
  EXPECT_EQ(graph[0].count, 2U);
  EXPECT_EQ(graph[0].first_seen, kNow);
  EXPECT_EQ(graph[0].last_seen, kNow + std::chrono::seconds(3));
}

TEST_F(Learning, AClockThatGoesBackDoesNotTakeLastSeenBack) {
  observe(request("10.1.0.1", "details"));
  learner_.observe(kNow - std::chrono::seconds(3), reporter(), request("10.1.0.1", "details"));
  EXPECT_EQ(learner_.graph()[0].last_seen, kNow);
}

TEST_F(Learning, AnEntryOfTheStartTeachesButDoesNotCount) {
  auto start = request("10.1.0.1", "details");
  start.ended = false;
  EXPECT_TRUE(learned(start));
  EXPECT_TRUE(known(start));
  EXPECT_EQ(learner_.graph()[0].count, 0U);
  EXPECT_TRUE(known(request("10.1.0.1", "details")));
  EXPECT_EQ(learner_.graph()[0].count, 1U);
}

TEST_F(Learning, PortsOfOneServiceAreDependenciesOfTheirOwn) {
  EXPECT_TRUE(learned(request("10.1.0.1", "details", 9080)));
  EXPECT_TRUE(learned(request("10.1.0.1", "details", 3306)));
  EXPECT_EQ(learner_.graph()[0].protocol, mesh::Protocol::kTcp);
  EXPECT_EQ(learner_.graph()[1].protocol, mesh::Protocol::kHttp);
}

TEST_F(Learning, AnObservedNamespaceLearnsAndADisabledOneDoesNot) {
  EXPECT_TRUE(learned(request("10.1.0.4", "details")));
  EXPECT_EQ(ignored(request("10.1.0.5", "details")), "not_learning");
}

TEST_F(Learning, StopsAtTheLimitOfAWorkloadAndOfThatOneOnly) {
  Learner learner({.max_dependencies = 2});
  learner.set_registry(kNow, registry_);
  const auto observe = [&](const als::Observation& seen) {
    return learner.observe(kNow, reporter(), seen);
  };
  observe(request("10.1.0.1", "details"));
  observe(request("10.1.0.1", "reviews"));
  const auto beyond = observe(request("10.1.0.1", "ratings"));
  ASSERT_TRUE(std::holds_alternative<Ignored>(beyond));
  EXPECT_EQ(std::get<Ignored>(beyond), Ignored::kLimit);
  EXPECT_TRUE(std::holds_alternative<Learner::Known>(observe(request("10.1.0.1", "reviews"))));
  EXPECT_TRUE(std::holds_alternative<Learner::Learned>(observe(request("10.1.0.3", "ratings"))));
}

// As preview environments come and go.
TEST_F(Learning, AtTheLimitTheOldestThatLeadsNowhereMakesRoom) {
  Learner learner({.max_dependencies = 3});
  learner.set_registry(kNow, registry_);
  const auto observe = [&](int second, const als::Observation& seen) {
    return learner.observe(kNow + std::chrono::seconds(second), reporter(), seen);
  };
  observe(3, request("10.1.0.1", "details", 3306));
  observe(1, request("10.1.0.1", "details"));
  observe(2, request("10.1.0.1", "ratings"));
  observe(2, request("10.1.0.1", "ratings"));
  EXPECT_TRUE(std::holds_alternative<Ignored>(observe(4, request("10.1.0.1", "reviews"))));

  auto changed = content();
  changed.services.erase(changed.services.begin());  // details
  learner.set_registry(kNow, registry(std::move(changed)));
  const auto displaced = [](const Learner::Outcome& outcome) {
    const auto& learned = std::get<Learner::Learned>(outcome);
    return learned.displaced ? std::optional(learned.displaced->port) : std::nullopt;
  };
  EXPECT_EQ(displaced(observe(4, request("10.1.0.1", "reviews"))), 9080);
  EXPECT_EQ(displaced(observe(4, request("10.1.0.1", "stars"))), 3306);
  EXPECT_EQ(std::get<Ignored>(observe(4, request("10.1.0.1", "stars", 3306))), Ignored::kLimit);
  const auto touched = learner.take_touched();
  ASSERT_EQ(touched.size(), 1U);
  EXPECT_EQ(touched[0].key.host, "ratings.shop.svc.cluster.local");
}

TEST_F(Learning, WhatIsGoneForLongIsForgotten) {
  const auto later = kNow + Learner::Limits{}.forget_after;
  observe(request("10.1.0.1", "details"));
  observe(request("10.1.0.1", "ratings"));
  observe(request("10.1.0.3", "ratings"));
  EXPECT_THAT(learner_.forget(later), IsEmpty());

  auto changed = content();
  changed.services.erase(changed.services.begin());        // details
  changed.workloads.erase(changed.workloads.begin() + 1);  // api
  adopt(std::move(changed));
  EXPECT_THAT(learner_.forget(later - std::chrono::seconds(1)), IsEmpty());
  EXPECT_THAT(learner_.forget(later),
              testing::UnorderedElementsAre(
                  mesh::DependencyKey{web(), "details.shop.svc.cluster.local", 9080},
                  mesh::DependencyKey{{"shop", "api"}, "ratings.shop.svc.cluster.local", 9080}));
  const auto left = learner_.graph();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].key, (mesh::DependencyKey{web(), "ratings.shop.svc.cluster.local", 9080}));
}

using Sources = LearnerTest;

TEST_F(Sources, PeerAndSourceMustBeOfOneWorkload) {
  auto forged = request("10.1.0.1", "details");
  forged.source = address("10.1.0.3:40000");  // a PROXY header that names another workload
  EXPECT_EQ(ignored(forged), "unknown_source");
  auto other_pod = request("10.1.0.1", "details");
  other_pod.source = address("10.1.0.2:40000");
  EXPECT_TRUE(learned(other_pod));
}

TEST_F(Sources, AnAddressOfNoWorkloadIsUnknown) {
  EXPECT_EQ(ignored(request("10.1.0.99", "details")), "unknown_source");
  auto silent = request("10.1.0.1", "details");
  silent.peer.reset();
  EXPECT_EQ(ignored(silent), "unknown_source");
  silent = request("10.1.0.1", "details");
  silent.source.reset();
  EXPECT_EQ(ignored(silent), "unknown_source");
}

// As the end of a long connection, or what was held back while the controller was away.
TEST_F(Sources, WhatBeganBeforeTheAddressChangedHandsIsNotTheNextOnes) {
  auto late = request("10.1.0.1", "details");
  late.start = kNow - std::chrono::seconds(1);
  EXPECT_TRUE(learned(late));
  auto moved = content();
  moved.workloads.erase(moved.workloads.begin());  // web
  adopt(moved);
  moved.workloads.push_back(
      std::make_shared<mesh::Workload>(workload("shop", "next", {"10.1.0.1"})));
  registry_ = registry(moved);
  learner_.set_registry(kNow + std::chrono::seconds(5), registry_);
  EXPECT_EQ(ignored(late), "unknown_source");
  EXPECT_EQ(ignored(late, ip("10.1.0.1")), "reporter_not_trusted");
  late.start = kNow;
  EXPECT_TRUE(learned(late));
  EXPECT_EQ(learner_.graph()[0].key.source, (mesh::WorkloadId{"shop", "next"}));
}

TEST_F(Sources, OnlyTheEgressReportsForOthers) {
  EXPECT_EQ(ignored(request("10.1.0.1", "details"), ip("10.0.0.3")), "reporter_not_trusted");
  EXPECT_EQ(ignored(request("10.1.0.1", "details"), ip("10.1.0.3")), "reporter_not_trusted");
  EXPECT_EQ(ignored(request("10.1.0.99", "details"), ip("10.1.0.3")), "reporter_not_trusted");
}

TEST_F(Sources, NamedReportersReplaceTheEgress) {
  auto named = content();
  named.settings.reporters = {ip("10.0.0.9")};
  adopt(std::move(named));
  EXPECT_EQ(ignored(request("10.1.0.1", "details"), kEgress), "reporter_not_trusted");
  EXPECT_TRUE(learned(request("10.1.0.1", "details"), ip("10.0.0.9")));
}

TEST_F(Sources, ASidecarReportsForItsOwnWorkload) {
  EXPECT_TRUE(learned(request("10.1.0.1", "details"), ip("10.1.0.1")));
  EXPECT_TRUE(learned(request("10.1.0.1", "reviews"), ip("10.1.0.2")));
}

// An Envoy that trusts X-Forwarded-For takes downstream_remote_address from it.
TEST_F(Sources, ASidecarsOwnReportGoesByThePeerAndNotByAHeader) {
  auto forwarded = request("10.1.0.1", "details");
  forwarded.source = address("203.0.113.7:0");
  EXPECT_TRUE(learned(forwarded, ip("10.1.0.1")));
  auto inbound = request("10.1.0.3", "reviews");  // another's request, which claims to be its own
  inbound.source = address("10.1.0.1:0");
  EXPECT_EQ(ignored(inbound, ip("10.1.0.1")), "reporter_not_trusted");
}

TEST_F(Sources, TheCertificateMustBeOfTheWorkloadsServiceAccount) {
  auto secured = request("10.1.0.1", "details");
  for (const auto* wrong :
       {"spiffe://cluster.local/ns/shop/sa/api", "spiffe://cluster.local/ns/lab/sa/web",
        "spiffe://cluster.local", "spiffe://", "web", "spiffe://x/y/ns/shop/sa/web"}) {
    secured.source_identity = wrong;
    EXPECT_EQ(ignored(secured), "unknown_source") << wrong;
  }
  secured.source_identity = "spiffe://cluster.local/ns/shop/sa/web";
  EXPECT_TRUE(learned(secured));
}

class BoundSources : public LearnerTest {
 protected:
  mesh::RegistryContent bound(bool trusted) {
    auto result = content();
    result.settings.shape = mesh::SidecarShape::kBound;
    result.settings.trust_bound_addresses = trusted;
    result.settings.egress = {address("127.0.0.1:15080")};
    result.workloads.push_back(
        std::make_shared<mesh::Workload>(workload("shop", "laptop", {"127.1.0.1"})));
    return result;
  }
  als::Observation bound_request() {
    auto result = request("127.0.0.1", "details");
    result.destination = address("127.1.0.1:9080");
    return result;
  }
};

TEST_F(BoundSources, TheLoopbackDestinationIsTheWorkload) {
  adopt(bound(true));
  const auto outcome = observe(bound_request(), ip("127.0.0.1"));
  ASSERT_TRUE(std::holds_alternative<Learner::Learned>(outcome));
  EXPECT_EQ(std::get<Learner::Learned>(outcome).dependency.key.source,
            (mesh::WorkloadId{"shop", "laptop"}));
}

TEST_F(BoundSources, NotUnlessTheMeshTrustsThem) {
  adopt(bound(false));
  EXPECT_EQ(ignored(bound_request(), ip("127.0.0.1")), "unknown_source");
  EXPECT_EQ(ignored(bound_request(), ip("127.0.0.9")), "reporter_not_trusted");
}

TEST_F(BoundSources, ARemotePeerIsNotBelievedBecauseOfThem) {
  adopt(bound(true));
  EXPECT_EQ(ignored(bound_request(), ip("10.1.0.1")), "reporter_not_trusted");
}

using Destinations = LearnerTest;

TEST_F(Destinations, OutsideTheRegistryIsNotLearned) {
  EXPECT_EQ(ignored(request("10.1.0.1", "nowhere")), "unknown_destination");
  EXPECT_EQ(ignored(request("10.1.0.1", "details", 8080)), "unknown_destination");
}

TEST_F(Destinations, WhatWasNotReachedIsNotLearned) {
  auto failed = request("10.1.0.1", "details");
  failed.reached_upstream = false;
  EXPECT_EQ(ignored(failed), "unknown_destination");
}

TEST_F(Destinations, WhatIsNotExportedIsNotLearned) {
  auto hidden = request("10.1.0.1", "");
  hidden.upstream_cluster = mesh::cluster_name("secret.vault.svc.cluster.local", 9080);
  EXPECT_EQ(ignored(hidden), "not_visible");
}

// The routes of what the caller asked for led on to another service.
TEST_F(Destinations, TheAuthorityTellsBeforeTheCluster) {
  auto routed = request("10.1.0.1", "ratings");
  routed.authority = "Reviews:80";
  const auto outcome = observe(routed);
  ASSERT_TRUE(std::holds_alternative<Learner::Learned>(outcome));
  EXPECT_EQ(std::get<Learner::Learned>(outcome).dependency.key,
            (mesh::DependencyKey{web(), "reviews.shop.svc.cluster.local", 9080}));
}

TEST_F(Destinations, AnAuthorityThatNamesNothingGivesWayToTheCluster) {
  auto routed = request("10.1.0.1", "ratings");
  routed.authority = "elsewhere.example";
  EXPECT_TRUE(learned(routed));
  EXPECT_EQ(learner_.graph()[0].key.host, "ratings.shop.svc.cluster.local");
}

TEST_F(Destinations, WithoutAClusterTheAuthorityTells) {
  auto passed = request("10.1.0.1", "");
  passed.upstream_cluster = "PassthroughCluster";
  passed.authority = "Reviews:9080";
  EXPECT_TRUE(learned(passed));
  passed.authority = "ratings.shop";
  EXPECT_TRUE(learned(passed));
  EXPECT_EQ(learner_.graph()[0].key.host, "ratings.shop.svc.cluster.local");
  EXPECT_EQ(learner_.graph()[1].key.host, "reviews.shop.svc.cluster.local");
  EXPECT_EQ(learner_.graph()[1].key.port, 9080);
}

TEST_F(Destinations, WithoutAnAuthorityTheAddressTells) {
  auto passed = request("10.1.0.1", "");
  passed.upstream_cluster.clear();
  passed.http = false;
  passed.destination = address("10.96.0.3:3306");
  EXPECT_TRUE(learned(passed));
  passed.destination = address("10.1.9.9:19080");  // an endpoint's own port is not the service's
  const auto outcome = observe(passed);
  ASSERT_TRUE(std::holds_alternative<Learner::Learned>(outcome));
  EXPECT_EQ(std::get<Learner::Learned>(outcome).dependency.key,
            (mesh::DependencyKey{web(), "reviews.shop.svc.cluster.local", 9080}));
  passed.destination = address("10.96.0.5:9080");
  EXPECT_EQ(ignored(passed), "not_visible");
  passed.destination = address("10.96.9.9:9080");
  EXPECT_EQ(ignored(passed), "unknown_destination");
  passed.destination.reset();
  EXPECT_EQ(ignored(passed), "unknown_destination");
}

TEST_F(Destinations, AnAuthorityThatNamesNothingGivesWayToTheAddress) {
  auto passed = request("10.1.0.1", "");
  passed.upstream_cluster = "PassthroughCluster";
  passed.destination = address("10.96.0.1:9080");
  for (const auto* authority : {"elsewhere.example", "[::1]:80", "[", ":", "10.96.0.1:9080"}) {
    passed.authority = authority;
    observe(passed);
  }
  ASSERT_EQ(learner_.graph().size(), 1U);
  EXPECT_EQ(learner_.graph()[0].key.host, "details.shop.svc.cluster.local");
  EXPECT_EQ(learner_.graph()[0].count, 5U);
}

using Scopes = LearnerTest;

TEST_F(Scopes, HoldWhatIsConfirmedOnly) {
  observe(request("10.1.0.1", "details"));
  EXPECT_THAT(scope(web()), IsEmpty());
  learner_.confirm({{web(), "details.shop.svc.cluster.local", 9080}});
  EXPECT_THAT(scope(web()), ElementsAre("details"));
}

TEST_F(Scopes, FollowRoutesAsFarAsTheyLeadAndMayBeSeen) {
  depend(request("10.1.0.1", "reviews"));
  EXPECT_THAT(scope(web()), ElementsAre("ratings", "reviews", "stars"));
  EXPECT_THAT(scope({"shop", "api"}), IsEmpty());
}

TEST_F(Scopes, GrowWithEachConfirmation) {
  depend(request("10.1.0.1", "stars", 3306));
  EXPECT_EQ(scope(web()).size(), 3U);
  depend(request("10.1.0.1", "details"));
  EXPECT_THAT(scope(web()), ElementsAre("details", "ratings", "reviews", "stars"));
}

TEST_F(Scopes, FollowTheRegistry) {
  depend(request("10.1.0.1", "details"));
  depend(request("10.1.0.1", "reviews"));
  auto changed = content();
  changed.services.erase(changed.services.begin());  // details
  changed.services[0] = std::make_shared<mesh::Service>(service("reviews", "shop", "10.96.0.2"));
  adopt(std::move(changed));
  EXPECT_THAT(scope(web()), ElementsAre("reviews"));
  adopt(content());
  EXPECT_THAT(scope(web()), ElementsAre("details", "ratings", "reviews", "stars"));
}

TEST_F(Scopes, LoseWhatIsNoLongerExported) {
  depend(request("10.1.0.1", "details"));
  auto changed = content();
  changed.services[0] =
      std::make_shared<mesh::Service>(service("details", "shop", "10.96.0.1", {"vault"}));
  adopt(std::move(changed));
  EXPECT_THAT(scope(web()), IsEmpty());
}

TEST_F(Scopes, AreRestored) {
  Learner restarted{{}};
  mesh::Dependency mine{{web(), "reviews.shop.svc.cluster.local", 9080},
                        mesh::Protocol::kHttp,
                        mesh::Reason::kDeclared,
                        kNow,
                        kNow,
                        7};
  mesh::Dependency of_a_workload_that_is_gone = mine;
  of_a_workload_that_is_gone.key.source = {"gone", "gone"};
  restarted.restore({mine, of_a_workload_that_is_gone});
  restarted.set_registry(kNow, registry_);
  EXPECT_THAT(hosts(restarted.scope_of(*registry_->find_workload(web()))),
              ElementsAre("ratings", "reviews", "stars"));
  EXPECT_TRUE(std::holds_alternative<Learner::Known>(
      restarted.observe(kNow, reporter(), request("10.1.0.1", "reviews"))));
  const auto touched = restarted.take_touched();
  ASSERT_EQ(touched.size(), 1U);
  EXPECT_EQ(touched[0].count, 8U);
  EXPECT_EQ(touched[0].reason, mesh::Reason::kDeclared);
}

using Touched = LearnerTest;

TEST_F(Touched, AreToldOnceWithWhatTheyCameTo) {
  EXPECT_THAT(learner_.take_touched(), IsEmpty());
  observe(request("10.1.0.1", "details"));
  observe(request("10.1.0.1", "details"));
  observe(request("10.1.0.1", "details"));
  observe(request("10.1.0.3", "reviews"));  // new: the outcome tells it
  const auto touched = learner_.take_touched();
  ASSERT_EQ(touched.size(), 1U);
  EXPECT_EQ(touched[0].count, 3U);
  EXPECT_THAT(learner_.take_touched(), IsEmpty());
  observe(request("10.1.0.3", "reviews"));
  EXPECT_EQ(learner_.take_touched().size(), 1U);
}

using Graph = LearnerTest;

TEST_F(Graph, ShowsWhatFollowsFromRoutes) {
  depend(request("10.1.0.3", "details"));
  depend(request("10.1.0.1", "reviews"));
  observe(request("10.1.0.1", "stars"));  // known by route; learned, not confirmed
  std::vector<std::string> rows;
  for (const auto& each : learner_.graph()) {
    rows.push_back(each.key.source.name + " " + each.key.host.substr(0, each.key.host.find('.')) +
                   " " + std::to_string(each.key.port) + " " + std::string(to_string(each.reason)));
  }
  EXPECT_THAT(rows, ElementsAre("api details 9080 learned", "web ratings 3306 derived",
                                "web ratings 9080 derived", "web reviews 9080 learned",
                                "web stars 3306 derived", "web stars 9080 learned"));
}

}  // namespace
}  // namespace lazymesh::learn
