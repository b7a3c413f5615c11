#include "test/lazy-controller/publish/exchange.h"

#include <stdexcept>

namespace lazymesh::publish::xds::test {
namespace {

constexpr std::chrono::milliseconds kDeadline{2000};
constexpr std::chrono::milliseconds kEndpointsTimeout{1000};

}  // namespace

Exchange::Exchange(Variant variant)
    : envoy(variant), variant_(variant), server_(std::make_unique<Server>()) {
  world.workload("web", "10.1.0.2");
}

Target Exchange::target() {
  auto& catalog = server_->catalog;
  auto workload = catalog.registry()->find_workload(mesh::WorkloadId{"shop", "web"});
  auto frame = catalog.frame(workload);
  if (frame->mode != mesh::LazyMode::kEnabled) {
    return {std::move(frame), catalog.visible_from("shop")};
  }
  // Where the routes of a service in scope lead is in scope.
  auto names = scope;
  for (const auto& service : world.services(scope)) {
    for (const auto& host : service->route_hosts) names.push_back(host.substr(0, host.find('.')));
  }
  return {std::move(frame), catalog.items(world.services(names))};
}

void Exchange::open() {
  auto& server = *server_;
  server.responses.clear();
  server.stream.reset();
  server.sequencer =
      std::make_unique<Sequencer>(server.catalog, variant_, kDeadline, clock.steady(), target());
  server.stream =
      std::make_unique<Stream>(variant_, server.names, *server.sequencer, Subscription::Limits{});
  envoy.connect();
}

void Exchange::registry_changed() {
  const auto changes = server_->catalog.set_registry(world.registry());
  if (!server_->stream) return open();
  std::vector<Name> names;
  for (const auto& [before, after] : changes) {
    for (const auto& service : {before, after}) {
      if (!service) continue;
      for (const auto& port : service->ports) {
        auto name = server_->names.find(mesh::cluster_name(service->host, port.number));
        if (name) names.push_back(std::move(name));
      }
    }
  }
  server_->sequencer->retarget(target());
  server_->sequencer->registry_changed(names);
}

void Exchange::scope_changed() { server_->sequencer->retarget(target()); }

void Exchange::reconnect(bool restarted) {
  if (restarted) {
    server_ = std::make_unique<Server>();
    server_->catalog.set_registry(world.registry());
  }
  open();
}

bool Exchange::server_receives() {
  if (envoy.outbox().empty()) return false;
  const auto request = std::move(envoy.outbox().front());
  envoy.outbox().pop_front();
  if (auto heard = server_->stream->on_request(clock.steady(), request); !heard) {
    throw std::runtime_error(heard.error().message);
  }
  return true;
}

bool Exchange::server_sends() {
  auto response = server_->stream->next(clock.steady());
  if (!response) return false;
  sent_.push_back(response->type);
  server_->responses.push_back(std::move(*response));
  return true;
}

bool Exchange::client_receives() {
  if (server_->responses.empty()) return false;
  envoy.receive(server_->responses.front());
  server_->responses.pop_front();
  check();
  return true;
}

void Exchange::run() {
  while (server_receives() || server_sends() || client_receives()) {
  }
}

void Exchange::wait(std::chrono::milliseconds time) {
  clock.advance(time);
  envoy.finish_checks();
  if (time >= kEndpointsTimeout) envoy.time_out();
  const auto deadline = server_->sequencer->deadline();
  if (deadline && *deadline <= clock.steady()) server_->sequencer->tick(clock.steady());
  check();
}

void Exchange::check() {
  if (contradiction_.empty()) contradiction_ = envoy.contradiction();
  const auto routes = envoy.routes();
  if (routes.find("block_all") == std::string::npos) return;
  for (const auto& name : served) {
    const bool refused = routes.find(World::host(name)) == std::string::npos;
    if (refused && contradiction_.empty()) contradiction_ = "requests to " + name + " are refused";
  }
}

std::set<std::string> Exchange::expected_clusters() const {
  std::set<std::string> names;
  const auto& target = server_->sequencer->target();
  for (const auto& entry : target.frame->base) names.insert(std::string(entry->name.text()));
  for (const auto& item : target.services->list()) {
    for (const auto& port : item->ports()) {
      const std::string name(port.name.text());
      if (!envoy.refuses.contains(name)) names.insert(name);
    }
  }
  return names;
}

std::string Exchange::expected_routes() const {
  const auto& target = server_->sequencer->target();
  std::vector<ItemPtr> routable;
  for (const auto& item : target.services->list()) {
    const bool good = std::none_of(
        item->ports().begin(), item->ports().end(),
        [this](const auto& port) { return envoy.refuses.contains(std::string(port.name.text())); });
    if (good) routable.push_back(item);
  }
  return std::string(
      server_->catalog.routes(*target.frame, *server_->catalog.items(std::move(routable)))
          ->message());
}

}  // namespace lazymesh::publish::xds::test
