#include "egress/on_demand/table.h"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "egress/on_demand/routing.h"
#include "test/support/manual_clock.h"

namespace lazymesh::egress {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kReviews[] = "outbound|9080||reviews.shop.svc.cluster.local";
constexpr char kRatings[] = "outbound|9080||ratings.shop.svc.cluster.local";
constexpr char kStable[] = "outbound|9080|v1|reviews.shop.svc.cluster.local";
constexpr char kCanary[] = "outbound|9080|v2|reviews.shop.svc.cluster.local";

class FakeRoutes final : public RouteTable {
 public:
  explicit FakeRoutes(std::vector<std::string> clusters) : clusters_(std::move(clusters)) {}
  std::optional<RouteDecision> match(const RequestView&, std::uint64_t) const override {
    return std::nullopt;
  }
  const std::vector<std::string>& clusters() const override { return clusters_; }

 private:
  std::vector<std::string> clusters_;
};

DestinationKey key(const std::string& host, const std::string& from = "shop") {
  return {from, host, {}, 9080};
}

ResolvedDestination resolved(const std::string& cluster, const std::string& routes = "",
                             const std::string& name_space = "shop") {
  ResolvedDestination destination;
  destination.host = std::string(mesh::parse_cluster_name(cluster).host);
  destination.port = 9080;
  destination.cluster = cluster;
  destination.route_configuration = routes;
  destination.namespace_ = name_space;
  return destination;
}

UpstreamEndpoint endpoint(const std::string& address) {
  return {*SocketAddress::parse(address), 1};
}

NamedResource cluster(const std::string& name) {
  ClusterFacts facts;
  facts.type = ClusterFacts::Type::kEds;
  facts.endpoints_name = name;
  return {name, facts};
}

NamedResource endpoints(const std::string& name, const std::vector<std::string>& addresses) {
  EndpointsFacts facts;
  for (const auto& address : addresses) facts.endpoints.healthy.push_back(endpoint(address));
  return {name, facts};
}

NamedResource routes(const std::string& name, std::vector<std::string> clusters,
                     const std::string& version) {
  RoutesFacts facts;
  facts.table = std::make_shared<const FakeRoutes>(std::move(clusters));
  facts.serialized = version;
  return {name, facts};
}

// The table with everything that it says to do noted, and a peer that is told by hand.
class TableTest : public testing::Test {
 protected:
  void make(TableOptions options = {}) {
    options.controller = "controller:15010";
    table_ = std::make_unique<Table>(options);
    table_->on_tick(clock_.steady());
    act();
  }
  void connect() {
    ASSERT_TRUE(resolver_wanted_);
    resolver_wanted_ = false;
    table_->on_resolver_open(clock_.steady());
    act();
  }
  void make_connected(TableOptions options = {}) {
    make(options);
    connect();
  }

  void act() {
    auto actions = table_->take_actions();
    for (const auto& name_space : actions.close_ads) {
      closed_.push_back(name_space);
      open_.erase(name_space);
    }
    resolver_wanted_ |= actions.connect_resolver;
    for (const auto& name_space : actions.connect_ads) {
      EXPECT_FALSE(open_.contains(name_space)) << "a second stream of " << name_space;
      open_.insert(name_space);
      opened_.push_back(name_space);
    }
    for (auto& name : actions.resolve_names) names_.push_back(std::move(name));
    for (auto& each : actions.unsupported) unsupported_.push_back(std::move(each));
    for (auto& each : actions.deliveries) deliveries_.push_back(std::move(each));
    answered_in_.insert(answered_in_.end(), actions.answered_in.begin(), actions.answered_in.end());
    while (auto request = table_->next_resolver_request()) {
      EXPECT_LE(request->subscribe.size() + request->unsubscribe.size(), 1'000U);
      for (auto& each : request->subscribe) subscribed_.push_back(std::move(each));
      for (auto& each : request->unsubscribe) unsubscribed_.push_back(std::move(each));
    }
    if (hold_ads_) return;
    for (const auto& name_space : open_) {
      while (auto request = table_->next_ads_request(name_space)) {
        requests_.push_back({name_space, *request});
      }
    }
  }

  void watch(const Key& what, std::size_t loop = 0) {
    table_->watch(clock_.steady(), loop, what);
    act();
  }
  void resolve(const Key& what, Resolution resolution) {
    table_->on_resolution(clock_.steady(), what, std::move(resolution));
    act();
  }
  void respond(ResourceType type, std::vector<NamedResource> resources,
               const std::string& name_space = "shop",
               std::vector<std::pair<std::string, std::string>> rejected = {}) {
    const auto number = std::to_string(++responses_);
    table_->on_ads_response(
        clock_.steady(), name_space,
        {type, "v" + number, "n" + number, std::move(resources), std::move(rejected)});
    act();
  }
  void respond_eds(const std::string& name, const std::string& address) {
    respond(ResourceType::kCluster, {cluster(name)});
    respond(ResourceType::kEndpoints, {endpoints(name, {address})});
  }
  void advance(milliseconds by) {
    // In steps, as the shell does: never past the next wake.
    const auto until = clock_.steady() + by;
    while (clock_.steady() < until) {
      const auto next =
          std::max(std::min(until, table_->next_wake()), clock_.steady() + milliseconds(1));
      clock_.advance(next - clock_.steady());
      table_->on_tick(clock_.steady());
      act();
    }
  }
  void make_reviews_known(std::size_t loop = 0) {
    watch(key("reviews"), loop);
    resolve(key("reviews"), resolved(kReviews));
    respond_eds(kReviews, "10.1.0.5:9080");
    take();
  }

  std::vector<Delivery> take() { return std::exchange(deliveries_, {}); }
  // The only delivery since the last time, as a destination.
  DestinationPtr take_destination() {
    auto deliveries = take();
    if (deliveries.size() != 1) {
      ADD_FAILURE() << deliveries.size() << " deliveries";
      return nullptr;
    }
    const auto* answer = std::get_if<Result<DestinationPtr>>(&deliveries[0].what);
    if (answer == nullptr || !*answer) {
      ADD_FAILURE() << (answer ? answer->error().message : "not a destination");
      return nullptr;
    }
    return **answer;
  }
  Error take_error() {
    auto deliveries = take();
    if (deliveries.size() != 1) {
      ADD_FAILURE() << deliveries.size() << " deliveries";
      return {};
    }
    if (const auto* caller = std::get_if<Result<CallerPtr>>(&deliveries[0].what)) {
      return caller->has_value() ? Error{} : caller->error();
    }
    const auto* answer = std::get_if<Result<DestinationPtr>>(&deliveries[0].what);
    if (answer == nullptr || answer->has_value()) {
      ADD_FAILURE() << "not an error";
      return {};
    }
    return answer->error();
  }
  static std::string first_address(const DestinationPtr& destination) {
    if (!destination || destination->cluster->endpoints.empty()) return "none";
    return destination->cluster->endpoints[0].address.to_string();
  }
  AdsRequest last_request(ResourceType type) const {
    for (auto each = requests_.rbegin(); each != requests_.rend(); ++each) {
      if (each->second.type == type) return each->second;
    }
    ADD_FAILURE() << "no request";
    return {};
  }

  test::ManualClock clock_;
  std::unique_ptr<Table> table_;
  bool resolver_wanted_ = false;
  bool hold_ads_ = false;
  std::set<std::string> open_;
  std::vector<std::string> opened_;
  std::vector<std::string> closed_;
  std::vector<std::string> names_;
  std::vector<UnsupportedReport> unsupported_;
  std::vector<Delivery> deliveries_;
  std::vector<std::chrono::nanoseconds> answered_in_;
  std::vector<Key> subscribed_;
  std::vector<Key> unsubscribed_;
  std::vector<std::pair<std::string, AdsRequest>> requests_;
  int responses_ = 0;
};

TEST_F(TableTest, AsksTheResolverThenClusterThenEndpointsAndDelivers) {
  make_connected();
  watch(key("reviews"));
  EXPECT_THAT(subscribed_, ElementsAre(Key(key("reviews"))));
  EXPECT_THAT(opened_, IsEmpty());

  resolve(key("reviews"), resolved(kReviews));
  EXPECT_THAT(opened_, ElementsAre("shop"));
  ASSERT_EQ(requests_.size(), 2U);
  EXPECT_EQ(requests_[0].second.type, ResourceType::kCluster);
  EXPECT_THAT(requests_[0].second.names, ElementsAre(kReviews));
  EXPECT_EQ(requests_[1].second.type, ResourceType::kEndpoints);
  EXPECT_THAT(requests_[1].second.names, ElementsAre(kReviews));
  EXPECT_THAT(take(), IsEmpty());

  respond(ResourceType::kCluster, {cluster(kReviews)});
  EXPECT_THAT(take(), IsEmpty());
  clock_.advance(milliseconds(3));
  respond(ResourceType::kEndpoints, {endpoints(kReviews, {"10.1.0.5:9080"})});
  const auto destination = take_destination();
  ASSERT_TRUE(destination);
  EXPECT_EQ(destination->host, "reviews.shop.svc.cluster.local");
  EXPECT_EQ(destination->cluster->name, kReviews);
  EXPECT_EQ(first_address(destination), "10.1.0.5:9080");
  EXPECT_EQ(destination->routes, nullptr);
  EXPECT_TRUE(destination->last_used);
  EXPECT_THAT(answered_in_, ElementsAre(milliseconds(3)));
}

TEST_F(TableTest, EndpointsMayComeFirst) {
  make_connected();
  watch(key("reviews"));
  resolve(key("reviews"), resolved(kReviews));
  respond(ResourceType::kEndpoints, {endpoints(kReviews, {"10.1.0.5:9080"})});
  EXPECT_THAT(take(), IsEmpty());
  respond(ResourceType::kCluster, {cluster(kReviews)});
  EXPECT_EQ(first_address(take_destination()), "10.1.0.5:9080");
}

TEST_F(TableTest, ResponsesAreAcknowledgedWithTheWholeListOfNames) {
  make_connected();
  watch(key("reviews"));
  resolve(key("reviews"), resolved(kReviews));
  respond(ResourceType::kCluster, {cluster(kReviews)});
  auto ack = last_request(ResourceType::kCluster);
  EXPECT_EQ(ack.version, "v1");
  EXPECT_EQ(ack.nonce, "n1");
  EXPECT_EQ(ack.error, "");
  watch(key("ratings"));
  resolve(key("ratings"), resolved(kRatings));
  const auto both = last_request(ResourceType::kCluster);
  EXPECT_THAT(both.names, ElementsAre(kRatings, kReviews));
  EXPECT_EQ(both.nonce, "n1");
}

TEST_F(TableTest, AThousandRequestsForOneHostAreOneSubscription) {
  make_connected();
  for (std::size_t each = 0; each < 1'000; ++each) watch(key("reviews"), each % 4);
  EXPECT_EQ(subscribed_.size(), 1U);
  resolve(key("reviews"), resolved(kReviews));
  EXPECT_EQ(requests_.size(), 2U);
  respond_eds(kReviews, "10.1.0.5:9080");
  std::set<std::size_t> loops;
  for (const auto& delivery : take()) loops.insert(delivery.loop);
  EXPECT_THAT(loops, ElementsAre(0, 1, 2, 3));
}

TEST_F(TableTest, ALoopThatComesLaterIsAnsweredAtOnce) {
  make_connected();
  make_reviews_known();
  watch(key("reviews"), 1);
  EXPECT_EQ(first_address(take_destination()), "10.1.0.5:9080");
  EXPECT_EQ(subscribed_.size(), 1U);
}

TEST_F(TableTest, ChangedEndpointsAreDeliveredToAllLoopsAndTheSameOnesToNone) {
  make_connected();
  make_reviews_known();
  watch(key("reviews"), 1);
  const auto before = take_destination();
  respond(ResourceType::kEndpoints, {endpoints(kReviews, {"10.1.0.5:9080"})});
  EXPECT_THAT(take(), IsEmpty());
  respond(ResourceType::kEndpoints, {endpoints(kReviews, {"10.1.0.6:9080"})});
  auto deliveries = take();
  ASSERT_EQ(deliveries.size(), 2U);
  const auto after = *std::get<Result<DestinationPtr>>(deliveries[0].what);
  EXPECT_EQ(first_address(after), "10.1.0.6:9080");
  EXPECT_EQ(after->last_used, before->last_used);
}

TEST_F(TableTest, TwoNamesOfAServiceShareItsResources) {
  make_connected();
  make_reviews_known();
  const auto requests = requests_.size();
  watch(key("reviews.shop", "other"));
  resolve(key("reviews.shop", "other"), resolved(kReviews));
  EXPECT_EQ(first_address(take_destination()), "10.1.0.5:9080");
  EXPECT_EQ(requests_.size(), requests);
}

TEST_F(TableTest, EachServiceNamespaceHasItsStream) {
  make_connected();
  make_reviews_known();
  watch(key("bank"));
  resolve(key("bank"), resolved("outbound|80||bank.money.svc.cluster.local", "", "money"));
  EXPECT_THAT(opened_, ElementsAre("shop", "money"));
  EXPECT_EQ(requests_.back().first, "money");
  EXPECT_THAT(requests_.back().second.names,
              ElementsAre("outbound|80||bank.money.svc.cluster.local"));
}

TEST_F(TableTest, CallersAreKnownByTheResolverAlone) {
  make_connected();
  const CallerKey caller{*IpAddress::parse("10.1.0.2"), *IpAddress::parse("10.1.0.2"), {}};
  watch(caller);
  resolve(caller, mesh::WorkloadId{"shop", "web"});
  auto deliveries = take();
  ASSERT_EQ(deliveries.size(), 1U);
  EXPECT_EQ((*std::get<Result<CallerPtr>>(deliveries[0].what))->workload.to_string(), "shop/web");
  resolve(caller, mesh::WorkloadId{"shop", "web"});
  EXPECT_THAT(take(), IsEmpty());
  resolve(caller, mesh::WorkloadId{"shop", "api"});
  EXPECT_EQ(take().size(), 1U);
  EXPECT_THAT(opened_, IsEmpty());
}

TEST_F(TableTest, AnAnswerOfTheWrongKindIsNotBelieved) {
  make_connected();
  watch(key("reviews"));
  resolve(key("reviews"), mesh::WorkloadId{"shop", "web"});
  EXPECT_EQ(take_error().code, Code::kNotFound);
}

TEST_F(TableTest, OutsideTheRegistryNothingIsAskedFor) {
  make_connected();
  watch(key("example.com"));
  ResolvedDestination outside;
  outside.host = "example.com";
  outside.cluster = "PassthroughCluster";
  outside.discovery = Discovery::kOriginalDestination;
  resolve(key("example.com"), outside);
  const auto destination = take_destination();
  ASSERT_TRUE(destination);
  EXPECT_EQ(destination->cluster->name, "PassthroughCluster");
  EXPECT_EQ(destination->discovery, Discovery::kOriginalDestination);
  EXPECT_THAT(opened_, IsEmpty());
}

// Unknown hosts.

TEST_F(TableTest, UnknownIsDeliveredAndRememberedForItsTime) {
  make_connected();
  watch(key("nobody"));
  resolve(key("nobody"), ResolvedNothing{"no service of that name"});
  auto error = take_error();
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_EQ(error.message, "no service of that name");
  advance(seconds(9));
  watch(key("nobody"), 1);
  EXPECT_EQ(take_error().code, Code::kNotFound);
  EXPECT_EQ(subscribed_.size(), 1U);
  advance(seconds(2));
  auto forgotten = take();
  ASSERT_EQ(forgotten.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<Delivery::Forget>(forgotten[0].what));
  EXPECT_THAT(unsubscribed_, ElementsAre(Key(key("nobody"))));
  watch(key("nobody"));
  EXPECT_EQ(subscribed_.size(), 2U);
}

TEST_F(TableTest, UnknownBecomesKnownWhenTheResolverSaysSo) {
  make_connected();
  watch(key("reviews"));
  resolve(key("reviews"), ResolvedNothing{"no service of that name"});
  take();
  resolve(key("reviews"), resolved(kReviews));
  respond_eds(kReviews, "10.1.0.5:9080");
  EXPECT_EQ(first_address(take_destination()), "10.1.0.5:9080");
  advance(seconds(30));
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(TableTest, KnownBecomesUnknownAndItsResourcesAreLetGo) {
  make_connected();
  make_reviews_known();
  resolve(key("reviews"), ResolvedNothing{"no service of that name"});
  EXPECT_EQ(take_error().code, Code::kNotFound);
  EXPECT_THAT(closed_, ElementsAre("shop"));
}

TEST_F(TableTest, UnknownHostsAreBounded) {
  TableOptions options;
  options.max_unknown = 100;
  make_connected(options);
  make_reviews_known();
  for (int each = 0; each < 1'000; ++each) {
    const auto unknown = key("nobody-" + std::to_string(each));
    watch(unknown);
    resolve(unknown, ResolvedNothing{"no service of that name"});
    clock_.advance(milliseconds(1));
  }
  const auto counts = table_->counts();
  EXPECT_EQ(counts.unknown[1], 100U);
  EXPECT_EQ(counts.known[1], 1U);
  EXPECT_EQ(counts.pending, 0U);
  EXPECT_EQ(unsubscribed_.size(), 900U);
  EXPECT_EQ(std::get<DestinationKey>(unsubscribed_[0]).host, "nobody-0");
}

TEST_F(TableTest, WhatWaitsIsBoundedAndWhatIsKnownIsNotAffected) {
  TableOptions options;
  options.max_pending = 10;
  make_connected(options);
  make_reviews_known();
  for (int each = 0; each < 11; ++each) watch(key("host-" + std::to_string(each)));
  EXPECT_EQ(take_error().code, Code::kResourceExhausted);
  EXPECT_EQ(table_->counts().refusals, 1U);
  watch(key("reviews"), 1);
  EXPECT_EQ(first_address(take_destination()), "10.1.0.5:9080");
  // A refusal is not remembered.
  resolve(key("host-0"), ResolvedNothing{"no"});
  take();
  watch(key("host-10"));
  EXPECT_THAT(take(), IsEmpty());
}

// Deadlines.

TEST_F(TableTest, NoResolutionInTimeIsSaidAndForgotten) {
  make_connected();
  watch(key("reviews"));
  advance(milliseconds(4'999));
  EXPECT_THAT(take(), IsEmpty());
  advance(milliseconds(1));
  const auto error = take_error();
  EXPECT_EQ(error.code, Code::kDeadlineExceeded);
  EXPECT_EQ(error.origin, Origin::kControlPlane);
  EXPECT_THAT(error.message, HasSubstr("controller:15010"));
  EXPECT_THAT(unsubscribed_, ElementsAre(Key(key("reviews"))));
  watch(key("reviews"));
  EXPECT_EQ(subscribed_.size(), 2U);
}

TEST_F(TableTest, NoEndpointsInTimeNamesWhatIsMissing) {
  make_connected();
  watch(key("reviews"));
  resolve(key("reviews"), resolved(kReviews));
  table_->on_ads_open(clock_.steady(), "shop");
  respond(ResourceType::kCluster, {cluster(kReviews)});
  advance(seconds(5));
  const auto error = take_error();
  EXPECT_EQ(error.code, Code::kDeadlineExceeded);
  EXPECT_THAT(error.message, HasSubstr("no endpoints"));
  EXPECT_THAT(error.message, HasSubstr(kReviews));
  EXPECT_THAT(closed_, ElementsAre("shop"));
  EXPECT_EQ(table_->counts().failures, 1U);
}

TEST_F(TableTest, ARejectedClusterIsNamedWithItsReason) {
  make_connected();
  watch(key("reviews"));
  resolve(key("reviews"), resolved(kReviews));
  table_->on_ads_open(clock_.steady(), "shop");
  respond(ResourceType::kCluster, {}, "shop", {{kReviews, "connect_timeout is negative"}});
  const auto nack = last_request(ResourceType::kCluster);
  EXPECT_THAT(nack.error, HasSubstr("connect_timeout is negative"));
  EXPECT_EQ(nack.version, "");
  EXPECT_EQ(nack.nonce, "n1");
  advance(seconds(5));
  EXPECT_THAT(take_error().message, HasSubstr("connect_timeout is negative"));
}

TEST_F(TableTest, ANackKeepsTheLastGoodAndItsVersion) {
  make_connected();
  make_reviews_known();
  respond(ResourceType::kEndpoints, {}, "shop", {{kReviews, "not an IP address"}});
  const auto nack = last_request(ResourceType::kEndpoints);
  EXPECT_EQ(nack.version, "v2");
  EXPECT_EQ(nack.nonce, "n3");
  EXPECT_THAT(nack.error, HasSubstr("not an IP address"));
  watch(key("reviews"), 1);
  EXPECT_EQ(first_address(take_destination()), "10.1.0.5:9080");
}

TEST_F(TableTest, WithoutAControllerTheReasonIsSaidAfterTheDeadline) {
  make();
  table_->on_resolver_closed(clock_.steady(), "connection refused");
  watch(key("reviews"));
  advance(seconds(5));
  const auto error = take_error();
  EXPECT_EQ(error.code, Code::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr("connection refused"));
}

TEST_F(TableTest, AControllerThatComesBackWithinTheDeadlineAnswers) {
  make();
  table_->on_resolver_closed(clock_.steady(), "connection refused");
  act();
  resolver_wanted_ = false;
  watch(key("reviews"));
  advance(seconds(1));
  connect();
  EXPECT_THAT(subscribed_, testing::Contains(Key(key("reviews"))));
  resolve(key("reviews"), resolved(kReviews));
  respond_eds(kReviews, "10.1.0.5:9080");
  EXPECT_EQ(first_address(take_destination()), "10.1.0.5:9080");
}

// Streams that break.

TEST_F(TableTest, WhatIsKnownOutlivesTheControlPlane) {
  make_connected();
  make_reviews_known();
  table_->on_resolver_closed(clock_.steady(), "gone");
  table_->on_ads_closed(clock_.steady(), "shop", "gone");
  act();
  open_.clear();
  for (int hour = 0; hour < 3; ++hour) {
    advance(minutes(60));
    while (resolver_wanted_) {
      resolver_wanted_ = false;
      table_->on_resolver_closed(clock_.steady(), "gone");
      act();
    }
  }
  EXPECT_THAT(take(), IsEmpty());
  watch(key("reviews"), 1);
  EXPECT_EQ(first_address(take_destination()), "10.1.0.5:9080");
}

TEST_F(TableTest, AReconnectAsksForEverythingAgainAndTheSameAnswersChangeNothing) {
  make_connected();
  make_reviews_known();
  const auto unknown = key("nobody");
  watch(unknown);
  resolve(unknown, ResolvedNothing{"no"});
  take();
  table_->on_resolver_closed(clock_.steady(), "gone");
  table_->on_ads_closed(clock_.steady(), "shop", "gone");
  act();
  open_.clear();
  subscribed_.clear();
  requests_.clear();
  advance(milliseconds(100));
  connect();
  EXPECT_THAT(subscribed_, testing::UnorderedElementsAre(Key(key("reviews")), Key(unknown)));
  ASSERT_EQ(open_.count("shop"), 1U);
  const auto clusters = last_request(ResourceType::kCluster);
  EXPECT_THAT(clusters.names, ElementsAre(kReviews));
  EXPECT_EQ(clusters.nonce, "");
  EXPECT_EQ(clusters.version, "");
  resolve(key("reviews"), resolved(kReviews));
  resolve(unknown, ResolvedNothing{"no"});
  respond_eds(kReviews, "10.1.0.5:9080");
  EXPECT_THAT(take(), IsEmpty());
  respond(ResourceType::kEndpoints, {endpoints(kReviews, {"10.1.0.9:9080"})});
  EXPECT_EQ(first_address(take_destination()), "10.1.0.9:9080");
}

TEST_F(TableTest, AttemptsBackOffToTheCapAndHurryWhenTheControllerIsBack) {
  TableOptions options;
  options.backoff = {milliseconds(100), milliseconds(1'000)};
  options.deadline = minutes(1);
  make(options);
  milliseconds last{0};
  for (int attempt = 0; attempt < 8; ++attempt) {
    ASSERT_TRUE(std::exchange(resolver_wanted_, false));
    const auto broke = clock_.steady();
    table_->on_resolver_closed(broke, "refused");
    while (!resolver_wanted_) advance(milliseconds(1));
    const auto waited = std::chrono::duration_cast<milliseconds>(clock_.steady() - broke);
    const auto nominal = std::min(milliseconds(100 << attempt), milliseconds(1'000));
    EXPECT_GE(waited, nominal / 2);
    EXPECT_LE(waited, nominal + milliseconds(1));
    last = waited;
  }
  EXPECT_GE(last, milliseconds(500));
  EXPECT_EQ(table_->counts().reconnects, 8U);

  // The ADS stream does not wait for its own time once the Resolver is reached.
  connect();
  watch(key("reviews"));
  resolve(key("reviews"), resolved(kReviews));
  for (int attempt = 0; attempt < 6; ++attempt) {
    table_->on_ads_closed(clock_.steady(), "shop", "refused");
    open_.clear();
    if (attempt < 5) advance(milliseconds(1'001));
  }
  table_->on_resolver_closed(clock_.steady(), "refused");
  act();
  while (!resolver_wanted_) advance(milliseconds(1));
  opened_.clear();
  connect();
  EXPECT_THAT(opened_, ElementsAre("shop"));
}

TEST_F(TableTest, AttemptsAreNotFarApartWhileSomebodyWaits) {
  TableOptions options;
  options.backoff = {minutes(1), minutes(1)};
  make(options);
  table_->on_resolver_closed(clock_.steady(), "refused");
  act();
  resolver_wanted_ = false;
  advance(seconds(10));
  EXPECT_FALSE(resolver_wanted_);
  watch(key("reviews"));
  advance(milliseconds(500));
  EXPECT_TRUE(std::exchange(resolver_wanted_, false));
  table_->on_resolver_closed(clock_.steady(), "refused");
  act();
  advance(milliseconds(500));
  EXPECT_TRUE(resolver_wanted_);
}

TEST_F(TableTest, EstablishedOnceTheStreamStaysOpenOrAnswers) {
  make();
  EXPECT_FALSE(table_->established());
  connect();
  EXPECT_FALSE(table_->established());
  advance(milliseconds(99));
  EXPECT_FALSE(table_->established());
  advance(milliseconds(1));
  EXPECT_TRUE(table_->established());
}

TEST_F(TableTest, NotEstablishedByAStreamThatIsRefusedAtOnce) {
  make_connected();
  clock_.advance(milliseconds(5));
  table_->on_resolver_closed(clock_.steady(), "permission denied");
  act();
  resolver_wanted_ = false;
  advance(milliseconds(500));
  EXPECT_FALSE(table_->established());
}

// Routes.

TEST_F(TableTest, WithRoutesAllTheirClustersAreWaitedFor) {
  make_connected();
  watch(key("reviews"));
  resolve(key("reviews"), resolved(kReviews, "reviews-routes"));
  EXPECT_THAT(last_request(ResourceType::kRoutes).names, ElementsAre("reviews-routes"));
  respond_eds(kReviews, "10.1.0.5:9080");
  EXPECT_THAT(take(), IsEmpty());
  respond(ResourceType::kRoutes, {routes("reviews-routes", {kStable, kCanary}, "1")});
  EXPECT_THAT(last_request(ResourceType::kCluster).names, ElementsAre(kStable, kCanary, kReviews));
  EXPECT_THAT(last_request(ResourceType::kEndpoints).names,
              ElementsAre(kStable, kCanary, kReviews));
  respond(ResourceType::kCluster, {cluster(kReviews), cluster(kStable), cluster(kCanary)});
  respond(ResourceType::kEndpoints, {endpoints(kStable, {"10.1.0.6:9080"})});
  EXPECT_THAT(take(), IsEmpty());
  respond(ResourceType::kEndpoints, {endpoints(kCanary, {"10.1.0.7:9080"})});
  const auto destination = take_destination();
  ASSERT_TRUE(destination);
  ASSERT_TRUE(destination->routes);
  ASSERT_EQ(destination->route_clusters.size(), 2U);
  EXPECT_EQ(destination->route_clusters[0]->name, kStable);
  EXPECT_EQ(destination->route_clusters[1]->name, kCanary);
}

TEST_F(TableTest, AMissingClusterOfARouteHoldsTheRestUpOnlyForAWhile) {
  make_connected();
  watch(key("reviews"));
  resolve(key("reviews"), resolved(kReviews, "reviews-routes"));
  respond(ResourceType::kRoutes, {routes("reviews-routes", {kReviews, kCanary}, "1")});
  respond_eds(kReviews, "10.1.0.5:9080");
  advance(milliseconds(999));
  EXPECT_THAT(take(), IsEmpty());
  advance(milliseconds(1));
  auto destination = take_destination();
  ASSERT_TRUE(destination);
  ASSERT_EQ(destination->route_clusters.size(), 1U);
  // What is missing is not waited for again at the next change, and comes when it comes.
  respond(ResourceType::kEndpoints, {endpoints(kReviews, {"10.1.0.6:9080"})});
  EXPECT_EQ(first_address(take_destination()), "10.1.0.6:9080");
  respond(ResourceType::kCluster, {cluster(kReviews), cluster(kCanary)});
  respond(ResourceType::kEndpoints, {endpoints(kCanary, {"10.1.0.7:9080"})});
  destination = take_destination();
  ASSERT_TRUE(destination);
  EXPECT_EQ(destination->route_clusters.size(), 2U);
}

TEST_F(TableTest, NewRoutesAreDeliveredWithTheirClustersOnly) {
  make_connected();
  watch(key("reviews"));
  resolve(key("reviews"), resolved(kReviews, "reviews-routes"));
  respond(ResourceType::kRoutes, {routes("reviews-routes", {kReviews}, "1")});
  respond_eds(kReviews, "10.1.0.5:9080");
  const auto before = take_destination();
  ASSERT_TRUE(before);
  respond(ResourceType::kRoutes, {routes("reviews-routes", {kCanary}, "2")});
  EXPECT_THAT(take(), IsEmpty());
  // The old clusters stay for as long as they serve.
  EXPECT_THAT(last_request(ResourceType::kCluster).names, ElementsAre(kCanary, kReviews));
  respond(ResourceType::kCluster, {cluster(kReviews), cluster(kCanary)});
  respond(ResourceType::kEndpoints, {endpoints(kCanary, {"10.1.0.7:9080"})});
  const auto after = take_destination();
  ASSERT_TRUE(after);
  EXPECT_NE(after->routes, before->routes);
  ASSERT_EQ(after->route_clusters.size(), 1U);
  EXPECT_EQ(after->route_clusters[0]->name, kCanary);
}

TEST_F(TableTest, RoutesThatComeToAHostThatHadNone) {
  make_connected();
  make_reviews_known();
  resolve(key("reviews"), resolved(kReviews, "reviews-routes"));
  EXPECT_THAT(take(), IsEmpty());
  respond(ResourceType::kRoutes, {routes("reviews-routes", {kReviews}, "1")});
  const auto destination = take_destination();
  ASSERT_TRUE(destination);
  EXPECT_TRUE(destination->routes);
  EXPECT_EQ(first_address(destination), "10.1.0.5:9080");
  resolve(key("reviews"), resolved(kReviews));
  EXPECT_EQ(take_destination()->routes, nullptr);
}

TEST_F(TableTest, AMoveToAnotherNamespaceKeepsTheOldSnapshotUntilTheNewOneIsThere) {
  make_connected();
  make_reviews_known();
  resolve(key("reviews"), resolved(kReviews, "", "elsewhere"));
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_THAT(closed_, ElementsAre("shop"));
  respond(ResourceType::kCluster, {cluster(kReviews)}, "elsewhere");
  respond(ResourceType::kEndpoints, {endpoints(kReviews, {"10.9.0.5:9080"})}, "elsewhere");
  EXPECT_EQ(first_address(take_destination()), "10.9.0.5:9080");
}

// A full state without a cluster is not the end of the destination: only the Resolver says that.
TEST_F(TableTest, AnAbsentClusterKeepsTheLastGood) {
  make_connected();
  make_reviews_known();
  respond(ResourceType::kCluster, {});
  EXPECT_THAT(take(), IsEmpty());
  watch(key("reviews"), 1);
  EXPECT_EQ(first_address(take_destination()), "10.1.0.5:9080");
}

TEST_F(TableTest, WhatWasNotAskedForIsNotKept) {
  make_connected();
  make_reviews_known();
  respond(ResourceType::kCluster, {cluster(kReviews), cluster(kRatings)});
  respond(ResourceType::kEndpoints, {endpoints(kRatings, {"10.1.0.9:9080"})});
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(table_->status(clock_.steady(), 10).streams[1].clusters, 1U);
}

// Letting go.

TEST_F(TableTest, IdleDestinationsAreLetGoAndUsedOnesKept) {
  make_connected();
  make_reviews_known();
  watch(key("ratings"));
  resolve(key("ratings"), resolved(kRatings));
  respond_eds(kRatings, "10.1.0.8:9080");
  const auto ratings = take_destination();
  advance(minutes(9));
  ratings->last_used->store(
      std::chrono::duration_cast<seconds>(clock_.steady().time_since_epoch()).count());
  advance(minutes(2));
  auto forgotten = take();
  ASSERT_EQ(forgotten.size(), 1U);
  EXPECT_EQ(std::get<DestinationKey>(forgotten[0].key).host, "reviews");
  EXPECT_TRUE(std::holds_alternative<Delivery::Forget>(forgotten[0].what));
  EXPECT_THAT(unsubscribed_, ElementsAre(Key(key("reviews"))));
  EXPECT_THAT(last_request(ResourceType::kCluster).names, ElementsAre(kRatings));
  EXPECT_THAT(last_request(ResourceType::kEndpoints).names, ElementsAre(kRatings));
}

TEST_F(TableTest, AboveTheLimitTheLeastRecentlyUsedGoes) {
  TableOptions options;
  options.max_known = 3;
  make_connected(options);
  std::vector<DestinationPtr> known;
  for (int each = 0; each < 3; ++each) {
    const auto host = key("host-" + std::to_string(each));
    const auto name = mesh::cluster_name("host-" + std::to_string(each), 9080);
    watch(host);
    resolve(host, resolved(name));
    respond_eds(name, "10.1.0.5:9080");
    known.push_back(take_destination());
    advance(seconds(10));
  }
  known[0]->last_used->store(
      std::chrono::duration_cast<seconds>(clock_.steady().time_since_epoch()).count());
  watch(key("host-3"));
  resolve(key("host-3"), resolved(mesh::cluster_name("host-3", 9080)));
  respond_eds(mesh::cluster_name("host-3", 9080), "10.1.0.5:9080");
  std::vector<std::string> forgotten;
  for (const auto& delivery : take()) {
    if (std::holds_alternative<Delivery::Forget>(delivery.what)) {
      forgotten.push_back(std::get<DestinationKey>(delivery.key).host);
    }
  }
  EXPECT_THAT(forgotten, ElementsAre("host-1"));
  EXPECT_EQ(table_->counts().known[1], 3U);
}

TEST_F(TableTest, LetGoAndWatchedAgainIsUnsubscribedFirst) {
  make_connected();
  make_reviews_known();
  table_->on_resolver_open(clock_.steady());  // nothing is sent while the harness does not act
  advance(minutes(11));
  ASSERT_THAT(unsubscribed_, ElementsAre(Key(key("reviews"))));
  take();
  subscribed_.clear();
  watch(key("reviews"));
  EXPECT_THAT(subscribed_, ElementsAre(Key(key("reviews"))));
}

// A server does not answer a name that it finds in the list before and after: the content must not
// have been thrown away in between.
TEST_F(TableTest, ResourcesDroppedAndWantedAgainWithinOneRequestAreStillThere) {
  make_connected();
  make_reviews_known();
  watch(key("ratings"));
  resolve(key("ratings"), resolved(kRatings));
  respond_eds(kRatings, "10.1.0.8:9080");
  take();
  hold_ads_ = true;
  resolve(key("reviews"), ResolvedNothing{"no"});
  take();
  resolve(key("reviews"), resolved(kReviews));
  EXPECT_EQ(first_address(take_destination()), "10.1.0.5:9080");
}

TEST_F(TableTest, ReleasedResourcesAreDroppedAfterAWhile) {
  make_connected();
  make_reviews_known();
  watch(key("ratings"));
  resolve(key("ratings"), resolved(kRatings));
  respond_eds(kRatings, "10.1.0.8:9080");
  take();
  resolve(key("reviews"), ResolvedNothing{"no"});
  take();
  advance(minutes(1));
  take();
  watch(key("reviews"));
  resolve(key("reviews"), resolved(kReviews));
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_THAT(last_request(ResourceType::kCluster).names, ElementsAre(kRatings, kReviews));
  respond_eds(kReviews, "10.1.0.5:9080");
  EXPECT_EQ(first_address(take_destination()), "10.1.0.5:9080");
}

TEST_F(TableTest, ReleasedResourcesThatNobodyKeptUpToDateAreNotUsedAgain) {
  make_connected();
  make_reviews_known();
  watch(key("ratings"));
  resolve(key("ratings"), resolved(kRatings));
  respond_eds(kRatings, "10.1.0.8:9080");
  resolve(key("reviews"), ResolvedNothing{"no"});
  advance(std::chrono::seconds(6));  // nothing is swept so soon
  take();
  resolve(key("reviews"), resolved(kReviews));
  EXPECT_THAT(take(), IsEmpty());
  respond_eds(kReviews, "10.1.0.6:9080");
  EXPECT_EQ(first_address(take_destination()), "10.1.0.6:9080");
}

TEST_F(TableTest, ManyQueriesAreSentInBoundedMessages) {
  make();
  for (int each = 0; each < 2'500; ++each) watch(key("host-" + std::to_string(each)));
  connect();
  EXPECT_EQ(subscribed_.size(), 2'500U);  // the harness checks the size of each message
}

// Clusters that find their endpoints in another way.

TEST_F(TableTest, NamesAreResolvedAndRefreshed) {
  make_connected();
  watch(key("example"));
  auto outside = resolved(kReviews);
  outside.discovery = Discovery::kDns;
  resolve(key("example"), outside);
  ClusterFacts facts;
  facts.type = ClusterFacts::Type::kStrictDns;
  facts.names = {{"one.example", 443, 1}, {"two.example", 444, 2}};
  facts.dns_family = DnsFamily::kV4Only;
  respond(ResourceType::kCluster, {{kReviews, facts}});
  advance(milliseconds(1));
  EXPECT_THAT(names_, testing::UnorderedElementsAre("one.example", "two.example"));
  const auto one = *IpAddress::parse("192.0.2.1");
  const auto two = *IpAddress::parse("192.0.2.2");
  table_->on_dns(clock_.steady(), "one.example", {{two, one, *IpAddress::parse("2001:db8::1")}});
  act();
  EXPECT_THAT(take(), IsEmpty());
  table_->on_dns(clock_.steady(), "two.example", std::nullopt);
  act();
  auto destination = take_destination();
  ASSERT_TRUE(destination);
  EXPECT_THAT(destination->cluster->endpoints,
              ElementsAre(UpstreamEndpoint{{one, 443}, 1}, UpstreamEndpoint{{two, 443}, 1}));
  // The failed one soon, the other one later; the same answer in another order changes nothing.
  names_.clear();
  advance(seconds(6));
  EXPECT_THAT(names_, ElementsAre("two.example"));
  table_->on_dns(clock_.steady(), "two.example", {{two}});
  act();
  destination = take_destination();
  ASSERT_TRUE(destination);
  EXPECT_EQ(destination->cluster->endpoints.size(), 3U);
  names_.clear();
  advance(seconds(25));
  EXPECT_THAT(names_, ElementsAre("one.example"));
  table_->on_dns(clock_.steady(), "one.example", {{one, two}});
  act();
  EXPECT_THAT(take(), IsEmpty());
  // A name that no longer resolves keeps its last good addresses.
  table_->on_dns(clock_.steady(), "one.example", std::nullopt);
  act();
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(TableTest, AStaticClusterNeedsNoEndpointsAndDropsTheirSubscription) {
  make_connected();
  watch(key("reviews"));
  resolve(key("reviews"), resolved(kReviews));
  ClusterFacts facts;
  facts.type = ClusterFacts::Type::kStatic;
  facts.endpoints.healthy = {endpoint("10.1.0.5:9080")};
  respond(ResourceType::kCluster, {{kReviews, facts}});
  EXPECT_EQ(first_address(take_destination()), "10.1.0.5:9080");
  EXPECT_THAT(last_request(ResourceType::kEndpoints).names, IsEmpty());
}

TEST_F(TableTest, EndpointsMayHaveANameOfTheirOwn) {
  make_connected();
  watch(key("reviews"));
  resolve(key("reviews"), resolved(kReviews));
  auto named = cluster(kReviews);
  std::get<ClusterFacts>(named.content).endpoints_name = "reviews-endpoints";
  respond(ResourceType::kCluster, {named});
  EXPECT_THAT(last_request(ResourceType::kEndpoints).names, ElementsAre("reviews-endpoints"));
  respond(ResourceType::kEndpoints, {endpoints("reviews-endpoints", {"10.1.0.5:9080"})});
  EXPECT_EQ(first_address(take_destination()), "10.1.0.5:9080");
}

TEST_F(TableTest, WhatIsNotHonouredIsReportedOnceAConfiguration) {
  make_connected();
  watch(key("reviews"));
  resolve(key("reviews"), resolved(kReviews));
  auto odd = cluster(kReviews);
  std::get<ClusterFacts>(odd.content).unsupported = {"cluster.outlier_detection"};
  respond(ResourceType::kCluster, {odd});
  respond(ResourceType::kCluster, {odd});
  ASSERT_EQ(unsupported_.size(), 1U);
  EXPECT_EQ(unsupported_[0].name, kReviews);
  EXPECT_THAT(unsupported_[0].fields, ElementsAre("cluster.outlier_detection"));
}

}  // namespace
}  // namespace lazymesh::egress
