#include "mesh/registry.h"

#include <algorithm>
#include <utility>

namespace lazymesh::mesh {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// `svc` of `svc.NAMESPACE.svc.DOMAIN`, or nothing where the host is not of that form.
std::string_view short_name(const Service& service, std::string_view domain) {
  const std::string suffix = "." + service.namespace_ + ".svc." + std::string(domain);
  const std::string_view host = service.host;
  if (!host.ends_with(suffix)) return {};
  return host.substr(0, host.size() - suffix.size());
}

template <class Items, class Key>
void sort_by(Items& items, Key key) {
  std::sort(items.begin(), items.end(),
            [&](const auto& a, const auto& b) { return key(a) < key(b); });
}

}  // namespace

bool MeshSettings::is_egress(const IpAddress& peer) const {
  if (trust_bound_addresses && peer.is_loopback()) return true;
  if (!reporters.empty())
    return std::find(reporters.begin(), reporters.end(), peer) != reporters.end();
  return std::any_of(egress.begin(), egress.end(),
                     [&](const SocketAddress& address) { return address.ip == peer; });
}

Result<std::shared_ptr<const Registry>> Registry::build(RegistryContent content) {
  sort_by(content.services, [](const auto& s) -> const auto& { return s->host; });
  sort_by(content.workloads, [](const auto& w) -> const auto& { return w->id; });
  sort_by(content.namespaces, [](const auto& n) -> const auto& { return n.name; });
  const std::shared_ptr<Registry> registry(new Registry(std::move(content)));
  if (auto indexed = registry->index(); !indexed) return tl::unexpected(indexed.error());
  return registry;
}

std::shared_ptr<const Registry> Registry::empty() { return *build({}); }

Result<void> Registry::index() {
  const auto invalid = [](std::string message) {
    return fail(Code::kInvalidArgument, std::move(message));
  };
  std::set<std::string_view> names;
  for (const auto& ns : content_.namespaces) {
    if (!names.insert(ns.name).second) return invalid("namespace " + ns.name + " is there twice");
    if (const auto label = ns.labels.find(kLazyLabel); label != ns.labels.end()) {
      if (auto mode = parse_lazy_mode(label->second); !mode) {
        return tl::unexpected(std::move(mode).error().within("namespace " + ns.name));
      }
    }
  }
  by_host_.reserve(content_.services.size());
  for (const auto& service : content_.services) {
    const std::string what = "service " + service->host;
    if (!names.contains(service->namespace_)) {
      return invalid(what + ": there is no namespace '" + service->namespace_ + "'");
    }
    if (!by_host_.emplace(service->host, service).second) return invalid(what + " is there twice");
    for (const auto& port : service->ports) {
      if (service->find_port(port.number) != &port) {
        return invalid(what + ": port " + std::to_string(port.number) + " is there twice");
      }
    }
    for (const auto& vip : service->vips) {
      const auto [other, added] = by_vip_.emplace(vip, service.get());
      if (!added) {
        return invalid(what + ": " + vip.to_string() + " is already an address of service " +
                       other->second->host);
      }
    }
    for (const auto& endpoint : service->endpoints) {
      if (service->find_port(endpoint.service_port) == nullptr) {
        return invalid(what + ": endpoint " + endpoint.address.to_string() + " serves port " +
                       std::to_string(endpoint.service_port) + ", which the service lacks");
      }
      // Two services may select the same pods: the first by name stands for the address.
      by_endpoint_.emplace(endpoint.address, std::pair{service.get(), &endpoint});
    }
  }
  for (const auto& workload : content_.workloads) {
    const std::string what = "workload " + workload->id.to_string();
    if (!names.contains(workload->id.namespace_)) {
      return invalid(what + ": there is no namespace '" + workload->id.namespace_ + "'");
    }
    if (!by_workload_.emplace(workload->id, workload).second) {
      return invalid(what + " is there twice");
    }
    if (const auto label = workload->labels.find(kLazyLabel); label != workload->labels.end()) {
      if (auto mode = parse_lazy_mode(label->second); !mode) {
        return tl::unexpected(std::move(mode).error().within(what));
      }
    }
    for (const auto& address : workload->addresses) {
      const auto [other, added] = by_address_.emplace(address, workload.get());
      if (!added) {
        return invalid(what + ": " + address.to_string() + " is already an address of workload " +
                       other->second->id.to_string());
      }
    }
  }
  return {};
}

ServicePtr Registry::find_service(std::string_view host) const {
  const auto found = by_host_.find(host);
  return found == by_host_.end() ? nullptr : found->second;
}

ServicePtr Registry::find_vip(const SocketAddress& address) const {
  const auto found = by_vip_.find(address.ip);
  if (found == by_vip_.end() || found->second->find_port(address.port) == nullptr) return nullptr;
  return find_service(found->second->host);
}

std::optional<Registry::EndpointMatch> Registry::find_endpoint(const SocketAddress& address) const {
  const auto found = by_endpoint_.find(address);
  if (found == by_endpoint_.end()) return std::nullopt;
  return EndpointMatch{find_service(found->second.first->host), found->second.second};
}

WorkloadPtr Registry::find_workload(const WorkloadId& id) const {
  const auto found = by_workload_.find(id);
  return found == by_workload_.end() ? nullptr : found->second;
}

WorkloadPtr Registry::find_workload(const IpAddress& address) const {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? nullptr : find_workload(found->second->id);
}

ServicePtr Registry::resolve(std::string_view host, std::string_view from_namespace) const {
  std::string name = lower(host);
  if (name.ends_with('.')) name.pop_back();
  const auto visible = [&](ServicePtr service) {
    return service && service->visible_from(from_namespace) ? std::move(service) : nullptr;
  };
  if (auto service = find_service(name)) return visible(std::move(service));
  if (const auto ip = IpAddress::parse(name)) {
    const auto owner = by_vip_.find(*ip);
    return owner == by_vip_.end() ? nullptr : visible(find_service(owner->second->host));
  }
  const auto dots = std::count(name.begin(), name.end(), '.');
  const std::string& domain = content_.settings.cluster_domain;
  if (dots == 0) name.append(".").append(from_namespace).append(".svc.").append(domain);
  if (dots == 1) name.append(".svc.").append(domain);
  if (dots == 2 && name.ends_with(".svc")) name.append(".").append(domain);
  return visible(find_service(name));
}

LazyMode Registry::lazy_mode(const Workload& workload) const {
  const auto labelled = [](const Labels& labels) -> std::optional<LazyMode> {
    const auto label = labels.find(kLazyLabel);
    if (label == labels.end()) return std::nullopt;
    const auto mode = parse_lazy_mode(label->second);  // checked by index()
    return mode ? std::optional(*mode) : std::nullopt;
  };
  if (const auto mode = labelled(workload.labels)) return *mode;
  const auto& all = content_.namespaces;
  const auto ns = std::find_if(all.begin(), all.end(), [&](const Namespace& candidate) {
    return candidate.name == workload.id.namespace_;
  });
  if (ns != all.end()) {
    if (const auto mode = labelled(ns->labels)) return *mode;
  }
  return content_.settings.default_lazy;
}

std::vector<std::string> Registry::names_of(const Service& service,
                                            std::string_view from_namespace) const {
  std::vector<std::string> names{service.host};
  const std::string_view name = short_name(service, content_.settings.cluster_domain);
  if (!name.empty()) {
    const std::string in_namespace = std::string(name) + "." + service.namespace_;
    names.push_back(in_namespace + ".svc");
    names.push_back(in_namespace);
    if (service.namespace_ == from_namespace) names.emplace_back(name);
  }
  for (const auto& vip : service.vips) names.push_back(vip.to_string());
  return names;
}

}  // namespace lazymesh::mesh
