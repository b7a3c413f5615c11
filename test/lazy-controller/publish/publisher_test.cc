#include "lazy-controller/publish/xds/publisher.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "envoy/service/discovery/v3/ads.grpc.pb.h"

#include "sidecar/configuration.h"
#include "test/lazy-controller/publish/world.h"

namespace lazymesh::publish::xds {
namespace {

namespace api = envoy::service::discovery::v3;
using test::World;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

constexpr auto kCds = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
constexpr auto kEds = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
constexpr auto kLds = "type.googleapis.com/envoy.config.listener.v3.Listener";
constexpr auto kRds = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";

// A publisher behind a gRPC server on loopback, with the control thread that it lives on.
class PublisherTest : public testing::Test {
 protected:
  PublisherTest() {
    world_.settings.trust_bound_addresses = true;
    world_.service("reviews");
    world_.service("ratings");
    world_.service("details");
    world_.workload("web", "10.1.0.2");
    world_.workload("full", "10.1.0.3", "disabled");
  }

  void start() {
    publisher_ = Publisher::make(
        control_, system_clock(),
        [this](const mesh::Workload& workload) {
          return world_.services(scopes_[workload.id.to_string()]);
        },
        metrics_, options_);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterCallbackGenericService(&publisher_->service());
    builder.SetMaxReceiveMessageSize(-1);
    server_ = builder.BuildAndStart();
    thread_ = std::thread([this] { control_.run(); });
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ = grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port_),
                                         grpc::InsecureChannelCredentials(), arguments);
  }

  void TearDown() override {
    if (!server_) return;
    on_control([this] { publisher_->close(); });
    server_->Shutdown();
    work_.reset();
    thread_.join();
    server_.reset();
    publisher_.reset();
  }

  void on_control(std::function<void()> run) {
    std::promise<void> done;
    boost::asio::post(control_, [&] {
      run();
      done.set_value();
    });
    done.get_future().get();
  }

  void publish() {
    on_control([this] { publisher_->registry_changed(world_.registry()); });
  }

  void set_scope(const std::string& workload, std::vector<std::string> names) {
    on_control([&] {
      scopes_["shop/" + workload] = std::move(names);
      publisher_->scope_changed({"shop", workload});
    });
  }

  std::vector<ClientStatus> clients() {
    std::vector<ClientStatus> result;
    on_control([&] { result = publisher_->clients(); });
    return result;
  }

  std::string node_id(const std::string& workload) {
    return "sidecar~10.1.0.2~" + workload + ".shop~shop.svc.cluster.local";
  }

  World world_;
  std::map<std::string, std::vector<std::string>> scopes_;
  Publisher::Options options_;
  boost::asio::io_context control_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      control_.get_executor()};
  prometheus::Registry metrics_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;
  int port_ = 0;
  std::shared_ptr<grpc::Channel> channel_;
};

// One delta stream, driven by hand. A call waits for the server at most the deadline of the stream.
class DeltaClient {
 public:
  DeltaClient(const std::shared_ptr<grpc::Channel>& channel, std::string node_id)
      : stub_(api::AggregatedDiscoveryService::NewStub(channel)), node_id_(std::move(node_id)) {
    context_.set_deadline(std::chrono::system_clock::time_point(system_clock().wall()) +
                          std::chrono::seconds(20));
    stream_ = stub_->DeltaAggregatedResources(&context_);
  }

  void send(api::DeltaDiscoveryRequest request) {
    if (!node_id_.empty()) request.mutable_node()->set_id(std::exchange(node_id_, {}));
    stream_->Write(request);
  }

  void subscribe(const char* type, const std::vector<std::string>& names = {},
                 const std::map<std::string, std::string>& versions = {}) {
    api::DeltaDiscoveryRequest request;
    request.set_type_url(type);
    for (const auto& name : names) request.add_resource_names_subscribe(name);
    for (const auto& [name, version] : versions) {
      (*request.mutable_initial_resource_versions())[name] = version;
    }
    send(request);
  }

  void answer(const api::DeltaDiscoveryResponse& response, const std::string& error = {}) {
    api::DeltaDiscoveryRequest request;
    request.set_type_url(response.type_url());
    request.set_response_nonce(response.nonce());
    if (!error.empty()) request.mutable_error_detail()->set_message(error);
    send(request);
  }

  // The next response, which must be of this type; taken into what is held.
  api::DeltaDiscoveryResponse receive(const char* type) {
    api::DeltaDiscoveryResponse response;
    EXPECT_TRUE(stream_->Read(&response)) << "instead of " << type;
    EXPECT_EQ(response.type_url(), type);
    auto& held = held_[response.type_url()];
    for (const auto& resource : response.resources()) {
      held[resource.name()] = resource.version();
    }
    for (const auto& name : response.removed_resources()) held.erase(name);
    return response;
  }

  api::DeltaDiscoveryResponse accept(const char* type) {
    auto response = receive(type);
    answer(response);
    return response;
  }

  grpc::Status finish() {
    stream_->WritesDone();
    return wait_for_end();
  }

  grpc::Status wait_for_end() {
    api::DeltaDiscoveryResponse response;
    while (stream_->Read(&response)) ADD_FAILURE() << response.ShortDebugString().substr(0, 300);
    return stream_->Finish();
  }

  void cancel() { context_.TryCancel(); }

  std::vector<std::string> held(const char* type) {
    std::vector<std::string> names;
    for (const auto& [name, _] : held_[type]) names.push_back(name);
    return names;
  }
  std::map<std::string, std::string>& versions(const char* type) { return held_[type]; }

 private:
  std::unique_ptr<api::AggregatedDiscoveryService::Stub> stub_;
  grpc::ClientContext context_;
  std::string node_id_;
  std::unique_ptr<grpc::ClientReaderWriter<api::DeltaDiscoveryRequest, api::DeltaDiscoveryResponse>>
      stream_;
  std::map<std::string, std::map<std::string, std::string>> held_;
};

std::vector<std::string> names(const api::DeltaDiscoveryResponse& response) {
  std::vector<std::string> result;
  for (const auto& resource : response.resources()) result.push_back(resource.name());
  return result;
}

TEST_F(PublisherTest, ServesANewLazySidecarItsScope) {
  scopes_["shop/web"] = {"reviews"};
  start();
  publish();
  DeltaClient client(channel_, node_id("web"));
  client.subscribe(kCds);
  const auto clusters = client.accept(kCds);
  EXPECT_THAT(names(clusters), Contains(World::cluster("reviews")));
  EXPECT_THAT(names(clusters), Contains(std::string(sidecar::kEgressCluster)));
  EXPECT_THAT(names(clusters), Not(Contains(World::cluster("ratings"))));
  client.subscribe(kEds, {World::cluster("reviews")});
  EXPECT_THAT(names(client.accept(kEds)), ElementsAre(World::cluster("reviews")));
  client.subscribe(kLds);
  EXPECT_THAT(names(client.accept(kLds)), Contains("virtualOutbound"));
  client.subscribe(kRds, {std::string(sidecar::kOutboundRoutes)});
  const auto routes = client.accept(kRds);
  ASSERT_THAT(names(routes), ElementsAre(std::string(sidecar::kOutboundRoutes)));
  EXPECT_THAT(routes.resources(0).resource().value(), HasSubstr(World::cluster("reviews")));
}

TEST_F(PublisherTest, AStreamBeforeTheFirstRegistryIsServedAfterIt) {
  start();
  DeltaClient client(channel_, node_id("web"));
  client.subscribe(kCds);
  while (clients().empty() || clients().front().node_id.empty()) std::this_thread::yield();
  EXPECT_THAT(clients().front().types, IsEmpty());
  publish();
  EXPECT_THAT(names(client.accept(kCds)), Contains(std::string(sidecar::kEgressCluster)));
}

TEST_F(PublisherTest, AStreamThatSaysNothingIsEnded) {
  options_.greeting_deadline = std::chrono::milliseconds(1);
  start();
  publish();
  DeltaClient client(channel_, node_id("web"));
  EXPECT_EQ(client.wait_for_end().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(PublisherTest, ATypeThatIsNotServedMayBeAskedForFirst) {
  start();
  publish();
  DeltaClient client(channel_, node_id("web"));
  client.subscribe("type.googleapis.com/envoy.service.runtime.v3.Runtime");
  client.subscribe(kCds);
  EXPECT_THAT(names(client.accept(kCds)), Contains(std::string(sidecar::kEgressCluster)));
}

}  // namespace
}  // namespace lazymesh::publish::xds
