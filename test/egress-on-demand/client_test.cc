#include "egress/on_demand/client.h"

#include <condition_variable>
#include <deque>
#include <mutex>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/route/v3/route.pb.h"

#include "egress/on_demand/routing.h"
#include "test/egress-on-demand/fake_control_plane.h"

namespace lazymesh::egress {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::config::route::v3::RouteConfiguration;
using test::FakeControlPlane;

constexpr char kHost[] = "reviews.shop.svc.cluster.local";
constexpr char kCluster[] = "outbound|9080||reviews.shop.svc.cluster.local";

// A loop that runs what it is posted at once and remembers the answers.
class Recorder final : public OnDemand::Observer {
 public:
  struct Event {
    std::string what;  // "caller", "destination", "forget"
    DestinationKey key;
    Result<CallerPtr> caller = CallerPtr();
    Result<DestinationPtr> destination = DestinationPtr();
  };

  void on_caller(const CallerKey&, Result<CallerPtr> caller) override {
    add({"caller", {}, std::move(caller), {}});
  }
  void on_destination(const DestinationKey& key, Result<DestinationPtr> destination) override {
    add({"destination", key, {}, std::move(destination)});
  }
  void on_forget_caller(const CallerKey&) override { add({"forget", {}, {}, {}}); }
  void on_forget_destination(const DestinationKey& key) override { add({"forget", key, {}, {}}); }

  Event next() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(20), [this] { return !events_.empty(); })) {
      ADD_FAILURE() << "no event came";
      return {};
    }
    auto event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  std::size_t waiting() {
    const std::lock_guard lock(mutex_);
    return events_.size();
  }

 private:
  void add(Event event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Event> events_;
};

v1::Query destination_query(const std::string& host) {
  v1::Query query;
  query.mutable_destination()->set_caller_namespace("shop");
  query.mutable_destination()->set_host(host);
  query.mutable_destination()->set_port(9080);
  return query;
}

DestinationKey destination_key(const std::string& host) { return {"shop", host, {}, 9080}; }

v1::Resolution reviews(const std::string& routes = "") {
  v1::Resolution resolution;
  auto& destination = *resolution.mutable_destination();
  destination.set_host(kHost);
  destination.set_port(9080);
  destination.set_protocol(v1::HTTP);
  destination.set_cluster(kCluster);
  destination.set_route_configuration(routes);
  destination.set_namespace_("shop");
  destination.set_discovery(v1::EDS);
  return resolution;
}

Cluster eds_cluster(const std::string& name) {
  Cluster cluster;
  cluster.set_name(name);
  cluster.set_type(Cluster::EDS);
  cluster.mutable_connect_timeout()->set_seconds(1);
  return cluster;
}

ClusterLoadAssignment endpoints(const std::string& name, const std::string& address) {
  ClusterLoadAssignment assignment;
  assignment.set_cluster_name(name);
  auto& socket = *assignment.add_endpoints()
                      ->add_lb_endpoints()
                      ->mutable_endpoint()
                      ->mutable_address()
                      ->mutable_socket_address();
  socket.set_address(address);
  socket.set_port_value(9080);
  return assignment;
}

class OnDemandClient : public testing::Test {
 protected:
  OnDemandOptions options() {
    OnDemandOptions options;
    options.controller = control_plane_.address();
    options.node_id = "egress~127.0.0.1~egress.lazymesh~lazymesh.svc.cluster.local";
    options.backoff.base = std::chrono::milliseconds(5);
    options.backoff.cap = std::chrono::milliseconds(50);
    return options;
  }
  void start(OnDemandOptions options) {
    client_ = make_on_demand(std::move(options), system_clock(), readiness_, *metrics_);
    for (auto& loop : loops_) {
      client_->attach(loop, [](const std::function<void()>& function) { function(); });
    }
  }
  void serve_reviews() {
    control_plane_.set_answer(destination_query("reviews"), reviews());
    control_plane_.set_resource(kCluster, eds_cluster(kCluster));
    control_plane_.set_resource(kCluster, endpoints(kCluster, "10.1.0.5"));
  }
  static std::string first_endpoint(const Recorder::Event& event) {
    EXPECT_EQ(event.what, "destination");
    EXPECT_TRUE(event.destination.has_value());
    if (!event.destination || !*event.destination) return "";
    const auto& all = (*event.destination)->cluster->endpoints;
    return all.empty() ? "none" : all.front().address.to_string();
  }
  std::string metrics_text() const {
    return prometheus::TextSerializer().Serialize(metrics_->Collect());
  }

  FakeControlPlane control_plane_;
  Readiness readiness_;
  std::shared_ptr<prometheus::Registry> metrics_ = std::make_shared<prometheus::Registry>();
  Recorder loops_[2];
  std::unique_ptr<OnDemand> client_;
};

TEST_F(OnDemandClient, ResolvesThenFetchesClusterAndEndpoints) {
  serve_reviews();
  start(options());
  client_->watch_destination(0, destination_key("reviews"));
  const auto event = loops_[0].next();
  ASSERT_TRUE(event.destination.has_value()) << event.destination.error().message;
  const auto& destination = **event.destination;
  EXPECT_EQ(event.key, destination_key("reviews"));
  EXPECT_EQ(destination.host, kHost);
  EXPECT_EQ(destination.protocol, mesh::Protocol::kHttp);
  EXPECT_EQ(destination.cluster->name, kCluster);
  EXPECT_EQ(destination.cluster->connect_timeout, std::chrono::seconds(1));
  EXPECT_EQ(first_endpoint(event), "10.1.0.5:9080");
  EXPECT_EQ(destination.routes, nullptr);
}

TEST_F(OnDemandClient, AsksByNameWithItsNodeInTheFirstRequestOnly) {
  serve_reviews();
  start(options());
  client_->watch_destination(0, destination_key("reviews"));
  ASSERT_TRUE(loops_[0].next().destination.has_value());
  // Two subscriptions and two acknowledgements.
  ASSERT_TRUE(control_plane_.wait([this] { return control_plane_.requests.size() >= 4; }));
  const auto& requests = control_plane_.requests;
  EXPECT_EQ(requests[0].node().id(), options().node_id);
  EXPECT_EQ(requests[0].node().metadata().fields().at("GENERATOR").string_value(), "grpc");
  EXPECT_EQ(requests[0].node().metadata().fields().at("NAMESPACE").string_value(), "shop");
  EXPECT_THAT(requests[0].resource_names(), testing::ElementsAre(kCluster));
  EXPECT_EQ(requests[0].response_nonce(), "");
  for (std::size_t each = 1; each < requests.size(); ++each) {
    EXPECT_FALSE(requests[each].has_node());
    EXPECT_FALSE(requests[each].has_error_detail());
  }
  EXPECT_NE(requests.back().response_nonce(), "");
  EXPECT_NE(requests.back().version_info(), "");
}

TEST_F(OnDemandClient, TwoLoopsShareOneSubscription) {
  serve_reviews();
  start(options());
  for (int each = 0; each < 100; ++each) {
    client_->watch_destination(0, destination_key("reviews"));
    client_->watch_destination(1, destination_key("reviews"));
  }
  EXPECT_EQ(first_endpoint(loops_[0].next()), "10.1.0.5:9080");
  EXPECT_EQ(first_endpoint(loops_[1].next()), "10.1.0.5:9080");
  EXPECT_EQ(control_plane_.subscribed.size(), 1U);
}

TEST_F(OnDemandClient, KeepsWhatWasAskedForUpToDate) {
  serve_reviews();
  start(options());
  client_->watch_destination(0, destination_key("reviews"));
  EXPECT_EQ(first_endpoint(loops_[0].next()), "10.1.0.5:9080");
  control_plane_.set_resource(kCluster, endpoints(kCluster, "10.1.0.6"));
  EXPECT_EQ(first_endpoint(loops_[0].next()), "10.1.0.6:9080");
  v1::Resolution gone;
  gone.mutable_not_found()->set_reason("no longer");
  control_plane_.set_answer(destination_query("reviews"), gone);
  const auto event = loops_[0].next();
  ASSERT_FALSE(event.destination.has_value());
  EXPECT_EQ(event.destination.error().code, Code::kNotFound);
  EXPECT_EQ(event.destination.error().message, "no longer");
}

TEST_F(OnDemandClient, FetchesRoutesWhereToldAndTheirClusters) {
  constexpr char kOther[] = "outbound|9080|v2|reviews.shop.svc.cluster.local";
  serve_reviews();
  control_plane_.set_answer(destination_query("reviews"), reviews(kCluster));
  control_plane_.set_resource(kOther, eds_cluster(kOther));
  control_plane_.set_resource(kOther, endpoints(kOther, "10.1.0.7"));
  RouteConfiguration routes;
  routes.set_name(kCluster);
  auto& host = *routes.add_virtual_hosts();
  host.set_name("reviews");
  host.add_domains("*");
  auto& route = *host.add_routes();
  route.mutable_match()->set_prefix("/");
  route.mutable_route()->set_cluster(kOther);
  route.mutable_route()->mutable_retry_policy();
  control_plane_.set_resource(kCluster, routes);
  start(options());
  client_->watch_destination(0, destination_key("reviews"));
  const auto event = loops_[0].next();
  ASSERT_TRUE(event.destination.has_value()) << event.destination.error().message;
  const auto& destination = **event.destination;
  ASSERT_TRUE(destination.routes);
  ASSERT_EQ(destination.route_clusters.size(), 1U);
  EXPECT_EQ(destination.route_clusters[0]->name, kOther);
  const auto decision = destination.routes->match({"GET", "reviews", "/", nullptr}, 0);
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->cluster, kOther);
  EXPECT_THAT(metrics_text(),
              testing::HasSubstr(
                  "lazymesh_egress_unsupported_total{field=\"route.route.retry_policy\"} 1"));
  EXPECT_THAT(on_demand_state_json(*client_), testing::HasSubstr("\"route.route.retry_policy\""));
}

TEST_F(OnDemandClient, ResolvesCallers) {
  const CallerKey key{*IpAddress::parse("10.1.0.2"), *IpAddress::parse("10.1.0.3"),
                      *IpAddress::parse("127.0.0.9")};
  v1::Query query;
  query.mutable_caller()->set_peer_address("10.1.0.2");
  query.mutable_caller()->set_source_address("10.1.0.3");
  query.mutable_caller()->set_bound_address("127.0.0.9");
  v1::Resolution web;
  web.mutable_caller()->set_namespace_("shop");
  web.mutable_caller()->set_workload("web");
  control_plane_.set_answer(query, web);
  start(options());
  client_->watch_caller(1, key);
  const auto event = loops_[1].next();
  ASSERT_TRUE(event.caller.has_value());
  EXPECT_EQ((*event.caller)->workload.to_string(), "shop/web");
}

TEST_F(OnDemandClient, UnknownHostsAreSaidWithTheReason) {
  start(options());
  client_->watch_destination(0, destination_key("nobody"));
  const auto event = loops_[0].next();
  ASSERT_FALSE(event.destination.has_value());
  EXPECT_EQ(event.destination.error().code, Code::kNotFound);
  EXPECT_EQ(event.destination.error().message, "no service of that name");
  EXPECT_THAT(metrics_text(), testing::HasSubstr("lazymesh_egress_unknown_hosts 1"));
}

TEST_F(OnDemandClient, BlocksReadinessUntilTheControllerIsReached) {
  control_plane_.stop();
  start(options());
  EXPECT_THAT(readiness_.blockers(),
              testing::ElementsAre(testing::HasSubstr("controller: not connected yet")));
  control_plane_.start();
  client_->watch_destination(0, destination_key("nobody"));
  loops_[0].next();
  EXPECT_TRUE(readiness_.ready());
}

TEST_F(OnDemandClient, OutlivesTheControllerAndComesBackToIt) {
  serve_reviews();
  auto quick = options();
  quick.deadline = std::chrono::milliseconds(300);
  start(quick);
  client_->watch_destination(0, destination_key("reviews"));
  EXPECT_EQ(first_endpoint(loops_[0].next()), "10.1.0.5:9080");
  control_plane_.stop();

  client_->watch_destination(1, destination_key("reviews"));
  EXPECT_EQ(first_endpoint(loops_[1].next()), "10.1.0.5:9080");
  client_->watch_destination(0, destination_key("ratings"));
  const auto event = loops_[0].next();
  ASSERT_FALSE(event.destination.has_value());
  EXPECT_EQ(event.destination.error().code, Code::kUnavailable);
  EXPECT_THAT(event.destination.error().message, testing::HasSubstr(control_plane_.address()));

  control_plane_.start();
  ASSERT_TRUE(control_plane_.wait([this] {
    return control_plane_.resolver_streams_seen >= 2 && control_plane_.ads_streams_seen >= 2;
  }));
  control_plane_.set_resource(kCluster, endpoints(kCluster, "10.1.0.6"));
  EXPECT_EQ(first_endpoint(loops_[0].next()), "10.1.0.6:9080");
  EXPECT_EQ(first_endpoint(loops_[1].next()), "10.1.0.6:9080");
  EXPECT_EQ(loops_[0].waiting(), 0U);
}

TEST_F(OnDemandClient, ASilentControllerIsNotWaitedForBeyondTheDeadline) {
  control_plane_.set_silent(true);
  auto quick = options();
  quick.deadline = std::chrono::milliseconds(100);
  start(quick);
  client_->watch_destination(0, destination_key("reviews"));
  const auto event = loops_[0].next();
  ASSERT_FALSE(event.destination.has_value());
  EXPECT_EQ(event.destination.error().code, Code::kDeadlineExceeded);
  ASSERT_TRUE(control_plane_.wait([this] { return control_plane_.unsubscribed.size() == 1; }));
}

TEST_F(OnDemandClient, RejectsWhatItCannotUseAndKeepsTheLastGood) {
  serve_reviews();
  start(options());
  client_->watch_destination(0, destination_key("reviews"));
  EXPECT_EQ(first_endpoint(loops_[0].next()), "10.1.0.5:9080");
  control_plane_.set_resource(kCluster, endpoints(kCluster, "not-an-address"));
  ASSERT_TRUE(control_plane_.wait([this] {
    return std::any_of(control_plane_.requests.begin(), control_plane_.requests.end(),
                       [](const auto& request) { return request.has_error_detail(); });
  }));
  const auto& nack = control_plane_.requests.back();
  EXPECT_THAT(nack.error_detail().message(), testing::HasSubstr("'not-an-address'"));
  client_->watch_destination(1, destination_key("reviews"));
  EXPECT_EQ(first_endpoint(loops_[1].next()), "10.1.0.5:9080");
  EXPECT_THAT(metrics_text(),
              testing::HasSubstr("lazymesh_egress_rejected_total{type=\"endpoints\"} 1"));
}

TEST_F(OnDemandClient, ResolvesTheNamesOfDnsClusters) {
  serve_reviews();
  auto cluster = eds_cluster(kCluster);
  cluster.set_type(Cluster::STRICT_DNS);
  cluster.set_dns_lookup_family(Cluster::V4_ONLY);
  *cluster.mutable_load_assignment() = endpoints(kCluster, "localhost");
  control_plane_.set_resource(kCluster, cluster);
  start(options());
  client_->watch_destination(0, destination_key("reviews"));
  EXPECT_EQ(first_endpoint(loops_[0].next()), "127.0.0.1:9080");
}

TEST_F(OnDemandClient, ShowsItsState) {
  serve_reviews();
  start(options());
  client_->watch_destination(0, destination_key("reviews"));
  loops_[0].next();
  client_->watch_destination(0, destination_key("nobody"));
  loops_[0].next();
  const auto state = boost::json::parse(on_demand_state_json(*client_)).as_object();
  EXPECT_EQ(state.at("resolver").at("state"), "open");
  EXPECT_EQ(state.at("streams").at(0).at("namespace"), "shop");
  EXPECT_EQ(state.at("streams").at(0).at("clusters"), 1);
  ASSERT_EQ(state.at("destinations").as_array().size(), 2U);
  for (const auto& destination : state.at("destinations").as_array()) {
    if (destination.at("asked") == "nobody") {
      EXPECT_EQ(destination.at("state"), "unknown");
      EXPECT_EQ(destination.at("reason"), "no service of that name");
    } else {
      EXPECT_EQ(destination.at("state"), "known");
      EXPECT_EQ(destination.at("host"), kHost);
      EXPECT_EQ(destination.at("clusters").at(0).at("endpoints").at(0).at("address"),
                "10.1.0.5:9080");
    }
  }
}

TEST_F(OnDemandClient, EndsWithRequestsUnanswered) {
  control_plane_.set_silent(true);
  start(options());
  for (int each = 0; each < 1'000; ++each) {
    client_->watch_destination(0, destination_key("host-" + std::to_string(each)));
  }
  client_.reset();
}

TEST_F(OnDemandClient, EndsWhileItCannotConnect) {
  control_plane_.stop();
  start(options());
  client_->watch_destination(0, destination_key("reviews"));
  client_.reset();
}

}  // namespace
}  // namespace lazymesh::egress
