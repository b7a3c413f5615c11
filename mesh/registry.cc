#include "mesh/registry.h"

#include <algorithm>
#include <utility>

namespace lazymesh::mesh {
namespace {

constexpr std::string_view kSvc = ".svc.";

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// NAME and NAMESPACE of a host of the form `NAME.NAMESPACE.svc.DOMAIN`; empty where it is of
// another form.
struct HostParts {
  std::string_view name;
  std::string_view namespace_;
};

HostParts parts_of(std::string_view host, std::string_view domain) {
  if (!host.ends_with(domain)) return {};
  host.remove_suffix(domain.size());
  if (!host.ends_with(kSvc)) return {};
  host.remove_suffix(kSvc.size());
  const auto dot = host.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot + 1 == host.size()) return {};
  if (host.find('.', dot + 1) != std::string_view::npos) return {};
  return {host.substr(0, dot), host.substr(dot + 1)};
}

std::string full_name(std::string_view name, std::string_view namespace_, std::string_view domain) {
  std::string host;
  host.reserve(name.size() + 1 + namespace_.size() + kSvc.size() + domain.size());
  host.append(name).append(".").append(namespace_).append(kSvc).append(domain);
  return host;
}

template <class Items, class Key>
void sort_by(Items& items, Key key) {
  std::stable_sort(items.begin(), items.end(),
                   [&](const auto& a, const auto& b) { return key(a) < key(b); });
}

tl::unexpected<Error> invalid(std::string message) {
  return fail(Code::kInvalidArgument, std::move(message));
}

Result<void> check_label(const Labels& labels) {
  const auto label = labels.find(kLazyLabel);
  if (label == labels.end()) return {};
  auto mode = parse_lazy_mode(label->second);
  if (!mode) return tl::unexpected(std::move(mode).error());
  return {};
}

std::optional<LazyMode> labelled_mode(const Labels& labels) {
  const auto label = labels.find(kLazyLabel);
  if (label == labels.end()) return std::nullopt;
  const auto mode = parse_lazy_mode(label->second);  // checked by index()
  return mode ? std::optional(*mode) : std::nullopt;
}

}  // namespace

bool MeshSettings::is_egress(const IpAddress& peer) const {
  if (trust_bound_addresses && peer.is_loopback()) return true;
  if (!reporters.empty()) {
    return std::find(reporters.begin(), reporters.end(), peer) != reporters.end();
  }
  return std::any_of(egress.begin(), egress.end(),
                     [&](const SocketAddress& address) { return address.ip == peer; });
}

Result<std::shared_ptr<const Registry>> Registry::build(RegistryContent content, Culprit* culprit) {
  sort_by(content.services, [](const auto& s) -> const auto& { return s->host; });
  sort_by(content.workloads, [](const auto& w) -> const auto& { return w->id; });
  sort_by(content.namespaces, [](const auto& n) -> const auto& { return n.name; });
  const std::shared_ptr<Registry> registry(new Registry(std::move(content)));
  Culprit ignored;
  if (auto indexed = registry->index(culprit != nullptr ? *culprit : ignored); !indexed) {
    return tl::unexpected(std::move(indexed).error());
  }
  return registry;
}

std::shared_ptr<const Registry> Registry::empty() { return *build({}); }

Result<void> Registry::index(Culprit& culprit) {
  const auto& [settings, namespaces, services, workloads] = content_;
  if (auto indexed = index_namespaces(culprit); !indexed) return indexed;

  std::size_t vips = 0;
  std::size_t endpoints = 0;
  for (const auto& service : services) {
    vips += service->vips.size();
    endpoints += service->endpoints.size();
  }
  by_host_.reserve(services.size());
  by_vip_.reserve(vips);
  by_endpoint_.reserve(endpoints);
  for (Index i = 0; i < services.size(); ++i) {
    if (auto indexed = index_service(i); !indexed) {
      culprit = services[i];
      return tl::unexpected(std::move(indexed).error().within("service " + services[i]->host));
    }
  }
  for (const auto& service : services) {
    if (auto checked = check_names(*service); !checked) {
      culprit = service;
      return tl::unexpected(std::move(checked).error().within("service " + service->host));
    }
  }

  by_address_.reserve(workloads.size());
  for (Index i = 0; i < workloads.size(); ++i) {
    if (auto indexed = index_workload(i); !indexed) {
      culprit = workloads[i];
      return tl::unexpected(
          std::move(indexed).error().within("workload " + workloads[i]->id.to_string()));
    }
  }
  return {};
}

Result<void> Registry::index_namespaces(Culprit& culprit) {
  const Namespace* before = nullptr;
  for (const auto& ns : content_.namespaces) {
    culprit = ns.name;
    if (before != nullptr && before->name == ns.name) {
      return invalid("namespace " + ns.name + " is there twice");
    }
    before = &ns;
    if (auto checked = check_label(ns.labels); !checked) {
      return tl::unexpected(std::move(checked).error().within("namespace " + ns.name));
    }
  }
  culprit = std::monostate();
  return {};
}

Result<void> Registry::index_service(Index number) {
  const Service& service = *content_.services[number];
  if (find_namespace(service.namespace_) == nullptr) {
    return invalid("there is no namespace '" + service.namespace_ + "'");
  }
  if (!by_host_.emplace(service.host, number).second) return invalid("it is there twice");
  for (const auto& port : service.ports) {
    if (service.find_port(port.number) != &port) {
      return invalid("port " + std::to_string(port.number) + " is there twice");
    }
  }
  for (const auto& vip : service.vips) {
    const auto [other, added] = by_vip_.emplace(vip, number);
    if (!added) {
      return invalid(vip.to_string() + " is already an address of service " +
                     content_.services[other->second]->host);
    }
  }
  return index_endpoints(number);
}

Result<void> Registry::index_endpoints(Index number) {
  const Service& service = *content_.services[number];
  for (Index i = 0; i < service.endpoints.size(); ++i) {
    const Endpoint& endpoint = service.endpoints[i];
    if (service.find_port(endpoint.service_port) == nullptr) {
      return invalid("endpoint " + endpoint.address.to_string() + " serves port " +
                     std::to_string(endpoint.service_port) + ", which the service lacks");
    }
    // Two services may select the same pods: the first by name stands for the address.
    const auto [first, added] = by_endpoint_.emplace(endpoint.address, std::pair{number, i});
    if (added || first->second.first != number) continue;
    // One address may serve several ports, each once.
    const auto begin = service.endpoints.begin() + first->second.second;
    const auto twice = std::any_of(begin, service.endpoints.begin() + i, [&](const auto& other) {
      return other.address == endpoint.address && other.service_port == endpoint.service_port;
    });
    if (twice) {
      return invalid("endpoint " + endpoint.address.to_string() + " of port " +
                     std::to_string(endpoint.service_port) + " is there twice");
    }
  }
  return {};
}

// A name of up to three labels may be another service's shorter name, and an address its VIP.
Result<void> Registry::check_names(const Service& service) const {
  const std::string& host = service.host;
  const std::string& domain = content_.settings.cluster_domain;
  if (const auto parts = parts_of(host, domain); !parts.name.empty()) {
    if (parts.namespace_ == service.namespace_) return {};
    return invalid("its name says namespace '" + std::string(parts.namespace_) +
                   "', but it is in '" + service.namespace_ + "'");
  }
  if (IpAddress::parse(host)) return invalid("an address is no name; write it under vips");

  const auto clash = [&](std::string_view name, std::string_view ns) -> Result<void> {
    const auto other = find_service(full_name(name, ns, domain));
    if (other == nullptr) return {};
    return invalid("callers in namespace '" + std::string(ns) + "' mean service " + other->host +
                   " by this name");
  };
  const auto dot = host.find('.');
  if (dot == std::string::npos) {
    for (const auto& ns : content_.namespaces) {
      if (auto checked = clash(host, ns.name); !checked) return checked;
    }
    return {};
  }
  std::string_view rest = std::string_view(host).substr(dot + 1);
  if (rest.ends_with(".svc")) rest.remove_suffix(4);
  if (rest.find('.') != std::string_view::npos) return {};
  return clash(std::string_view(host).substr(0, dot), rest);
}

Result<void> Registry::index_workload(Index number) {
  const auto& workloads = content_.workloads;
  const Workload& workload = *workloads[number];
  if (find_namespace(workload.id.namespace_) == nullptr) {
    return invalid("there is no namespace '" + workload.id.namespace_ + "'");
  }
  if (number > 0 && workloads[number - 1]->id == workload.id) return invalid("it is there twice");
  if (auto checked = check_label(workload.labels); !checked) return checked;
  const auto& egress = content_.settings.egress;
  const auto& reporters = content_.settings.reporters;
  for (const auto& address : workload.addresses) {
    // Whoever has such an address may report for any workload.
    const bool is_egress = std::any_of(egress.begin(), egress.end(),
                                       [&](const auto& each) { return each.ip == address; });
    if (is_egress || std::find(reporters.begin(), reporters.end(), address) != reporters.end()) {
      return invalid(address.to_string() + " is an address of settings." +
                     (is_egress ? "egress" : "reporters"));
    }
    const auto [other, added] = by_address_.emplace(address, number);
    if (!added) {
      return invalid(address.to_string() + " is already an address of workload " +
                     workloads[other->second]->id.to_string());
    }
  }
  return {};
}

const Namespace* Registry::find_namespace(std::string_view name) const {
  const auto& all = content_.namespaces;
  const auto found =
      std::lower_bound(all.begin(), all.end(), name,
                       [](const Namespace& ns, std::string_view key) { return ns.name < key; });
  return found == all.end() || found->name != name ? nullptr : &*found;
}

ServicePtr Registry::find_service(std::string_view host) const {
  const auto found = by_host_.find(host);
  return found == by_host_.end() ? nullptr : content_.services[found->second];
}

ServicePtr Registry::find_vip(const SocketAddress& address) const {
  const auto found = by_vip_.find(address.ip);
  if (found == by_vip_.end()) return nullptr;
  const auto& service = content_.services[found->second];
  return service->find_port(address.port) == nullptr ? nullptr : service;
}

std::optional<Registry::EndpointMatch> Registry::find_endpoint(const SocketAddress& address) const {
  const auto found = by_endpoint_.find(address);
  if (found == by_endpoint_.end()) return std::nullopt;
  const auto [number, endpoint] = found->second;
  const auto& service = content_.services[number];
  return EndpointMatch{service, &service->endpoints[endpoint]};
}

WorkloadPtr Registry::find_workload(const WorkloadId& id) const {
  const auto& all = content_.workloads;
  const auto found = std::lower_bound(
      all.begin(), all.end(), id,
      [](const WorkloadPtr& workload, const WorkloadId& key) { return workload->id < key; });
  return found == all.end() || (*found)->id != id ? nullptr : *found;
}

WorkloadPtr Registry::find_workload(const IpAddress& address) const {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? nullptr : content_.workloads[found->second];
}

ServicePtr Registry::resolve(std::string_view host, std::string_view from_namespace) const {
  const auto visible = [&](ServicePtr service) {
    return service && service->visible_from(from_namespace) ? std::move(service) : nullptr;
  };
  std::string name = lower(host);
  if (name.ends_with('.')) {  // absolute (RFC 1034, 3.1): no other name is meant
    name.pop_back();
    return visible(find_service(name));
  }
  if (auto service = find_service(name)) return visible(std::move(service));

  const bool bracketed = name.size() > 2 && name.front() == '[' && name.back() == ']';
  const auto ip = IpAddress::parse(bracketed ? name.substr(1, name.size() - 2) : name);
  if (ip) {
    const auto owner = by_vip_.find(*ip);
    return owner == by_vip_.end() ? nullptr : visible(content_.services[owner->second]);
  }
  const auto dots = std::count(name.begin(), name.end(), '.');
  const std::string& domain = content_.settings.cluster_domain;
  if (dots == 0) return visible(find_service(full_name(name, from_namespace, domain)));
  if (dots == 1) return visible(find_service(name.append(kSvc).append(domain)));
  if (dots == 2 && name.ends_with(".svc")) {
    return visible(find_service(name.append(".").append(domain)));
  }
  return nullptr;
}

LazyMode Registry::lazy_mode(const Workload& workload) const {
  if (const auto mode = labelled_mode(workload.labels)) return *mode;
  if (const Namespace* ns = find_namespace(workload.id.namespace_)) {
    if (const auto mode = labelled_mode(ns->labels)) return *mode;
  }
  return content_.settings.default_lazy;
}

std::vector<std::string> Registry::names_of(const Service& service,
                                            std::string_view from_namespace) const {
  std::vector<std::string> names;
  names.reserve(4 + service.vips.size());
  names.push_back(service.host);
  const auto parts = parts_of(service.host, content_.settings.cluster_domain);
  if (!parts.name.empty()) {
    const std::string_view host = service.host;
    const auto in_namespace = parts.name.size() + 1 + parts.namespace_.size();
    names.emplace_back(host.substr(0, in_namespace + kSvc.size() - 1));
    names.emplace_back(host.substr(0, in_namespace));
    if (parts.namespace_ == from_namespace) names.emplace_back(parts.name);
  }
  for (const auto& vip : service.vips) {
    names.push_back(vip.is_v4() ? vip.to_string() : "[" + vip.to_string() + "]");
  }
  return names;
}

}  // namespace lazymesh::mesh
