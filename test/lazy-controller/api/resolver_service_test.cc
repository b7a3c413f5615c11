#include "lazy-controller/api/resolver_service.h"

#include <future>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "lazymesh/v1/resolver.grpc.pb.h"

#include "base/clock.h"
#include "lazy-controller/api/grpc_server.h"

namespace lazymesh::api {
namespace {

std::shared_ptr<const mesh::Registry> registry_with(std::vector<std::string> hosts,
                                                    std::string egress = "127.0.0.1") {
  mesh::RegistryContent content;
  content.settings.egress = {{*IpAddress::parse(egress), 15080}};
  content.namespaces = {{"shop", {}}};
  for (auto& host : hosts) {
    mesh::Service service;
    service.host = host + ".shop.svc.cluster.local";
    service.namespace_ = "shop";
    service.ports = {{80, mesh::Protocol::kHttp, "http"}};
    content.services.push_back(std::make_shared<const mesh::Service>(std::move(service)));
  }
  return *mesh::Registry::build(std::move(content));
}

// A real server on loopback whose control thread is the fixture's.
class ResolverServiceTest : public testing::Test {
 protected:
  ResolverServiceTest()
      : resolver_(ResolverService::make(control_, {.max_queries = 3, .max_streams = 2}, metrics_)),
        server_(*GrpcServer::listen({*IpAddress::parse("127.0.0.1"), 0}, {&resolver_->service()},
                                    generic_)),
        thread_([this] { control_.run(); }) {
    channel_ =
        grpc::CreateChannel(server_->address().to_string(), grpc::InsecureChannelCredentials());
    stream_ = open(context_);
  }

  ~ResolverServiceTest() override {
    context_.TryCancel();
    on_control([this] { resolver_->close(); });
    server_->shut_down(std::chrono::seconds(1));
    work_.reset();
    thread_.join();
  }

  using ClientStream = grpc::ClientReaderWriter<v1::ResolveRequest, v1::ResolveResponse>;
  std::unique_ptr<ClientStream> open(grpc::ClientContext& context) {
    return v1::Resolver::NewStub(channel_)->StreamResolutions(&context);
  }
  static grpc::Status end_of(ClientStream& stream) {
    v1::ResolveResponse response;
    while (stream.Read(&response)) {
    }
    return stream.Finish();
  }

  /// As the service counts them.
  double streams() const {
    for (const auto& family : metrics_.Collect()) {
      if (family.name == "lazymesh_resolver_streams") return family.metric.at(0).gauge.value;
    }
    return -1;
  }
  void wait_for_streams(double count) {
    const auto deadline = system_clock().steady() + std::chrono::seconds(20);
    while (streams() != count && system_clock().steady() < deadline) std::this_thread::yield();
    EXPECT_EQ(streams(), count);
  }

  template <class Function>
  void on_control(Function function) {
    std::promise<void> done;
    boost::asio::post(control_, [&] {
      function();
      done.set_value();
    });
    done.get_future().wait();
  }

  void adopt(std::shared_ptr<const mesh::Registry> registry) {
    on_control([&] { resolver_->registry_changed(registry); });
  }

  void ask(const std::string& host) {
    v1::ResolveRequest request;
    auto* query = request.add_subscribe()->mutable_destination();
    query->set_caller_namespace("shop");
    query->set_host(host);
    query->set_port(80);
    stream_->Write(request);
  }

  v1::Resolution next() {
    v1::ResolveResponse response;
    if (!stream_->Read(&response)) return {};
    EXPECT_EQ(response.resolutions_size(), 1);
    return response.resolutions(0);
  }

  boost::asio::io_context control_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      control_.get_executor()};
  prometheus::Registry metrics_;
  std::unique_ptr<ResolverService> resolver_;
  grpc::CallbackGenericService generic_;
  std::unique_ptr<GrpcServer> server_;
  std::thread thread_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::ClientContext context_;
  std::unique_ptr<ClientStream> stream_;
};

TEST_F(ResolverServiceTest, AnswersAtOnceAndAgainOnlyWhenTheAnswerChanges) {
  adopt(registry_with({"a", "b"}));
  ask("a");
  EXPECT_EQ(next().destination().host(), "a.shop.svc.cluster.local");
  ask("c");
  EXPECT_TRUE(next().has_not_found());
  adopt(registry_with({"a", "b", "c"}));
  EXPECT_EQ(next().destination().host(), "c.shop.svc.cluster.local");
  adopt(registry_with({"b", "c"}));
  const auto gone = next();
  EXPECT_TRUE(gone.has_not_found());
  EXPECT_EQ(gone.query().destination().host(), "a");
}

TEST_F(ResolverServiceTest, WaitsForTheFirstRegistry) {
  ask("a");
  adopt(registry_with({"a"}));
  EXPECT_EQ(next().destination().host(), "a.shop.svc.cluster.local");
}

TEST_F(ResolverServiceTest, RefusesWhoIsNotAnEgress) {
  adopt(registry_with({"a"}, "10.0.0.2"));
  const auto status = end_of(*stream_);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_NE(status.error_message().find("127.0.0.1"), std::string::npos);
}

TEST_F(ResolverServiceTest, EndsAStreamThatAsksForTooMuch) {
  adopt(registry_with({"a"}));
  for (const auto* host : {"a", "b", "c", "d"}) ask(host);
  EXPECT_EQ(end_of(*stream_).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ResolverServiceTest, EndsTheStreamOfWhoIsNoEgressAnyMore) {
  adopt(registry_with({"a"}));
  ask("a");
  EXPECT_EQ(next().destination().host(), "a.shop.svc.cluster.local");
  adopt(registry_with({"a", "b"}, "10.0.0.2"));
  EXPECT_EQ(end_of(*stream_).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(ResolverServiceTest, AStreamThatIsGivenUpBeforeTheFirstRegistryIsGone) {
  wait_for_streams(1);
  context_.TryCancel();
  wait_for_streams(0);
  adopt(registry_with({"a"}));
}

TEST_F(ResolverServiceTest, RefusesMoreStreamsThanItsLimit) {
  wait_for_streams(1);
  grpc::ClientContext second_context;
  grpc::ClientContext third_context;
  const auto second = open(second_context);
  wait_for_streams(2);
  EXPECT_EQ(end_of(*open(third_context)).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  second_context.TryCancel();
  wait_for_streams(1);
}

// As gRPC goes on to accept calls until its own shutdown.
TEST_F(ResolverServiceTest, RefusesStreamsOnceItIsClosed) {
  on_control([this] { resolver_->close(); });
  grpc::ClientContext late;
  EXPECT_EQ(end_of(*open(late)).error_code(), grpc::StatusCode::UNAVAILABLE);
}

// gRPC may have let go of what is refused before the service hears of it.
TEST_F(ResolverServiceTest, ARefusedStreamIsNotTakenBackByTheNextRegistry) {
  wait_for_streams(1);
  on_control([this] {
    resolver_->registry_changed(registry_with({}, "10.0.0.2"));
    resolver_->registry_changed(registry_with({}));
  });
  EXPECT_EQ(end_of(*stream_).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  wait_for_streams(0);
}

TEST_F(ResolverServiceTest, ASecondServerOnThePortIsRefused) {
  grpc::CallbackGenericService other;
  const auto second = GrpcServer::listen(server_->address(), {}, other);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(server_->address().to_string()), std::string::npos);
}

}  // namespace
}  // namespace lazymesh::api
