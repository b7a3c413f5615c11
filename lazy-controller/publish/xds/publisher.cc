#include "lazy-controller/publish/xds/publisher.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <spdlog/spdlog.h>

#include "lazy-controller/publish/xds/admission.h"
#include "lazy-controller/publish/xds/ads_service.h"
#include "lazy-controller/publish/xds/by_name.h"
#include "lazy-controller/publish/xds/catalog.h"
#include "lazy-controller/publish/xds/metrics.h"
#include "lazy-controller/publish/xds/sequencer.h"
#include "lazy-controller/publish/xds/stream.h"
#include "lazy-controller/publish/xds/wire.h"

namespace lazymesh::publish::xds {
namespace {

// How often deadlines are looked at, while there are any.
constexpr std::chrono::milliseconds kTick{100};

// A client's words in one line of the log.
std::string one_line(std::string_view words) {
  std::string line(cut(words, kMaxWords));
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return line;
}

// One connected client.
struct Session {
  ConnectionPtr connection;
  WallTime connected;
  std::optional<Node> node;        // once its first request is here
  std::optional<Request> waiting;  // that request, until there is a registry
  mesh::WorkloadPtr workload;      // null: an egress, or not admitted yet
  std::unique_ptr<Source> source;  // null: not admitted yet
  Sequencer* sequencer = nullptr;  // the same, of a sidecar
  std::unique_ptr<Stream> stream;
  bool writing = false;

  std::string name() const {
    return workload ? workload->id.to_string() : node ? one_line(node->id) : connection->peer();
  }
};

class Wired final : public Publisher, private Events {
 public:
  Wired(boost::asio::io_context& control, const Clock& clock, ScopeOf scope_of,
        prometheus::Registry& metrics, Options options)
      : clock_(clock),
        scope_of_(std::move(scope_of)),
        options_(options),
        metrics_(metrics),
        catalog_(names_),
        timer_(control),
        ads_(AdsService::make(control, *this, options.max_streams, options.max_streams_of_one)) {}

  grpc::CallbackGenericService& service() override { return ads_->service(); }
  void registry_changed(std::shared_ptr<const mesh::Registry> registry) override;
  void scope_changed(const mesh::WorkloadId& workload) override;
  std::vector<ClientStatus> clients() const override;
  void close() override;

 private:
  using Targets = absl::flat_hash_map<mesh::WorkloadId, Target>;

  void opened(const ConnectionPtr& connection) override;
  void received(const ConnectionPtr& connection, Result<Request> request) override;
  void written(const ConnectionPtr& connection) override;
  void ended(const ConnectionPtr& connection) override;

  Session* find(const ConnectionPtr& connection);
  Result<void> take(Session& session, const Request& request);
  Result<void> admit_client(Session& session);
  void heard(const Session& session, const Request& request, Stream::Answer answer);
  Target target_of(const mesh::WorkloadPtr& workload);
  const Target& target_of(const mesh::WorkloadPtr& workload, Targets& made);
  std::vector<Name> cluster_names(const std::vector<Catalog::Change>& changes) const;
  bool flush(Session& session);
  void report(Session& session);
  void forget(Session& session);
  void end(Session& session, const Error& why);
  void end_silent(SteadyTime now);
  void arm_timer();
  void tick();

  const Clock& clock_;
  const ScopeOf scope_of_;
  const Options options_;
  Metrics metrics_;
  Names names_;
  Catalog catalog_;
  bool have_registry_ = false;
  absl::flat_hash_map<Connection*, std::unique_ptr<Session>> sessions_;
  absl::flat_hash_map<mesh::WorkloadId, std::vector<Session*>> by_workload_;
  absl::flat_hash_set<Session*> with_deadline_;
  std::deque<std::pair<SteadyTime, std::weak_ptr<Connection>>> greeting_;  // by when it has to
  boost::asio::steady_timer timer_;
  bool timer_armed_ = false;
  std::unique_ptr<AdsService> ads_;
};

// --- clients come and go ---

void Wired::opened(const ConnectionPtr& connection) {
  auto session = std::make_unique<Session>();
  session->connection = connection;
  session->connected = clock_.wall();
  sessions_.emplace(connection.get(), std::move(session));
  greeting_.emplace_back(clock_.steady() + options_.greeting_deadline, connection);
  arm_timer();
}

// Streams that have not said who they are hold places that others need.
void Wired::end_silent(SteadyTime now) {
  while (!greeting_.empty() && greeting_.front().first <= now) {
    const auto connection = greeting_.front().second.lock();
    greeting_.pop_front();
    auto* session = connection ? find(connection) : nullptr;
    if (session == nullptr || session->stream || session->waiting) continue;
    end(*session, {Code::kPermissionDenied, "nothing was asked for in time", Origin::kDownstream});
  }
}

Session* Wired::find(const ConnectionPtr& connection) {
  const auto found = sessions_.find(connection.get());
  return found == sessions_.end() ? nullptr : found->second.get();
}

void Wired::received(const ConnectionPtr& connection, Result<Request> request) {
  auto* session = find(connection);
  if (session == nullptr) return;
  if (request && !request->unserved.empty()) {
    if (!session->node) session->node = request->node;
    spdlog::warn("xds: {}: {}", session->name(), one_line(request->unserved));
    connection->read();
    return;
  }
  if (!request) return end(*session, request.error());
  if (auto taken = take(*session, *request); !taken) return end(*session, taken.error());
  // One request at a time; before the first registry, the very first one waits here.
  if (session->stream) connection->read();
}

Result<void> Wired::take(Session& session, const Request& request) {
  if (!session.node) {
    if (!request.node) {
      return fail(Code::kInvalidArgument, "the first request of a stream has no node",
                  Origin::kDownstream);
    }
    session.node = request.node;
  }
  if (!session.stream) {
    if (!have_registry_) {
      session.waiting = request;
      return {};
    }
    if (auto admitted = admit_client(session); !admitted) return admitted;
  }
  const auto answer = session.stream->on_request(clock_.steady(), request);
  if (!answer) return tl::unexpected(answer.error());
  heard(session, request, *answer);
  flush(session);
  return {};
}

Result<void> Wired::admit_client(Session& session) {
  const auto peer = parse_peer(session.connection->peer());
  if (!peer) return tl::unexpected(peer.error());
  auto workload = admit(*catalog_.registry(), *session.node, *peer);
  if (!workload) {
    metrics_.denied.Increment();
    return tl::unexpected(std::move(workload.error()));
  }
  const auto variant = session.connection->variant();
  session.workload = std::move(*workload);
  if (session.workload) {
    auto sequencer = std::make_unique<Sequencer>(catalog_, variant, options_.warming_deadline,
                                                 clock_.steady(), target_of(session.workload));
    session.sequencer = sequencer.get();
    session.source = std::move(sequencer);
    by_workload_[session.workload->id].push_back(&session);
    metrics_.sidecars.Increment();
  } else {
    session.source = std::make_unique<ByName>(catalog_, variant);
    metrics_.egresses.Increment();
  }
  Subscription::Limits limits;
  limits.max_names = options_.max_names;
  session.stream = std::make_unique<Stream>(variant, names_, *session.source, limits);
  spdlog::info("xds: {} connected from {} ({})", session.name(), session.connection->peer(),
               variant == Variant::kDelta ? "delta" : "state of the world");
  return {};
}

void Wired::ended(const ConnectionPtr& connection) {
  auto* session = find(connection);
  if (session == nullptr) return;
  spdlog::info("xds: {} disconnected", session->name());
  forget(*session);
  connection->finish({Code::kUnavailable, "the stream has ended", Origin::kDownstream});
}

void Wired::end(Session& session, const Error& why) {
  spdlog::warn("xds: {} ({}): stream ended: {}", session.name(), session.connection->peer(),
               one_line(why.message));
  const auto connection = session.connection;
  forget(session);
  connection->finish(why);
}

void Wired::forget(Session& session) {
  with_deadline_.erase(&session);
  if (session.stream) (session.workload ? metrics_.sidecars : metrics_.egresses).Decrement();
  if (session.workload) {
    const auto found = by_workload_.find(session.workload->id);
    std::erase(found->second, &session);
    if (found->second.empty()) by_workload_.erase(found);
  }
  sessions_.erase(session.connection.get());
}

void Wired::close() {
  timer_.cancel();
  ads_->close();
  for (const auto& [connection, session] : sessions_) {
    if (session->stream) (session->workload ? metrics_.sidecars : metrics_.egresses).Decrement();
  }
  with_deadline_.clear();
  by_workload_.clear();
  sessions_.clear();
}

// --- the exchange ---

void Wired::heard(const Session& session, const Request& request, Stream::Answer answer) {
  auto& metrics = metrics_.of(request.type);
  if (answer == Stream::Answer::kAck) metrics.acks.Increment();
  if (answer != Stream::Answer::kNack) return;
  metrics.nacks.Increment();
  spdlog::warn("xds: {} refuses {}: {}", session.name(), short_name(request.type),
               one_line(*request.error));
}

void Wired::written(const ConnectionPtr& connection) {
  auto* session = find(connection);
  if (session == nullptr) return;
  session->writing = false;
  flush(*session);
}

// Sends what there is to be said; whether there was something.
bool Wired::flush(Session& session) {
  if (session.writing || !session.stream) return false;
  const auto response = session.stream->next(clock_.steady());
  if (response) {
    session.writing = true;
    auto& metrics = metrics_.of(response->type);
    metrics.responses.Increment();
    metrics.resources.Increment(static_cast<double>(response->resources.size()));
    metrics.bytes.Increment(static_cast<double>(session.connection->write(*response)));
  }
  report(session);
  return response.has_value();
}

void Wired::report(Session& session) {
  if (session.sequencer != nullptr) {
    for (const auto took : session.sequencer->take_warmed()) {
      metrics_.warming_seconds.Observe(std::chrono::duration<double>(took).count());
    }
    for (const auto& cluster : session.sequencer->take_overdue()) {
      metrics_.overdue.Increment();
      spdlog::warn("xds: {}: cluster {} is not warm after {} ms; its routes wait for it",
                   session.name(), cluster, options_.warming_deadline.count());
    }
  }
  if (session.source->deadline()) {
    with_deadline_.insert(&session);
    arm_timer();
  } else {
    with_deadline_.erase(&session);
  }
}

void Wired::arm_timer() {
  if (std::exchange(timer_armed_, true)) return;
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) tick();
  });
}

void Wired::tick() {
  timer_armed_ = false;
  const auto now = clock_.steady();
  const std::vector<Session*> sessions(with_deadline_.begin(), with_deadline_.end());
  for (auto* session : sessions) {
    const auto deadline = session->source->deadline();
    if (deadline && *deadline <= now) session->source->tick(now);
    flush(*session);
  }
  end_silent(now);
  if (!with_deadline_.empty() || !greeting_.empty()) arm_timer();
}

// --- changes ---

Target Wired::target_of(const mesh::WorkloadPtr& workload) {
  auto frame = catalog_.frame(workload);
  auto services = frame->mode == mesh::LazyMode::kEnabled
                      ? catalog_.items(scope_of_(*workload))
                      : catalog_.visible_from(workload->id.namespace_);
  return {std::move(frame), std::move(services)};
}

// The streams of one workload share one target.
const Target& Wired::target_of(const mesh::WorkloadPtr& workload, Targets& made) {
  const auto found = made.find(workload->id);
  if (found != made.end()) return found->second;
  return made.emplace(workload->id, target_of(workload)).first->second;
}

// Of what changed, the cluster names that anybody uses.
std::vector<Name> Wired::cluster_names(const std::vector<Catalog::Change>& changes) const {
  std::vector<Name> names;
  const auto add = [&](const mesh::ServicePtr& service) {
    if (!service) return;
    for (const auto& port : service->ports) {
      auto name = names_.find(mesh::cluster_name(service->host, port.number));
      if (name) names.push_back(std::move(name));
    }
  };
  for (const auto& [before, after] : changes) {
    add(before);
    add(after);
  }
  return names;
}

void Wired::registry_changed(std::shared_ptr<const mesh::Registry> registry) {
  const auto names = cluster_names(catalog_.set_registry(std::move(registry)));
  have_registry_ = true;
  Targets targets;
  std::vector<ConnectionPtr> connections;
  connections.reserve(sessions_.size());
  for (const auto& [_, session] : sessions_) connections.push_back(session->connection);
  for (const auto& connection : connections) {
    auto& session = *find(connection);
    if (!session.stream) {
      if (!session.waiting) continue;
      const auto request = std::exchange(session.waiting, std::nullopt);
      if (auto taken = take(session, *request); !taken) {
        end(session, taken.error());
      } else {
        connection->read();
      }
      continue;
    }
    const auto peer = parse_peer(connection->peer());
    const auto workload = admit(*catalog_.registry(), *session.node, *peer);
    if (!workload) {
      end(session, workload.error());
      continue;
    }
    session.workload = *workload;
    if (session.sequencer != nullptr) {
      session.sequencer->retarget(target_of(session.workload, targets));
    }
    session.source->registry_changed(names);
    if (flush(session)) metrics_.registry_pushes.Increment();
  }
}

void Wired::scope_changed(const mesh::WorkloadId& workload) {
  const auto found = by_workload_.find(workload);
  if (found == by_workload_.end()) return;
  // The others are told of the whole mesh whatever they use.
  const auto mode = catalog_.registry()->lazy_mode(*found->second.front()->workload);
  if (mode != mesh::LazyMode::kEnabled) return;
  const auto target = target_of(found->second.front()->workload);
  for (auto* session : found->second) {
    session->sequencer->retarget(target);
    if (flush(*session)) metrics_.scope_pushes.Increment();
  }
}

std::vector<ClientStatus> Wired::clients() const {
  std::vector<ClientStatus> result;
  result.reserve(sessions_.size());
  for (const auto& [_, session] : sessions_) {
    ClientStatus status;
    if (session->node) status.node_id = session->node->id;
    status.peer = session->connection->peer();
    status.delta = session->connection->variant() == Variant::kDelta;
    status.connected = session->connected;
    if (session->workload) status.workload = session->workload->id;
    if (session->sequencer != nullptr) {
      status.mode = session->sequencer->target().frame->mode;
      status.pending = session->sequencer->pending();
    }
    for (const auto type : sidecar::kResourceTypes) {
      if (!session->stream || !session->stream->subscription(type).asked()) continue;
      const auto& counts = session->stream->counts(type);
      auto& of_type = status.types[std::string(short_name(type))];
      of_type.sent = session->stream->subscription(type).held();
      if (counts.acked_version != 0) of_type.version = sidecar::version_text(counts.acked_version);
      of_type.responses = counts.responses;
      of_type.acks = counts.acks;
      of_type.nacks = counts.nacks;
      of_type.last_nack = counts.last_nack;
      if (of_type.last_nack.empty() && session->sequencer != nullptr) {
        of_type.last_nack = session->sequencer->refusal(type);
      }
    }
    result.push_back(std::move(status));
  }
  return result;
}

}  // namespace

std::unique_ptr<Publisher> Publisher::make(boost::asio::io_context& control, const Clock& clock,
                                           ScopeOf scope_of, prometheus::Registry& metrics,
                                           Options options) {
  return std::make_unique<Wired>(control, clock, std::move(scope_of), metrics, options);
}

}  // namespace lazymesh::publish::xds
