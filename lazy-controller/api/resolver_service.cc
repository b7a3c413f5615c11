#include "lazy-controller/api/resolver_service.h"

#include <optional>
#include <set>
#include <string>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <grpcpp/grpcpp.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <spdlog/spdlog.h>

#include "lazymesh/v1/resolver.grpc.pb.h"

#include "lazy-controller/api/resolve.h"

namespace lazymesh::api {
namespace {

grpc::Status shutting_down() {
  return {grpc::StatusCode::UNAVAILABLE, "the controller is shutting down"};
}

struct Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : streams(prometheus::BuildGauge()
                    .Name("lazymesh_resolver_streams")
                    .Help("Open streams of egresses")
                    .Register(registry)
                    .Add({})),
        queries(prometheus::BuildGauge()
                    .Name("lazymesh_resolver_queries")
                    .Help("Queries that egresses are subscribed to")
                    .Register(registry)
                    .Add({})),
        answers(prometheus::BuildCounter()
                    .Name("lazymesh_resolver_answers_total")
                    .Help("Answers sent, first ones and changes")
                    .Register(registry)
                    .Add({})),
        refused(prometheus::BuildCounter()
                    .Name("lazymesh_resolver_refused_total")
                    .Help("Streams refused: not of an egress, too many, or with too many queries")
                    .Register(registry)),
        refused_peer(refused.Add({{"reason", "peer"}})),
        refused_streams(refused.Add({{"reason", "streams"}})),
        refused_queries(refused.Add({{"reason", "queries"}})) {}

  prometheus::Gauge& streams;
  prometheus::Gauge& queries;
  prometheus::Counter& answers;
  prometheus::Family<prometheus::Counter>& refused;
  prometheus::Counter& refused_peer;
  prometheus::Counter& refused_streams;
  prometheus::Counter& refused_queries;
};

// What the streams of one service share; control thread.
struct Core {
  Core(boost::asio::io_context& control_context, ResolverService::Options service_options,
       prometheus::Registry& registry_of_metrics)
      : control(control_context), options(service_options), metrics(registry_of_metrics) {}

  boost::asio::io_context& control;
  ResolverService::Options options;
  Metrics metrics;
  std::shared_ptr<const mesh::Registry> registry;  // null before the first
  std::set<class Stream*> streams;
  bool closed = false;
};

// One egress's stream. gRPC calls On… on its own threads, which only post; everything else is on
// the control thread. Kept alive by `self_` until OnDone, and by whatever is posted. It is over,
// and starts nothing more, once it has a status: gRPC may have let go of the call by then.
class Stream final : public grpc::ServerBidiReactor<v1::ResolveRequest, v1::ResolveResponse>,
                     public std::enable_shared_from_this<Stream> {
 public:
  static Stream* open(std::shared_ptr<Core> core, std::string peer) {
    auto stream = std::make_shared<Stream>(std::move(core), std::move(peer));
    stream->self_ = stream;
    stream->post(&Stream::opened);
    return stream.get();
  }

  Stream(std::shared_ptr<Core> core, std::string peer)
      : core_(std::move(core)), peer_(std::move(peer)) {}

  void registry_changed() {
    if (status_) return;
    const auto peer = SocketAddress::parse_grpc_peer(peer_);
    if (!peer || !core_->registry->settings().is_egress(peer->ip)) {
      core_->metrics.refused_peer.Increment();
      spdlog::warn(
          "resolver: refused {}: not an egress of the mesh file (settings.egress, "
          "settings.reporters)",
          peer_);
      return end({grpc::StatusCode::PERMISSION_DENIED,
                  "only the mesh's egresses may resolve; " + peer_ + " is none of them"});
    }
    if (!std::exchange(admitted_, true)) StartRead(&request_);
    for (auto& [key, held] : held_) {
      if (answer(held)) due_.insert(key);
    }
    flush();
  }

  void end(grpc::Status status) {
    if (!status_) status_ = std::move(status);
    flush();
  }

  void OnReadDone(bool ok) override { post(ok ? &Stream::received : &Stream::half_closed); }
  void OnWriteDone(bool ok) override { post(ok ? &Stream::written : &Stream::broken); }
  void OnCancel() override { post(&Stream::cancelled); }
  void OnDone() override { post(&Stream::closed); }

 private:
  struct Held {
    v1::Query query;
    std::string last_answer;  // serialized
  };

  void post(void (Stream::*method)()) {
    boost::asio::post(core_->control,
                      [stream = shared_from_this(), method] { ((*stream).*method)(); });
  }

  void opened() {
    const bool full = core_->streams.size() >= core_->options.max_streams;
    core_->streams.insert(this);
    core_->metrics.streams.Increment();
    if (core_->closed) return end(shutting_down());
    if (full) {
      core_->metrics.refused_streams.Increment();
      return end({grpc::StatusCode::RESOURCE_EXHAUSTED,
                  "there are " + std::to_string(core_->options.max_streams) + " streams already"});
    }
    if (core_->registry) registry_changed();
  }

  void received() {
    if (status_) return;
    for (const auto& query : request_.unsubscribe()) {
      const auto key = query.SerializeAsString();
      due_.erase(key);
      if (held_.erase(key) > 0) core_->metrics.queries.Decrement();
    }
    for (const auto& query : request_.subscribe()) {
      if (held_.size() >= core_->options.max_queries) {
        core_->metrics.refused_queries.Increment();
        return end({grpc::StatusCode::RESOURCE_EXHAUSTED,
                    "more than " + std::to_string(core_->options.max_queries) + " queries"});
      }
      auto key = query.SerializeAsString();
      const auto [held, added] = held_.try_emplace(key);
      if (added) {
        held->second.query = query;
        core_->metrics.queries.Increment();
      }
      answer(held->second);
      due_.insert(std::move(key));
    }
    StartRead(&request_);
    flush();
  }

  void cancelled() { end(grpc::Status::CANCELLED); }

  void half_closed() { end(grpc::Status::OK); }

  void written() {
    writing_ = false;
    flush();
  }

  void broken() {
    writing_ = false;
    end({grpc::StatusCode::UNAVAILABLE, "the stream broke"});
  }

  void closed() {
    core_->streams.erase(this);
    core_->metrics.streams.Decrement();
    core_->metrics.queries.Decrement(static_cast<double>(held_.size()));
    self_.reset();
  }

  // Whether the answer is another than the last one.
  bool answer(Held& held) {
    auto now = resolve(*core_->registry, held.query).SerializeAsString();
    if (now == held.last_answer) return false;
    held.last_answer = std::move(now);
    return true;
  }

  void flush() {
    if (writing_ || finished_) return;
    if (status_) {
      finished_ = true;
      return Finish(*status_);
    }
    if (due_.empty()) return;
    response_.Clear();
    for (const auto& key : std::exchange(due_, {})) {
      response_.add_resolutions()->ParseFromString(held_.at(key).last_answer);
    }
    core_->metrics.answers.Increment(response_.resolutions_size());
    writing_ = true;
    StartWrite(&response_);
  }

  const std::shared_ptr<Core> core_;
  const std::string peer_;
  std::shared_ptr<Stream> self_;
  v1::ResolveRequest request_;
  v1::ResolveResponse response_;
  absl::flat_hash_map<std::string, Held> held_;
  std::set<std::string> due_;  // keys of held_ whose answer is to be sent
  std::optional<grpc::Status> status_;
  bool admitted_ = false;
  bool writing_ = false;
  bool finished_ = false;
};

class Service final : public ResolverService, public v1::Resolver::CallbackService {
 public:
  explicit Service(std::shared_ptr<Core> core) : core_(std::move(core)) {}

  grpc::ServerBidiReactor<v1::ResolveRequest, v1::ResolveResponse>* StreamResolutions(
      grpc::CallbackServerContext* context) override {
    return Stream::open(core_, context->peer());
  }

  grpc::Service& service() override { return *this; }

  void registry_changed(std::shared_ptr<const mesh::Registry> registry) override {
    core_->registry = std::move(registry);
    for (auto* stream : core_->streams) stream->registry_changed();
  }

  void close() override {
    core_->closed = true;
    for (auto* stream : core_->streams) stream->end(shutting_down());
  }

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace

std::unique_ptr<ResolverService> ResolverService::make(boost::asio::io_context& control,
                                                       Options options,
                                                       prometheus::Registry& metrics) {
  return std::make_unique<Service>(std::make_shared<Core>(control, options, metrics));
}

}  // namespace lazymesh::api
