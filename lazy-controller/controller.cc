#include "lazy-controller/controller.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <thread>
#include <utility>
#include <variant>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <prometheus/counter.h>
#include <prometheus/registry.h>
#include <spdlog/spdlog.h>

#include "als/receiver.h"
#include "base/admin_server.h"
#include "base/readiness.h"
#include "lazy-controller/api/grpc_server.h"
#include "lazy-controller/api/pages.h"
#include "lazy-controller/api/resolver_service.h"
#include "lazy-controller/learn/learner.h"
#include "lazy-controller/learn/reporters.h"
#include "lazy-controller/publish/xds/publisher.h"
#include "lazy-controller/registry/file/watcher.h"
#include "lazy-controller/store/store.h"
#include "lazy-controller/store/write_ahead.h"

namespace lazymesh {
namespace {

namespace asio = boost::asio;

/// Observations that wait for the control thread; more are dropped and counted (the next request
/// tells again). Workloads' own reports fill no more than half, so that there is room for egresses.
constexpr std::size_t kMaxWaitingObservations = 100'000;
/// How often the counts and times that moved are written, and what could not be saved is tried
/// again.
constexpr std::chrono::seconds kRoundInterval{5};
/// How often what is gone for good is looked for.
constexpr std::chrono::seconds kForgetInterval{3600};
constexpr std::chrono::milliseconds kShutdownGrace{1000};

struct Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : outcomes(prometheus::BuildCounter()
                     .Name("lazymesh_learn_observations_total")
                     .Help("Access log entries by what they taught")
                     .Register(registry)),
        learned(outcomes.Add({{"outcome", "learned"}})),
        known(outcomes.Add({{"outcome", "known"}})),
        dropped(outcomes.Add({{"outcome", "dropped"}})) {}

  prometheus::Counter& ignored(learn::Learner::Ignored why) {
    auto& counter = ignored_[why];
    if (counter == nullptr) counter = &outcomes.Add({{"outcome", std::string(to_string(why))}});
    return *counter;
  }

  prometheus::Family<prometheus::Counter>& outcomes;
  prometheus::Counter& learned;
  prometheus::Counter& known;
  prometheus::Counter& dropped;

 private:
  std::map<learn::Learner::Ignored, prometheus::Counter*> ignored_;
};

class Wired final : public Controller {
 public:
  Wired(asio::io_context& control, const Clock& clock, std::unique_ptr<store::Store> store,
        std::shared_ptr<prometheus::Registry> metrics)
      : control_(control),
        clock_(clock),
        metrics_registry_(std::move(metrics)),
        metrics_(*metrics_registry_),
        store_(std::move(store)),
        write_ahead_(
            *store_, readiness_,
            [&control](std::function<void()> task) { asio::post(control, std::move(task)); },
            [this](const std::vector<mesh::DependencyKey>& keys) { publish(keys); }),
        learner_(learn::Learner::Limits{}),
        publisher_(publish::xds::Publisher::make(
            control, clock,
            [this](const mesh::Workload& workload) { return learner_.scope_of(workload); },
            *metrics_registry_, {})),
        resolver_(api::ResolverService::make(control, {}, *metrics_registry_)),
        receiver_(als::Receiver::make(
            [this](const IpAddress& peer) { return reporters_.role_of(peer); },
            [this](const als::Reporter& reporter, std::vector<als::Observation> observations) {
              receive(reporter, std::move(observations));
            },
            {}, *metrics_registry_)),
        round_timer_(control),
        forget_timer_(control) {}

  ~Wired() override {
    if (shutdown_.joinable()) shutdown_.join();
  }

  Result<void> start(const ControllerConfig& config) {
    auto dependencies = store_->load();
    if (!dependencies) return tl::unexpected(dependencies.error());
    spdlog::info("controller: {} dependencies in {}", dependencies->size(), config.store_file);
    learner_.restore(std::move(*dependencies));

    auto admin = AdminServer::listen(control_, config.admin);
    if (!admin) return tl::unexpected(admin.error());
    admin_ = std::move(*admin);
    add_standard_routes(*admin_, readiness_, *metrics_registry_);
    admin_->route("/sidecars", [this](const AdminRequest&) {
      return AdminResponse{200, "application/json", api::sidecars_page(publisher_->clients())};
    });
    admin_->route("/dependencies", [this](const AdminRequest&) {
      return AdminResponse{200, "application/json", api::dependencies_page(learner_.graph())};
    });

    auto watcher = registry::FileWatcher::watch(
        control_, config.mesh_file,
        [this](std::shared_ptr<const mesh::Registry> registry) { adopt(std::move(registry)); },
        readiness_, *metrics_registry_);
    if (!watcher) return tl::unexpected(watcher.error());
    watcher_ = std::move(*watcher);

    // Last: whoever is connected can be told goodbye on the control thread only.
    auto grpc_server = api::GrpcServer::listen(
        config.grpc, {&resolver_->service(), &receiver_->service()}, publisher_->service());
    if (!grpc_server) return tl::unexpected(grpc_server.error());
    grpc_server_ = std::move(*grpc_server);

    repeat(round_timer_, kRoundInterval, &Wired::round);
    repeat(forget_timer_, kForgetInterval, &Wired::forget);
    return {};
  }

  Addresses addresses() const override { return {grpc_server_->address(), admin_->address()}; }

  void stop() override {
    if (std::exchange(stopping_, true)) return;
    round_timer_.cancel();
    forget_timer_.cancel();
    round();
    publisher_->close();
    resolver_->close();
    admin_->close();
    // Streams end on the control thread, so the blocking wait for them is on another.
    shutdown_ = std::thread([this] {
      grpc_server_->shut_down(kShutdownGrace);
      asio::post(control_, [this] {
        watcher_.reset();
        control_.stop();
      });
    });
  }

 private:
  void adopt(std::shared_ptr<const mesh::Registry> registry) {
    learner_.set_registry(clock_.wall(), registry);
    reporters_.set_registry(registry);
    resolver_->registry_changed(registry);
    publisher_->registry_changed(std::move(registry));
  }

  // On a gRPC thread.
  void receive(const als::Reporter& reporter, std::vector<als::Observation> observations) {
    const auto count = observations.size();
    const auto room =
        reporter.role == als::Role::kEgress ? kMaxWaitingObservations : kMaxWaitingObservations / 2;
    if (waiting_.fetch_add(count) + count > room) {
      waiting_ -= count;
      metrics_.dropped.Increment(static_cast<double>(count));
      return;
    }
    asio::post(control_, [this, reporter, observations = std::move(observations)] {
      waiting_ -= observations.size();
      observe(reporter, observations);
    });
  }

  void observe(const als::Reporter& reporter, const std::vector<als::Observation>& observations) {
    std::vector<mesh::Dependency> learned;
    std::vector<mesh::DependencyKey> displaced;
    for (const auto& observation : observations) {
      auto outcome = learner_.observe(clock_.wall(), reporter, observation);
      if (auto* dependency = std::get_if<learn::Learner::Learned>(&outcome)) {
        spdlog::info("learn: {} depends on {}:{}", dependency->dependency.key.source.to_string(),
                     dependency->dependency.key.host, dependency->dependency.key.port);
        metrics_.learned.Increment();
        learned.push_back(std::move(dependency->dependency));
        if (dependency->displaced) displaced.push_back(std::move(*dependency->displaced));
      } else if (const auto* ignored = std::get_if<learn::Learner::Ignored>(&outcome)) {
        metrics_.ignored(*ignored).Increment();
      } else {
        metrics_.known.Increment();
      }
    }
    write_ahead_.learned(std::move(learned));
    write_ahead_.forget(std::move(displaced));
  }

  void publish(const std::vector<mesh::DependencyKey>& keys) {
    if (stopping_) return;
    learner_.confirm(keys);
    std::set<mesh::WorkloadId> workloads;
    for (const auto& key : keys) workloads.insert(key.source);
    for (const auto& workload : workloads) publisher_->scope_changed(workload);
  }

  void repeat(asio::steady_timer& timer, std::chrono::seconds interval, void (Wired::*task)()) {
    timer.expires_after(interval);
    timer.async_wait([this, &timer, interval, task](boost::system::error_code error) {
      if (error || stopping_) return;
      (this->*task)();
      repeat(timer, interval, task);
    });
  }

  void round() { write_ahead_.round(learner_.take_touched()); }

  void forget() {
    auto forgotten = learner_.forget(clock_.wall());
    if (!forgotten.empty()) spdlog::info("learn: {} dependencies forgotten", forgotten.size());
    write_ahead_.forget(std::move(forgotten));
  }

  asio::io_context& control_;
  const Clock& clock_;
  const std::shared_ptr<prometheus::Registry> metrics_registry_;
  Metrics metrics_;
  Readiness readiness_;
  std::atomic<std::size_t> waiting_{0};
  bool stopping_ = false;
  const std::unique_ptr<store::Store> store_;
  store::WriteAhead write_ahead_;
  learn::Learner learner_;
  learn::Reporters reporters_;
  const std::unique_ptr<publish::xds::Publisher> publisher_;
  const std::unique_ptr<api::ResolverService> resolver_;
  const std::unique_ptr<als::Receiver> receiver_;
  asio::steady_timer round_timer_;
  asio::steady_timer forget_timer_;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<registry::FileWatcher> watcher_;
  std::unique_ptr<api::GrpcServer> grpc_server_;
  std::thread shutdown_;
};

}  // namespace

Result<std::unique_ptr<Controller>> Controller::build(asio::io_context& control, const Clock& clock,
                                                      const ControllerConfig& config) {
  auto metrics = std::make_shared<prometheus::Registry>();
  auto store = store::open_sqlite(config.store_file, *metrics);
  if (!store) return tl::unexpected(store.error());
  auto controller = std::make_unique<Wired>(control, clock, std::move(*store), std::move(metrics));
  if (auto started = controller->start(config); !started) {
    return tl::unexpected(started.error());
  }
  return controller;
}

}  // namespace lazymesh
