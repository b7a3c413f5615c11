#include "lazy-controller/publish/xds/catalog.h"

#include <algorithm>
#include <cassert>

#include <absl/hash/hash.h>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/route/v3/route.pb.h"

#include "sidecar/configuration.h"

namespace lazymesh::publish::xds {
namespace {

const mesh::Port* port_of(const mesh::Service& service, const mesh::ClusterName& name) {
  return name.subset.empty() ? service.find_port(name.port) : nullptr;
}

sidecar::Subject subject_of(const Frame& frame) {
  return {*frame.registry, *frame.workload, frame.mode};
}

// How a cluster becomes warm: ours by their endpoints; a user's may have another way.
struct Warming {
  bool by_endpoints = true;
  bool by_checks = false;
};
Warming warming_of(const mesh::Service& service, const sidecar::Resource& resource) {
  envoy::config::cluster::v3::Cluster cluster;
  if (service.cluster.empty() || !cluster.ParseFromString(resource.body)) return {};
  const bool waits =
      !cluster.has_wait_for_warm_on_init() || cluster.wait_for_warm_on_init().value();
  return {cluster.type() == envoy::config::cluster::v3::Cluster::EDS,
          waits && !cluster.health_checks().empty()};
}

std::vector<mesh::ServicePtr> services_of(const std::vector<ItemPtr>& items) {
  std::vector<mesh::ServicePtr> services;
  services.reserve(items.size());
  for (const auto& item : items) services.push_back(item->service());
  return services;
}

bool has_listeners(const mesh::Service& service) {
  return std::any_of(service.ports.begin(), service.ports.end(),
                     [](const auto& port) { return !mesh::is_http(port.protocol); });
}

// A bound sidecar listens on the ports of all services, known to it or not.
bool changes_frames(const mesh::Registry& registry, const std::vector<Catalog::Change>& changes) {
  return registry.settings().shape == mesh::SidecarShape::kBound &&
         std::any_of(changes.begin(), changes.end(), [](const auto& change) {
           return !change.before || !change.after || change.before->ports != change.after->ports ||
                  change.before->export_to != change.after->export_to;
         });
}

}  // namespace

const Item::Port* Item::find(std::uint16_t number) const {
  const auto found = std::find_if(ports_.begin(), ports_.end(),
                                  [number](const auto& port) { return port.number == number; });
  return found == ports_.end() ? nullptr : &*found;
}

const ItemPtr* Items::find(std::string_view host) const {
  const auto found = std::lower_bound(
      list_.begin(), list_.end(), host,
      [](const ItemPtr& item, std::string_view key) { return item->host() < key; });
  return found == list_.end() || (*found)->host() != host ? nullptr : &*found;
}

const Item::Port* Items::find_port(std::string_view cluster_name) const {
  const auto name = mesh::parse_cluster_name(cluster_name);
  const auto* item = name.host.empty() || !name.subset.empty() ? nullptr : find(name.host);
  return item == nullptr ? nullptr : (*item)->find(name.port);
}

bool Items::contains(const ItemPtr& item) const {
  const auto* found = find(item->host());
  return found != nullptr && *found == item;
}

const std::vector<ItemPtr>& Items::with_listeners() const {
  if (!with_listeners_) {
    with_listeners_.emplace();
    std::copy_if(list_.begin(), list_.end(), std::back_inserter(*with_listeners_),
                 [](const auto& item) { return has_listeners(*item->service()); });
  }
  return *with_listeners_;
}

Catalog::Catalog(Names& names)
    : names_(names), registry_(mesh::Registry::empty()), frame_registry_(registry_) {}

std::vector<Catalog::Change> Catalog::set_registry(std::shared_ptr<const mesh::Registry> registry) {
  const auto before = std::exchange(registry_, std::move(registry));
  visible_.clear();
  if (before->settings() != registry_->settings()) {
    // Virtual hosts depend on them.
    items_.clear();
    sets_.clear();
  }
  std::vector<Change> changes;
  auto a = before->services().begin();
  auto b = registry_->services().begin();
  const auto end_a = before->services().end();
  const auto end_b = registry_->services().end();
  while (a != end_a || b != end_b) {
    const bool only_a = b == end_b || (a != end_a && (*a)->host < (*b)->host);
    const bool only_b = !only_a && (a == end_a || (*b)->host < (*a)->host);
    if (only_a) {
      changes.push_back({*a++, nullptr});
    } else if (only_b) {
      changes.push_back({nullptr, *b++});
    } else {
      if (*a != *b) changes.push_back({*a, *b});
      ++a, ++b;
    }
  }
  if (before->settings() != registry_->settings() || changes_frames(*registry_, changes)) {
    frame_registry_ = registry_;
  }
  return changes;
}

EntryPtr Catalog::entry(const sidecar::Resource& resource, bool has_endpoints, bool is_checked) {
  const auto key = absl::HashOf(static_cast<int>(resource.type), resource.version, resource.name);
  auto found = interned_.find(key);
  if (found && found->type == resource.type && found->name.text() == resource.name &&
      found->message() == resource.body) {
    return found;
  }
  auto made = make_entry(names_, resource, has_endpoints, is_checked);
  interned_.put(key, made);
  return made;
}

ItemPtr Catalog::item(const mesh::ServicePtr& service) {
  if (auto found = items_.find(service.get())) return found;
  std::vector<Item::Port> ports;
  ports.reserve(service->ports.size());
  for (const auto& port : service->ports) {
    const auto resource = sidecar::cluster_of(*service, port);
    const auto warming = warming_of(*service, *resource);
    auto cluster = entry(*resource, warming.by_endpoints, warming.by_checks);
    auto name = cluster->name;
    ports.push_back({port.number, std::move(name), std::move(cluster),
                     entry(*sidecar::endpoints_of(*service, port))});
  }
  auto made = std::make_shared<const Item>(service, std::move(ports));
  items_.put(service.get(), made);
  return made;
}

ItemsPtr Catalog::items(const std::vector<mesh::ServicePtr>& services) {
  std::vector<ItemPtr> list;
  list.reserve(services.size());
  for (const auto& service : services) list.push_back(item(service));
  return items(std::move(list));
}

ItemsPtr Catalog::items(std::vector<ItemPtr> list) {
  assert(std::is_sorted(list.begin(), list.end(),
                        [](const auto& a, const auto& b) { return a->host() < b->host(); }));
  const auto key = absl::HashOf(list);
  if (auto found = sets_.find(key); found && found->list() == list) return found;
  auto made = std::make_shared<const Items>(std::move(list));
  sets_.put(key, made);
  return made;
}

ItemsPtr Catalog::visible_from(const std::string& from_namespace) {
  if (auto found = visible_.find(from_namespace)) return found;
  std::vector<ItemPtr> list;
  for (const auto& service : registry_->services()) {
    if (service->visible_from(from_namespace)) list.push_back(item(service));
  }
  auto made = items(std::move(list));
  visible_.put(from_namespace, made);
  return made;
}

FramePtr Catalog::frame(mesh::WorkloadPtr workload) {
  const auto mode = registry_->lazy_mode(*workload);
  const auto found = frames_.find(workload->id);
  if (found && found->registry == frame_registry_ && found->mode == mode &&
      (found->workload == workload || *found->workload == *workload)) {
    return found;
  }
  Frame frame;
  frame.registry = frame_registry_;
  frame.workload = std::move(workload);
  frame.mode = mode;
  frame.base = base_clusters(subject_of(frame));
  auto made = std::make_shared<const Frame>(std::move(frame));
  frames_.put(made->workload->id, made);
  return made;
}

std::vector<EntryPtr> Catalog::base_of_any_mode(const Frame& frame) {
  // Only the egress's depends on the mode, and only lazy sidecars have it.
  auto subject = subject_of(frame);
  if (!frame.registry->settings().egress.empty()) subject.mode = mesh::LazyMode::kEnabled;
  return base_clusters(subject);
}

std::vector<EntryPtr> Catalog::base_clusters(const sidecar::Subject& subject) {
  std::vector<EntryPtr> entries;
  for (const auto& cluster : sidecar::base_clusters(subject)) entries.push_back(entry(*cluster));
  return entries;
}

std::vector<EntryPtr> Catalog::listeners(const Frame& frame, const Items& items) {
  const auto& services = items.with_listeners();
  if (!frame.listeners_.empty() && frame.listened_ == services) return frame.listeners_;
  frame.listeners_.clear();
  for (const auto& listener : sidecar::listeners(subject_of(frame), services_of(services))) {
    frame.listeners_.push_back(entry(*listener));
  }
  frame.listened_ = services;
  return frame.listeners_;
}

EntryPtr Catalog::routes(const Frame& frame, const Items& items) {
  const auto subject = subject_of(frame);
  const auto& from_namespace = frame.workload->id.namespace_;
  const auto rest = sidecar::join_route_configuration(subject, {});
  const auto key = absl::HashOf(rest->version, from_namespace);
  if (auto found = items.routes_.find(key)) return found;

  std::vector<std::string_view> hosts;
  hosts.reserve(items.list().size());
  for (const auto& item : items.list()) {
    const auto& service = *item->service();
    // Callers of one namespace may use shorter names for its services; all others use the same.
    auto& host = item->virtual_hosts_[service.namespace_ == from_namespace];
    if (!host) {
      host = std::make_unique<const std::string>(
          sidecar::virtual_host(*registry_, service, from_namespace));
    }
    hosts.push_back(*host);
  }
  auto made = make_entry(names_, *sidecar::join_route_configuration(subject, hosts));
  items.routes_.put(key, made);
  return made;
}

std::optional<std::pair<ItemPtr, const Item::Port*>> Catalog::find(std::string_view cluster_name) {
  const auto name = mesh::parse_cluster_name(cluster_name);
  const auto service = name.host.empty() ? nullptr : registry_->find_service(name.host);
  if (!service || port_of(*service, name) == nullptr) return std::nullopt;
  auto found = item(service);
  const auto* port = found->find(name.port);
  return std::pair{std::move(found), port};
}

EntryPtr Catalog::user_routes(std::string_view cluster_name) {
  const auto name = mesh::parse_cluster_name(cluster_name);
  const auto service = name.host.empty() ? nullptr : registry_->find_service(name.host);
  const auto* port = service ? port_of(*service, name) : nullptr;
  const auto routes = port == nullptr ? nullptr : sidecar::routes_of(*service, *port);
  return routes ? entry(*routes) : nullptr;
}

EntryPtr Catalog::no_endpoints(std::string_view name) {
  envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
  assignment.set_cluster_name(std::string(name));
  return entry(*sidecar::make_resource(ResourceType::kEndpoints, std::string(name), assignment));
}

EntryPtr Catalog::no_routes(std::string_view name) {
  envoy::config::route::v3::RouteConfiguration routes;
  routes.set_name(std::string(name));
  return entry(*sidecar::make_resource(ResourceType::kRoutes, std::string(name), routes));
}

}  // namespace lazymesh::publish::xds
