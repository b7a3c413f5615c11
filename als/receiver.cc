#include "als/receiver.h"

#include <string>
#include <utility>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <spdlog/spdlog.h>

#include "envoy/service/accesslog/v3/als.grpc.pb.h"
#include "grpcpp/support/proto_buffer_reader.h"

#include "als/convert.h"
#include "als/message_arena.h"

namespace lazymesh::als {
namespace {

using envoy::service::accesslog::v3::AccessLogService;
using envoy::service::accesslog::v3::StreamAccessLogsMessage;
using grpc::ByteBuffer;
using grpc::StatusCode;

struct Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : streams(gauge(registry, "lazymesh_als_receiver_streams", "Streams of access logs, open")),
        messages(counter(registry, "lazymesh_als_receiver_messages_total", "Messages received")),
        entries(counter(registry, "lazymesh_als_receiver_entries_total", "Entries handed on")),
        bytes(counter(registry, "lazymesh_als_receiver_bytes_total", "Bytes of messages received")),
        refused(prometheus::BuildCounter()
                    .Name("lazymesh_als_receiver_refused_total")
                    .Help("Streams, messages (their stream ends with them) and entries refused")
                    .Register(registry)),
        refused_peer(refused.Add({{"reason", "peer"}})),
        refused_streams(refused.Add({{"reason", "streams"}})),
        refused_streams_of_peer(refused.Add({{"reason", "streams_of_peer"}})),
        refused_size(refused.Add({{"reason", "message_bytes"}})),
        refused_malformed(refused.Add({{"reason", "malformed"}})),
        refused_entries(refused.Add({{"reason", "message_entries"}})) {}

  static prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name,
                                  const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }
  static prometheus::Counter& counter(prometheus::Registry& registry, const char* name,
                                      const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
  }

  prometheus::Gauge& streams;
  prometheus::Counter& messages;
  prometheus::Counter& entries;
  prometheus::Counter& bytes;
  prometheus::Family<prometheus::Counter>& refused;
  prometheus::Counter& refused_peer;
  prometheus::Counter& refused_streams;
  prometheus::Counter& refused_streams_of_peer;
  prometheus::Counter& refused_size;
  prometheus::Counter& refused_malformed;
  prometheus::Counter& refused_entries;
};

struct Context {
  const Receiver::Sink& sink;
  Metrics& metrics;
  Seats& seats;
};

// A stream that is refused at once.
class Refusal final : public grpc::ServerReadReactor<ByteBuffer> {
 public:
  explicit Refusal(grpc::Status status) { Finish(std::move(status)); }
  void OnDone() override { delete this; }
};

// One stream. gRPC calls it from one thread at a time; it deletes itself when the stream is over.
class Stream final : public grpc::ServerReadReactor<ByteBuffer> {
 public:
  Stream(Context context, IpAddress peer, Role role) : context_(context) {
    reporter_.peer = peer;
    reporter_.role = role;
    context_.metrics.streams.Increment();
    StartRead(&buffer_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    const grpc::Status status = handle();
    buffer_.Clear();
    if (status.ok()) {
      StartRead(&buffer_);
    } else {
      spdlog::warn("als: stream of {} ({}) refused: {}", reporter_.peer.to_string(),
                   reporter_.node_id, status.error_message());
      Finish(status);
    }
  }

  void OnDone() override {
    context_.metrics.streams.Decrement();
    context_.seats.give_back(reporter_.peer, reporter_.role);
    delete this;
  }

 private:
  grpc::Status handle() {
    Metrics& metrics = context_.metrics;
    metrics.messages.Increment();
    metrics.bytes.Increment(static_cast<double>(buffer_.Length()));
    if (buffer_.Length() > Receiver::kMaxMessageBytes) {
      metrics.refused_size.Increment();
      return {StatusCode::RESOURCE_EXHAUSTED, "a message of " + std::to_string(buffer_.Length()) +
                                                  " bytes; the limit is " +
                                                  std::to_string(Receiver::kMaxMessageBytes) +
                                                  ": lower the access logger's buffer_size_bytes"};
    }
    thread_local MessageArena arena;  // gRPC's threads are few, streams many
    auto& message = arena.replace<StreamAccessLogsMessage>();
    grpc::ProtoBufferReader reader(&buffer_);
    const bool parsed = message.ParseFromZeroCopyStream(&reader);
    if (parsed) hand_on(message);
    arena.clear();
    if (parsed) return grpc::Status::OK;
    metrics.refused_malformed.Increment();
    return {StatusCode::INVALID_ARGUMENT, "a message that is no StreamAccessLogsMessage"};
  }

  void hand_on(const StreamAccessLogsMessage& message) {
    if (std::exchange(first_, false)) {
      const Role role = reporter_.role;
      reporter_ = to_reporter(reporter_.peer, message.identifier());
      reporter_.role = role;
    }
    auto observations = to_observations(message, Receiver::kMaxMessageEntries);
    const std::size_t refused = entries_of(message) - observations.size();
    context_.metrics.refused_entries.Increment(static_cast<double>(refused));
    context_.metrics.entries.Increment(static_cast<double>(observations.size()));
    if (!observations.empty()) context_.sink(reporter_, std::move(observations));
  }

  Context context_;
  Reporter reporter_;
  bool first_ = true;  // the identifier is in the first message only
  ByteBuffer buffer_;
};

// Messages come as bytes, so that their size is known before anything is made of them.
using RawService =
    AccessLogService::WithRawCallbackMethod_StreamAccessLogs<AccessLogService::Service>;

class GrpcReceiver final : public Receiver, private RawService {
 public:
  GrpcReceiver(Admit admit, Sink sink, Limits limits, prometheus::Registry& metrics)
      : admit_(std::move(admit)),
        sink_(std::move(sink)),
        limits_(limits),
        metrics_(metrics),
        seats_(limits) {}

  grpc::Service& service() override { return *this; }

 private:
  grpc::ServerReadReactor<ByteBuffer>* StreamAccessLogs(grpc::CallbackServerContext* context,
                                                        ByteBuffer* response) override {
    // An empty StreamAccessLogsResponse. (A ByteBuffer without a slice is an invalid one.)
    const grpc::Slice nothing;
    *response = ByteBuffer(&nothing, 1);
    const auto peer = SocketAddress::parse_grpc_peer(context->peer());
    const auto role = peer ? admit_(peer->ip) : tl::unexpected(peer.error());
    if (!role) {
      metrics_.refused_peer.Increment();
      const bool later = role.error().code == Code::kUnavailable;
      return new Refusal(
          {later ? StatusCode::UNAVAILABLE : StatusCode::PERMISSION_DENIED, role.error().message});
    }
    switch (seats_.take(peer->ip, *role)) {
      case Seats::Taken::kYes:
        break;
      case Seats::Taken::kFull:
        metrics_.refused_streams.Increment();
        return new Refusal({StatusCode::RESOURCE_EXHAUSTED,
                            "there are " + std::to_string(limits_.streams) +
                                " streams already (of these, " +
                                std::to_string(limits_.for_egresses) + " are for egresses)"});
      case Seats::Taken::kTooManyOfPeer:
        metrics_.refused_streams_of_peer.Increment();
        return new Refusal({StatusCode::RESOURCE_EXHAUSTED,
                            peer->ip.to_string() + " has " + std::to_string(limits_.of_a_workload) +
                                " streams already: lower its Envoy's --concurrency"});
    }
    return new Stream({sink_, metrics_, seats_}, peer->ip, *role);
  }

  const Admit admit_;
  const Sink sink_;
  const Limits limits_;
  Metrics metrics_;
  Seats seats_;
};

}  // namespace

std::unique_ptr<Receiver> Receiver::make(Admit admit, Sink sink, Limits limits,
                                         prometheus::Registry& metrics) {
  return std::make_unique<GrpcReceiver>(std::move(admit), std::move(sink), limits, metrics);
}

}  // namespace lazymesh::als
