#include "egress/egress.h"

#include <csignal>
#include <iterator>
#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <spdlog/spdlog.h>

#include "als/sender.h"
#include "base/admin_server.h"
#include "egress/listener.h"
#include "egress/loop.h"
#include "egress/on_demand/on_demand.h"
#include "egress/own_addresses.h"

namespace lazymesh::egress {
namespace {

class Program final : public Egress {
 public:
  Program(const Config& config, Edges edges, OwnAddresses own)
      : config_(config), edges_(std::move(edges)), own_(std::move(own)), metrics_(edges_.metrics) {}

  /// Members go in the reverse order: the on-demand client before the loops, which observe it.
  ~Program() override {
    admin_.reset();
    for (auto& loop : loops_) loop->join();
    edges_.on_demand.reset();
    loops_.clear();
  }

  Result<void> build(const SharedListener& listener) {
    listen_ = listener.address;
    const Loop::Shared shared{config_, edges_.clock, own_, *edges_.access_log, metrics_};
    for (unsigned i = 0; i < listener.sockets.size(); ++i) {
      loops_.push_back(std::make_unique<Loop>(shared, i, listener.sockets[i]));
      loops_.back()->attach(*edges_.on_demand);
    }
    auto admin = AdminServer::listen(control_, config_.admin);
    if (!admin) return tl::unexpected(std::move(admin.error()));
    admin_ = std::move(*admin);
    add_routes();
    if (config_.handle_signals) wait_for_signal();
    return {};
  }

  Addresses addresses() const override { return {listen_, admin_->address()}; }

  void run() override {
    spdlog::info("egress: listening on {}, admin on {}, {} event loops", listen_.to_string(),
                 admin_->address().to_string(), loops_.size());
    for (auto& loop : loops_) loop->start();
    control_.run();  // until the last loop has ended
    for (auto& loop : loops_) loop->join();
  }

  void stop() override {
    asio::post(control_, [this] { drain(); });
  }

 private:
  void drain() {
    if (std::exchange(draining_, true)) return;
    spdlog::info("egress: draining for up to {} ms", config_.drain.count());
    not_ready_ = edges_.readiness.block("egress: draining");
    running_ = loops_.size();
    for (auto& loop : loops_) {
      loop->drain([this] {
        asio::post(control_, [this] {
          if (--running_ == 0) control_.stop();
        });
      });
    }
  }

  void add_routes() {
    add_standard_routes(*admin_, edges_.readiness, edges_.metrics);
    const auto* registry = &edges_.metrics;
    // The loops' own counts are added up when somebody looks.
    admin_->route("/metrics", [this, registry](const AdminRequest&) {
      metrics_.fold();
      return AdminResponse{200, "text/plain; version=0.0.4",
                           prometheus::TextSerializer().Serialize(registry->Collect())};
    });
    admin_->route("/connections", [this](const AdminRequest&) {
      return AdminResponse{200, "application/json", connections_json()};
    });
    if (edges_.on_demand_state) {
      admin_->route("/destinations", [this](const AdminRequest&) {
        return AdminResponse{200, "application/json", edges_.on_demand_state(*edges_.on_demand)};
      });
    }
  }

  /// One object a loop.
  std::string connections_json() const {
    std::string out = "[";
    for (const auto& loop : metrics_.loops()) {
      const auto closed = loop->connections_closed.value();
      const auto upstream_closed = loop->upstream_closed.value();
      fmt::format_to(std::back_inserter(out),
                     "{}\n {{\"downstream\":{},\"upstream\":{},\"accepted\":{},\"tcp\":{}}}",
                     out.size() > 1 ? "," : "", loop->connections_accepted.value() - closed,
                     loop->upstream_opened.value() - upstream_closed,
                     loop->connections_accepted.value(), loop->tcp_connections.value());
    }
    return out + "\n]\n";
  }

  void wait_for_signal() {
    signals_.add(SIGTERM);
    signals_.add(SIGINT);
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (!error) stop();
    });
  }

  Config config_;
  Edges edges_;
  OwnAddresses own_;
  Metrics metrics_;
  asio::io_context control_{1};
  asio::signal_set signals_{control_};
  std::unique_ptr<AdminServer> admin_;
  SocketAddress listen_;
  bool draining_ = false;
  std::size_t running_ = 0;  ///< loops that have not ended since draining began
  Readiness::Token not_ready_;
  std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace

Result<std::unique_ptr<Egress>> Egress::build(Config config, Edges edges) {
  if (config.threads == 0) return fail(Code::kInvalidArgument, "egress: at least one thread");
  auto listener = listen_shared(config.listen, config.threads);
  if (!listener) return tl::unexpected(std::move(listener.error()));
  auto own = OwnAddresses::find(listener->address);
  if (!own) return tl::unexpected(std::move(own.error()));
  auto program = std::make_unique<Program>(config, std::move(edges), std::move(*own));
  if (auto built = program->build(*listener); !built) {
    return tl::unexpected(std::move(built.error()));
  }
  return program;
}

}  // namespace lazymesh::egress
