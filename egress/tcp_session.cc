#include <vector>

#include "egress/downstream.h"
#include "egress/loop.h"
#include "egress/tunnel.h"
#include "egress/upstream_connect.h"

namespace lazymesh::egress {
namespace {

/// One connection carried as bytes.
class TcpSession {
 public:
  explicit TcpSession(Downstream& down)
      : down_(down), loop_(down.loop), start_(loop_.now()), wall_start_(loop_.wall_now()) {}

  Awaitable<> run() {
    loop_.stats.tcp_connections.add(1);
    const char* flag = co_await serve();
    loop_.stats.request_bytes.add(up_.body_bytes());
    loop_.stats.response_bytes.add(downwards_.body_bytes());
    log(als::AccessLogEntry::Moment::kEnd, flag);
  }

 private:
  /// Returns the response flag.
  Awaitable<const char*> serve() {
    const auto caller = co_await await_caller(down_);
    if (!caller) co_return refused(caller.error(), loop_.stats.refused_callers);
    const DestinationView key{
        (*caller)->workload.namespace_, {}, down_.destination.ip, down_.destination.port};
    auto entry = loop_.directory.destination(key);
    auto destination = co_await await_destination(down_, key, entry);
    if (!destination) co_return refused(destination.error(), loop_.stats.unknown_hosts);
    destination_ = std::move(*destination);
    Directory::touch(destination_->snapshot->last_used, destination_->used, start_);
    const auto target = target_of(down_, *destination_, destination_->cluster.get());
    if (!target) {
      loop_.stats.refused_destination.add(1);
      co_return "NC";
    }
    if (const auto* flag = co_await connect(*target)) co_return flag;
    log(als::AccessLogEntry::Moment::kUpstreamReady, "");
    switch (co_await tunnel(down_, upstream_->stream(), up_, downwards_)) {
      case TunnelEnd::kUpstreamFailed:
        co_return "UC";
      case TunnelEnd::kDownstreamFailed:
        co_return "DC";
      case TunnelEnd::kCut:
        co_return "LR";
      default:
        co_return "";
    }
  }

  const char* refused(const Error& error, Count& unknown) {
    if (error.code == Code::kNotFound) {
      unknown.add(1);
      return "NR";
    }
    loop_.stats.unanswered.add(1);
    return "NFCF";
  }

  /// Null once connected, else the flag.
  Awaitable<const char*> connect(const UpstreamTarget& target) {
    std::vector<EndpointPtr> tried;
    while (tried.size() < loop_.limits().connect_tries && !down_.is_cut()) {
      auto endpoint = choose_endpoint(loop_, target, tried);
      if (!endpoint) {
        if (endpoint.error().code == Code::kNotFound) break;
        if (endpoint.error().code == Code::kUnavailable) co_return "UH";
        loop_.stats.refused_destination.add(1);
        co_return "NC";
      }
      in_flight_ = InFlight(*endpoint);
      auto connected = co_await connect_upstream(down_, *endpoint, target.connect_timeout);
      if (connected) {
        upstream_ = std::move(*connected);
        upstream_->stream().listen(&down_.wakeup);
        co_return nullptr;
      }
      loop_.stats.upstream_failed.add(1);
      tried.push_back(std::move(*endpoint));
    }
    co_return "UF";
  }

  void log(als::AccessLogEntry::Moment moment, const char* flag) {
    als::AccessLogEntry entry;
    entry.moment = moment;
    entry.http = false;
    entry.downstream_direct_remote_address = down_.peer;
    entry.downstream_remote_address = down_.source;
    entry.downstream_local_address = down_.destination;
    if (in_flight_.endpoint()) entry.upstream_remote_address = in_flight_.endpoint()->address();
    if (destination_ && destination_->cluster) {
      entry.upstream_cluster = destination_->cluster->name();
    }
    entry.start_time = wall_start_;
    entry.duration = loop_.now() - start_;
    entry.response_flag = flag;
    entry.request_bytes = up_.body_bytes();
    entry.response_bytes = downwards_.body_bytes();
    loop_.access_log().log(std::move(entry));
  }

  Downstream& down_;
  Loop& loop_;
  SteadyTime start_;
  WallTime wall_start_;
  LoopDestinationPtr destination_;
  InFlight in_flight_;
  UpstreamConnectionPtr upstream_;
  Buffer from_upstream_;
  Outbox to_upstream_;
  Outbox to_downstream_;
  Pump up_{loop_.buffers, down_.in, to_upstream_};
  Pump downwards_{loop_.buffers, from_upstream_, to_downstream_};
};

}  // namespace

Awaitable<> serve_tcp(Downstream& down) {
  TcpSession session(down);
  co_await session.run();
}

}  // namespace lazymesh::egress
