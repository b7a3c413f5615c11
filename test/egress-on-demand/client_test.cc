#include "egress/on_demand/client.h"

#include <condition_variable>
#include <deque>
#include <mutex>

#include <boost/json.hpp>
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

}  // namespace
}  // namespace lazymesh::egress
