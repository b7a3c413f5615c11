// Sender and Receiver over a real gRPC connection on loopback.
#include <condition_variable>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "envoy/service/accesslog/v3/als.grpc.pb.h"

#include "als/convert.h"
#include "als/receiver.h"
#include "als/sender.h"
#include "test/als/entries.h"

namespace lazymesh::als {
namespace {

using envoy::service::accesslog::v3::AccessLogService;
using envoy::service::accesslog::v3::StreamAccessLogsMessage;
using envoy::service::accesslog::v3::StreamAccessLogsResponse;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::http_entry;
using test::tcp_entry;

constexpr seconds kPatience{20};

double metric(const prometheus::Registry& registry, const std::string& name,
              const std::string& reason = {}) {
  double sum = 0;
  for (const auto& family : registry.Collect()) {
    if (family.name != name) continue;
    for (const auto& each : family.metric) {
      if (!reason.empty() && (each.label.empty() || each.label[0].value != reason)) continue;
      sum += each.counter.value + each.gauge.value;
    }
  }
  return sum;
}

/// What a Receiver's sink was told.
class Seen {
 public:
  void add(const Reporter& reporter, std::vector<Observation> observations) {
    const std::lock_guard lock(mutex_);
    reporters_.push_back(reporter);
    for (auto& each : observations) observations_.push_back(std::move(each));
    changed_.notify_all();
  }
  /// All observations, once there are `count`.
  std::vector<Observation> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return observations_.size() >= count; }))
        << observations_.size() << " of " << count;
    return observations_;
  }
  /// How many observations there are, two or after a while.
  std::size_t count_within(milliseconds time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [&] { return observations_.size() >= 2; });
    return observations_.size();
  }
  std::vector<Reporter> reporters() {
    const std::lock_guard lock(mutex_);
    return reporters_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Reporter> reporters_;
  std::vector<Observation> observations_;
};

/// A server with a Receiver, on a port of its own or on the one given.
class Server {
 public:
  explicit Server(Seen& seen, int port = 0, Result<Role> role = Role::kEgress,
                  Receiver::Limits limits = {})
      : receiver_(Receiver::make(
            [role = std::move(role)](const IpAddress&) { return role; },
            [&seen](const Reporter& reporter, std::vector<Observation> observations) {
              seen.add(reporter, std::move(observations));
            },
            limits, metrics_)) {
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(&receiver_->service());
    server_ = builder.BuildAndStart();
  }
  ~Server() { server_->Shutdown(std::chrono::system_clock::time_point()); }

  int port() const { return port_; }
  std::string target() const { return "127.0.0.1:" + std::to_string(port_); }
  const prometheus::Registry& metrics() const { return metrics_; }

 private:
  prometheus::Registry metrics_;
  std::unique_ptr<Receiver> receiver_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class Stream : public testing::Test {
 protected:
  static Sender::Options options(const std::string& target) {
    Sender::Options options;
    options.target = target;
    options.node_id = "egress~10.0.0.2~egress.lazymesh~lazymesh.svc.cluster.local";
    return options;
  }
  std::unique_ptr<Sender> sender_to(const std::string& target) { return make(options(target)); }
  std::unique_ptr<Sender> make(Sender::Options options) {
    return Sender::make(std::move(options), system_clock(), metrics_);
  }

  // A client may hear of its stream's end before the server has counted it.
  static void wait_for_streams(const Server& server, int count) {
    const auto deadline = system_clock().steady() + kPatience;
    const auto streams = [&] { return metric(server.metrics(), "lazymesh_als_receiver_streams"); };
    while (streams() != count && system_clock().steady() < deadline) std::this_thread::yield();
    EXPECT_EQ(streams(), count);
  }

  Seen seen_;
  prometheus::Registry metrics_;  // of the sender
};

TEST_F(Stream, CarriesEntriesAndSaysWhoSendsThem) {
  Server server(seen_);
  const auto sender = sender_to(server.target());
  sender->log(http_entry());
  const auto first = seen_.wait_for(1);
  EXPECT_EQ(first[0].authority, "reviews:9080");
  sender->log(tcp_entry());
  const auto both = seen_.wait_for(2);
  EXPECT_FALSE(both[1].http);
  const auto reporters = seen_.reporters();
  ASSERT_EQ(reporters.size(), 2U);
  for (const auto& reporter : reporters) {
    EXPECT_EQ(reporter.peer.to_string(), "127.0.0.1");
    EXPECT_EQ(reporter.node_id, "egress~10.0.0.2~egress.lazymesh~lazymesh.svc.cluster.local");
    EXPECT_EQ(reporter.log_name, "lazymesh_egress");
  }
  EXPECT_EQ(metric(server.metrics(), "lazymesh_als_receiver_streams"), 1);
  EXPECT_EQ(metric(server.metrics(), "lazymesh_als_receiver_entries_total"), 2);
}

TEST_F(Stream, SendsWhatIsQueuedBeforeItEnds) {
  Server server(seen_);
  sender_to(server.target())->log(http_entry());
  EXPECT_EQ(seen_.wait_for(1).size(), 1U);
  EXPECT_EQ(metric(metrics_, "lazymesh_als_entries_sent_total"), 1);
  EXPECT_EQ(metric(metrics_, "lazymesh_als_entries_lost_total"), 0);
}

TEST_F(Stream, TakesEntriesOfManyThreads) {
  Server server(seen_);
  {
    const auto sender = sender_to(server.target());
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 1000; ++n) sender->log(http_entry());
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(seen_.wait_for(4000).size(), 4000U);
  }
  // Many entries share a message.
  EXPECT_LT(metric(server.metrics(), "lazymesh_als_receiver_messages_total"), 1000);
}

TEST_F(Stream, KeepsEntriesUntilThereIsAServer) {
  int port = 0;
  {
    port = Server(seen_).port();
  }
  const auto sender = sender_to("127.0.0.1:" + std::to_string(port));
  sender->log(http_entry("before"));
  Server server(seen_, port);
  EXPECT_EQ(seen_.wait_for(1)[0].authority, "before");
}

TEST_F(Stream, ComesBackAfterTheServerDid) {
  auto server = std::make_unique<Server>(seen_);
  const int port = server->port();
  const auto sender = sender_to(server->target());
  sender->log(http_entry("first"));
  seen_.wait_for(1);
  server.reset();
  server = std::make_unique<Server>(seen_, port);
  // What is written before the sender can know that the stream broke is lost.
  while (seen_.count_within(milliseconds(20)) < 2) sender->log(http_entry("again"));
  EXPECT_EQ(seen_.reporters().back().log_name, "lazymesh_egress") << "each stream says who sends";
  EXPECT_EQ(metric(metrics_, "lazymesh_als_streams_total"), 2);
}

TEST_F(Stream, DropsTheNewestWhenTheQueueIsFull) {
  int port = 0;
  {
    port = Server(seen_).port();
  }
  auto small = options("127.0.0.1:" + std::to_string(port));
  small.max_queue_bytes = 64 * 1024;
  small.flush_interval = std::chrono::hours(1);
  small.flush_bytes = 1024 * 1024;
  {
    const auto sender = make(small);
    for (int i = 0; i < 1000; ++i) sender->log(http_entry(std::to_string(i)));
    const double dropped = metric(metrics_, "lazymesh_als_entries_dropped_total");
    EXPECT_GT(dropped, 500);
    EXPECT_LT(dropped, 1000);
    EXPECT_LE(metric(metrics_, "lazymesh_als_queue_bytes"), 64 * 1024);
  }
  EXPECT_EQ(metric(metrics_, "lazymesh_als_entries_dropped_total") +
                metric(metrics_, "lazymesh_als_entries_lost_total"),
            1000);
}

TEST_F(Stream, EndsInTimeWithoutAServer) {
  const auto before = system_clock().steady();
  sender_to("127.0.0.1:1")->log(http_entry());
  EXPECT_LT(system_clock().steady() - before, seconds(5));
  EXPECT_EQ(metric(metrics_, "lazymesh_als_entries_lost_total"), 1);
}

// A server whose streams stay open and are never read.
class Deaf final : public AccessLogService::Service {
 public:
  grpc::Status StreamAccessLogs(grpc::ServerContext* context,
                                grpc::ServerReader<StreamAccessLogsMessage>*,
                                StreamAccessLogsResponse*) override {
    std::unique_lock lock(mutex_);
    ++streams_;
    changed_.notify_all();
    while (!context->IsCancelled()) changed_.wait_for(lock, milliseconds(10));
    return grpc::Status::CANCELLED;
  }
  void wait_for_a_stream() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return streams_ > 0; }));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int streams_ = 0;
};

TEST_F(Stream, AServerThatDoesNotReadStopsNeitherCallersNorTheEnd) {
  Deaf deaf;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&deaf);
  const auto server = builder.BuildAndStart();
  auto sender = sender_to("127.0.0.1:" + std::to_string(port));
  auto entry = http_entry();
  entry.path.assign(4000, 'x');
  for (int i = 0; i < 5000; ++i) sender->log(entry);  // 20 MB
  deaf.wait_for_a_stream();
  EXPECT_GT(metric(metrics_, "lazymesh_als_entries_dropped_total"), 0);
  const auto before = system_clock().steady();
  sender.reset();
  EXPECT_LT(system_clock().steady() - before, seconds(5));
  server->Shutdown(std::chrono::system_clock::time_point());
}

// A client that sends what it likes.
class Client {
 public:
  explicit Client(const std::string& target)
      : stub_(AccessLogService::NewStub(
            grpc::CreateChannel(target, grpc::InsecureChannelCredentials()))) {
    stream_ = stub_->StreamAccessLogs(&context_, &response_);
  }
  bool send(const StreamAccessLogsMessage& message) { return stream_->Write(message); }
  grpc::Status finish() {
    stream_->WritesDone();
    return stream_->Finish();
  }

 private:
  std::unique_ptr<AccessLogService::Stub> stub_;
  grpc::ClientContext context_;
  StreamAccessLogsResponse response_;
  std::unique_ptr<grpc::ClientWriter<StreamAccessLogsMessage>> stream_;
};

TEST_F(Stream, IsAcknowledgedAtItsEnd) {
  Server server(seen_);
  Client client(server.target());
  StreamAccessLogsMessage message;
  message.mutable_http_logs()->add_log_entry();
  EXPECT_TRUE(client.send(message));
  EXPECT_TRUE(client.finish().ok());
  EXPECT_EQ(seen_.wait_for(1).size(), 1U);
  EXPECT_EQ(seen_.reporters()[0].node_id, "");
}

TEST_F(Stream, OnlyTheFirstMessageSaysWhoSends) {
  Server server(seen_);
  Client client(server.target());
  StreamAccessLogsMessage message;
  message.mutable_identifier()->mutable_node()->set_id("first");
  message.mutable_http_logs()->add_log_entry();
  client.send(message);
  message.mutable_identifier()->mutable_node()->set_id("second");
  client.send(message);
  client.finish();
  seen_.wait_for(2);
  EXPECT_EQ(seen_.reporters().back().node_id, "first");
}

TEST_F(Stream, WithALargeMessageIsRefused) {
  Server server(seen_);
  Client client(server.target());
  StreamAccessLogsMessage message;
  message.mutable_http_logs()->add_log_entry()->mutable_request()->set_path(
      std::string(Receiver::kMaxMessageBytes, 'x'));
  client.send(message);
  const auto status = client.finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), testing::HasSubstr("buffer_size_bytes"));
  EXPECT_EQ(metric(server.metrics(), "lazymesh_als_receiver_refused_total", "message_bytes"), 1);
}

TEST_F(Stream, WithManyEntriesInAMessageLosesTheRest) {
  Server server(seen_);
  Client client(server.target());
  StreamAccessLogsMessage message;
  for (std::size_t i = 0; i < Receiver::kMaxMessageEntries + 3; ++i) {
    message.mutable_tcp_logs()->add_log_entry();
  }
  client.send(message);
  EXPECT_TRUE(client.finish().ok());
  EXPECT_EQ(seen_.wait_for(1).size(), Receiver::kMaxMessageEntries);
  EXPECT_EQ(metric(server.metrics(), "lazymesh_als_receiver_refused_total", "message_entries"), 3);
}

TEST_F(Stream, OfAStrangerIsRefused) {
  Server server(seen_, 0, fail(Code::kPermissionDenied, "who are you?"));
  StreamAccessLogsMessage message;
  message.mutable_http_logs()->add_log_entry();
  Client client(server.target());
  client.send(message);
  const auto status = client.finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(status.error_message(), "who are you?");
  EXPECT_EQ(metric(server.metrics(), "lazymesh_als_receiver_refused_total", "peer"), 1);
}

TEST_F(Stream, BeforeAnybodyIsKnownMayBeTriedAgain) {
  Server server(seen_, 0, fail(Code::kUnavailable, "not yet"));
  Client client(server.target());
  EXPECT_EQ(client.finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(Stream, BeyondTheLimitIsRefusedUntilAnotherEnds) {
  for (const auto& [limits, reason] :
       {std::pair{Receiver::Limits{.streams = 3, .for_egresses = 1}, "streams"},
        std::pair{Receiver::Limits{.of_a_workload = 2}, "streams_of_peer"}}) {
    Seen seen;
    Server server(seen, 0, Role::kWorkload, limits);
    std::vector<std::unique_ptr<Client>> clients;
    StreamAccessLogsMessage message;
    message.mutable_http_logs()->add_log_entry();
    for (int i = 0; i < 2; ++i) {
      clients.push_back(std::make_unique<Client>(server.target()));
      ASSERT_TRUE(clients.back()->send(message));
    }
    seen.wait_for(2);
    Client beyond(server.target());
    beyond.send(message);
    EXPECT_EQ(beyond.finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(metric(server.metrics(), "lazymesh_als_receiver_refused_total", reason), 1);
    EXPECT_TRUE(clients.back()->finish().ok());
    clients.pop_back();
    wait_for_streams(server, 1);
    Client next(server.target());
    next.send(message);
    EXPECT_TRUE(next.finish().ok());
    clients.back()->finish();
  }
}

// Bytes that are no message.
TEST_F(Stream, OfSomethingElseIsRefused) {
  Server server(seen_);
  const auto channel = grpc::CreateChannel(server.target(), grpc::InsecureChannelCredentials());
  grpc::ClientContext context;
  grpc::ByteBuffer response;
  const grpc::internal::RpcMethod method(
      "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs",
      grpc::internal::RpcMethod::CLIENT_STREAMING);
  const std::unique_ptr<grpc::ClientWriter<grpc::ByteBuffer>> writer(
      grpc::internal::ClientWriterFactory<grpc::ByteBuffer>::Create(channel.get(), method, &context,
                                                                    &response));
  const grpc::Slice bytes(std::string("\xff\xff\xff\xff no protobuf"));
  writer->Write(grpc::ByteBuffer(&bytes, 1));
  EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(metric(server.metrics(), "lazymesh_als_receiver_refused_total", "malformed"), 1);
}

}  // namespace
}  // namespace lazymesh::als
