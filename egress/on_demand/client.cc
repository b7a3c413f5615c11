#include "egress/on_demand/client.h"

#include <future>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>

#include "envoy/service/discovery/v3/ads.grpc.pb.h"
#include "lazymesh/v1/resolver.grpc.pb.h"

#include "egress/on_demand/messages.h"
#include "egress/on_demand/metrics.h"
#include "egress/on_demand/state_json.h"
#include "egress/on_demand/stream_call.h"
#include "egress/on_demand/table.h"

namespace lazymesh::egress {
namespace {

namespace asio = boost::asio;
namespace discovery = envoy::service::discovery::v3;

using ResolverCall = StreamCall<v1::ResolveRequest, v1::ResolveResponse>;
using AdsCall = StreamCall<discovery::DiscoveryRequest, discovery::DiscoveryResponse>;

constexpr std::size_t kKeysShown = 1'000;

TableOptions table_options(const OnDemandOptions& options) {
  TableOptions table;
  table.controller = options.controller;
  table.deadline = options.deadline;
  table.route_cluster_wait = options.route_cluster_wait;
  table.idle = options.idle;
  table.unknown_ttl = options.unknown_ttl;
  table.dns_refresh = options.dns_refresh;
  table.max_known = options.max_destinations;
  table.max_unknown = options.max_unknown;
  table.max_pending = options.max_pending;
  table.backoff = options.backoff;
  table.seed = std::random_device{}();
  return table;
}

std::string reason_of(const grpc::Status& status) {
  return status.ok() ? "the controller ended the stream" : status.error_message();
}

// The shell round Table: threads, streams, timers, names. Everything but attach(), watch_…() and
// state_json() is on the control thread.
class Client final : public OnDemand {
 public:
  Client(OnDemandOptions options, const Clock& clock, Readiness& readiness,
         prometheus::Registry& metrics)
      : options_(std::move(options)),
        clock_(clock),
        blocker_(readiness.block("controller: not connected yet (" + options_.controller + ")")),
        control_(std::make_shared<asio::io_context>(1)),
        guard_(asio::make_work_guard(*control_)),
        timer_(*control_),
        names_(*control_),
        metrics_(metrics),
        table_(table_options(options_)) {
    post([this] { tick(); });
    thread_ = std::thread([this] { run(); });
  }

  ~Client() override {
    post([this] { stop(); });
    thread_.join();
  }

  std::size_t attach(Observer& observer, Post post_to_loop) override {
    const std::lock_guard lock(loops_mutex_);
    loops_.push_back({&observer, std::move(post_to_loop)});
    return loops_.size() - 1;
  }

  void watch_caller(std::size_t loop, const CallerKey& key) override { watch(loop, key); }
  void watch_destination(std::size_t loop, const DestinationKey& key) override { watch(loop, key); }

  std::string state() const {
    std::promise<std::string> told;
    auto answer = told.get_future();
    post([&] { told.set_value(state_json(table_.status(now(), kKeysShown))); });
    return answer.get();
  }

 private:
  struct Loop {
    Observer* observer;
    Post post;
  };
  struct AdsStream {
    std::shared_ptr<AdsCall> call;
    bool introduced = false;  // the node was sent
  };

  SteadyTime now() const { return clock_.steady(); }

  template <class Function>
  void post(Function function) const {
    asio::post(*control_, std::move(function));
  }

  void run() {
    while (true) {
      try {
        control_->run();
        return;
      } catch (const std::exception& failure) {
        spdlog::error("on-demand: escaped exception: {}", failure.what());
      }
    }
  }

  void watch(std::size_t loop, Key key) {
    post([this, loop, key = std::move(key)] {
      table_.watch(now(), loop, key);
      carry_out();
    });
  }

  void tick() {
    armed_.reset();
    table_.on_tick(now());
    carry_out();
  }

  void stop() {
    stopping_ = true;
    timer_.cancel();
    names_.cancel();
    if (resolver_) resolver_->cancel();
    for (auto& [name_space, stream] : ads_) stream.call->cancel();
    stop_if_done();
  }

  // gRPC refers to calls until they are done.
  void stop_if_done() {
    if (stopping_ && live_calls_ == 0) control_->stop();
  }

  // Whatever the table wants after an event.
  void carry_out() {
    if (stopping_) return;
    if (table_.established()) blocker_.clear();
    auto actions = table_.take_actions();
    for (const auto& name_space : actions.close_ads) {
      if (const auto found = ads_.find(name_space); found != ads_.end()) {
        found->second.call->cancel();
        ads_.erase(found);
      }
    }
    if (actions.connect_resolver) open_resolver();
    for (const auto& name_space : actions.connect_ads) open_ads(name_space);
    for (auto& host : actions.resolve_names) resolve_name(std::move(host));
    for (const auto& report : actions.unsupported) log_unsupported(report);
    for (const auto duration : actions.answered_in) metrics_.answered_in(duration);
    metrics_.observe(table_.counts());
    deliver(std::move(actions.deliveries));
    send_to_resolver();
    for (auto& [name_space, stream] : ads_) send_to_ads(name_space, stream);
    arm();
  }

  void arm() {
    const auto wake = table_.next_wake();
    if (armed_ && *armed_ <= wake) return;
    armed_ = wake;
    timer_.expires_after(std::max(wake - now(), SteadyTime::duration::zero()));
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error && !stopping_) tick();
    });
  }

  // One channel for all streams; a new one after a failure, so that the only back-off is ours.
  std::shared_ptr<grpc::Channel> channel() {
    if (channel_) {
      const auto state = channel_->GetState(false);
      if (state != GRPC_CHANNEL_TRANSIENT_FAILURE && state != GRPC_CHANNEL_SHUTDOWN) {
        return channel_;
      }
    }
    grpc::ChannelArguments arguments;
    const auto milliseconds = [](std::chrono::milliseconds duration) {
      return static_cast<int>(duration.count());
    };
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, milliseconds(options_.backoff.cap));
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(options_.keepalive_time));
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, milliseconds(options_.keepalive_timeout));
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    arguments.SetMaxReceiveMessageSize(static_cast<int>(options_.max_response_bytes));
    channel_ = grpc::CreateCustomChannel(options_.controller, grpc::InsecureChannelCredentials(),
                                         arguments);
    return channel_;
  }

  void open_resolver() {
    auto stub = std::make_shared<v1::Resolver::Stub>(channel());
    ResolverCall::Events events;
    events.opened = [this] {
      spdlog::info("on-demand: resolver stream to {} open", options_.controller);
      table_.on_resolver_open(now());
      carry_out();
    };
    events.received = [this](const v1::ResolveResponse& response) { on_resolutions(response); };
    events.writable = [this] { send_to_resolver(); };
    events.ended = [this](const grpc::Status& status) {
      // While the controller is away, said once, not at each attempt.
      if (resolver_->opened() || last_failure_ != reason_of(status)) {
        spdlog::warn("on-demand: resolver stream to {} ended: {}", options_.controller,
                     reason_of(status));
      }
      last_failure_ = reason_of(status);
      resolver_.reset();
      table_.on_resolver_closed(now(), reason_of(status));
      carry_out();
    };
    events.done = [this, stub] { call_done(); };
    resolver_ = std::make_shared<ResolverCall>(control_, std::move(events));
    ++live_calls_;
    resolver_->start([&](grpc::ClientContext* context, ResolverCall* reactor) {
      stub->async()->StreamResolutions(context, reactor);
    });
    // Written even if it asks nothing: that it could be written shows that the peer is there.
    resolver_->write(to_message(table_.next_resolver_request().value_or(ResolverRequest{})));
  }

  void send_to_resolver() {
    if (!resolver_ || !resolver_->writable()) return;
    if (const auto request = table_.next_resolver_request()) resolver_->write(to_message(*request));
  }

  void on_resolutions(const v1::ResolveResponse& response) {
    for (const auto& message : response.resolutions()) {
      auto resolution = from_message(message);
      if (!resolution) {
        spdlog::warn("on-demand: resolver: {}", resolution.error().message);
        continue;
      }
      table_.on_resolution(now(), resolution->first, std::move(resolution->second));
    }
    carry_out();
  }

  void open_ads(const std::string& name_space) {
    auto stub = std::make_shared<discovery::AggregatedDiscoveryService::Stub>(channel());
    AdsCall::Events events;
    events.opened = [this, name_space] {
      table_.on_ads_open(now(), name_space);
      carry_out();
    };
    events.received = [this, name_space](const discovery::DiscoveryResponse& response) {
      on_ads_response(name_space, response);
    };
    events.writable = [this, name_space] {
      if (const auto found = ads_.find(name_space); found != ads_.end()) {
        send_to_ads(name_space, found->second);
      }
    };
    events.ended = [this, name_space](const grpc::Status& status) {
      const bool away = status.error_code() == grpc::StatusCode::UNAVAILABLE;
      spdlog::log(away ? spdlog::level::debug : spdlog::level::warn,
                  "on-demand: ADS stream of namespace {} to {} ended: {}", name_space,
                  options_.controller, reason_of(status));
      ads_.erase(name_space);
      table_.on_ads_closed(now(), name_space, reason_of(status));
      carry_out();
    };
    events.done = [this, stub] { call_done(); };
    auto& stream = ads_[name_space];
    stream = {std::make_shared<AdsCall>(control_, std::move(events)), false};
    ++live_calls_;
    stream.call->start([&](grpc::ClientContext* context, AdsCall* reactor) {
      stub->async()->StreamAggregatedResources(context, reactor);
    });
  }

  void send_to_ads(const std::string& name_space, AdsStream& stream) {
    if (!stream.call->writable()) return;
    const auto request = table_.next_ads_request(name_space);
    if (!request) return;
    stream.call->write(
        to_message(*request, stream.introduced ? std::string() : options_.node_id, name_space));
    stream.introduced = true;
  }

  void on_ads_response(const std::string& name_space,
                       const discovery::DiscoveryResponse& response) {
    auto decoded = decode(response);
    if (!decoded) {
      spdlog::warn("on-demand: ADS of namespace {}: {}", name_space, decoded.error().message);
      return;
    }
    for (const auto& [name, reason] : decoded->rejected) {
      spdlog::warn("on-demand: {} '{}' of namespace {} rejected, the last good stays in force: {}",
                   to_string(decoded->type), name, name_space, reason);
    }
    if (!decoded->rejected.empty()) metrics_.rejected(decoded->type);
    table_.on_ads_response(now(), name_space, std::move(*decoded));
    carry_out();
  }

  void call_done() {
    --live_calls_;
    stop_if_done();
  }

  void resolve_name(std::string host) {
    names_.async_resolve(
        host, "",
        [this, host](const boost::system::error_code& error,
                     const asio::ip::tcp::resolver::results_type& results) {
          if (stopping_) return;
          std::optional<std::vector<IpAddress>> addresses;
          if (error) {
            spdlog::warn("on-demand: name {} could not be resolved: {}", host, error.message());
          } else {
            addresses.emplace();
            for (const auto& result : results) {
              const auto address = result.endpoint().address();
              addresses->push_back(address.is_v4() ? IpAddress::v4(address.to_v4().to_bytes())
                                                   : IpAddress::v6(address.to_v6().to_bytes()));
            }
          }
          table_.on_dns(now(), host, std::move(addresses));
          carry_out();
        });
  }

  void deliver(std::vector<Delivery> deliveries) {
    if (deliveries.empty()) return;
    std::map<std::size_t, std::vector<Delivery>> by_loop;
    for (auto& each : deliveries) by_loop[each.loop].push_back(std::move(each));
    const std::lock_guard lock(loops_mutex_);
    for (auto& [number, batch] : by_loop) {
      if (number >= loops_.size()) continue;
      auto& loop = loops_[number];
      loop.post([observer = loop.observer, of_loop = std::move(batch)] {
        for (const auto& delivery : of_loop) hand_over(*observer, delivery);
      });
    }
  }

  static void hand_over(Observer& observer, const Delivery& delivery) {
    if (const auto* caller = std::get_if<CallerKey>(&delivery.key)) {
      const auto* answer = std::get_if<Result<CallerPtr>>(&delivery.what);
      answer ? observer.on_caller(*caller, *answer) : observer.on_forget_caller(*caller);
      return;
    }
    const auto& destination = std::get<DestinationKey>(delivery.key);
    const auto* answer = std::get_if<Result<DestinationPtr>>(&delivery.what);
    answer ? observer.on_destination(destination, *answer)
           : observer.on_forget_destination(destination);
  }

  void log_unsupported(const UnsupportedReport& report) {
    std::string fields;
    for (const auto& field : report.fields) {
      metrics_.unsupported(field);
      fields.append(fields.empty() ? "" : ", ").append(field);
    }
    spdlog::warn("on-demand: {} '{}' asks for what the egress does not honour: {}",
                 to_string(report.type), report.name, fields);
  }

  const OnDemandOptions options_;
  const Clock& clock_;
  Readiness::Token blocker_;
  const std::shared_ptr<asio::io_context> control_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  asio::steady_timer timer_;
  std::optional<SteadyTime> armed_;  // when the timer fires
  asio::ip::tcp::resolver names_;
  OnDemandMetrics metrics_;
  Table table_;

  std::mutex loops_mutex_;
  std::vector<Loop> loops_;

  std::shared_ptr<grpc::Channel> channel_;
  std::shared_ptr<ResolverCall> resolver_;
  std::string last_failure_;  // of the resolver's stream
  std::map<std::string, AdsStream> ads_;
  std::size_t live_calls_ = 0;  // that gRPC still refers to
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<OnDemand> make_on_demand(OnDemandOptions options, const Clock& clock,
                                         Readiness& readiness, prometheus::Registry& metrics) {
  return std::make_unique<Client>(std::move(options), clock, readiness, metrics);
}

std::string on_demand_state_json(const OnDemand& client) {
  return static_cast<const Client&>(client).state();
}

}  // namespace lazymesh::egress
