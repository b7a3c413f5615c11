#include "lazy-controller/registry/file/content.h"

#include <algorithm>
#include <utility>

namespace lazymesh::registry {
namespace {

// The same object as before where nothing changed.
template <class T>
std::shared_ptr<const T> share(const std::shared_ptr<const T>& before, T now) {
  if (before && *before == now) return before;
  return std::make_shared<const T>(std::move(now));
}

std::string remedy_for_egress(std::string_view what) {
  return std::string(what) +
         " is lazy, but settings.egress is empty; write where the egress listens "
         "(settings: {egress: [\"ADDRESS:15080\"]})";
}

}  // namespace

void Content::on_key(std::string_view key, Mark mark) {
  if (std::find(std::begin(kSections), std::end(kSections), key) != std::end(kSections)) return;
  std::string known;
  for (const auto name : kSections) known.append(known.empty() ? "" : ", ").append(name);
  problems_.add({mark, std::string(key), "unknown key; there are " + known});
}

void Content::on_value(std::string_view key, const Part& part) {
  const Value value = part.root();
  if (key != "settings") return problems_.add(value, "must be a list; [] is an empty one");
  settings_ = value.mark();
  content_.settings = read_settings(decoder_, value);
}

void Content::on_element(std::string_view key, std::size_t, const Part& part) {
  const Value value = part.root();
  if (key == "settings") {
    problems_.add(value, "settings must be a mapping");
  } else if (key == "namespaces") {
    namespace_marks_.push_back(value.mark());
    content_.namespaces.push_back(read_namespace(decoder_, value));
  } else if (key == "services") {
    add_service(value);
  } else {
    add_workload(value);
  }
}

void Content::add_service(const Value& value) {
  service_marks_.push_back(value.mark());
  auto draft = read_service(decoder_, value);
  if (problems_.any()) return;
  fill_route_hosts(draft.service, draft.targets);
  const auto before = previous_.find_service(draft.service.host);
  content_.services.push_back(share(before, std::move(draft.service)));
  if (!draft.targets.empty()) {
    targets_.push_back({content_.services.back(), std::move(draft.targets)});
  }
}

void Content::add_workload(const Value& value) {
  workload_marks_.push_back(value.mark());
  auto workload = read_workload(decoder_, value);
  const auto before = previous_.find_workload(workload.id);
  content_.workloads.push_back(share(before, std::move(workload)));
}

void Content::fill_route_hosts(mesh::Service& service, const std::vector<RouteTarget>& targets) {
  auto& hosts = service.route_hosts;
  for (const auto& target : targets) {
    const auto host = mesh::parse_cluster_name(target.cluster).host;
    if (!host.empty() && host != service.host) hosts.emplace_back(host);
  }
  std::sort(hosts.begin(), hosts.end());
  hosts.erase(std::unique(hosts.begin(), hosts.end()), hosts.end());
  hosts.shrink_to_fit();
}

std::shared_ptr<const mesh::Registry> Content::finish() {
  if (problems_.any()) return nullptr;
  mesh::Culprit culprit;
  // A copy of pointers: where each was written is known by its place in the file.
  const auto built = mesh::Registry::build(content_, &culprit);
  if (!built) {
    refuse(culprit, built.error().message);
    return nullptr;
  }
  check_lazy(**built);
  check_shape(**built);
  check_targets(**built);
  return problems_.any() ? nullptr : *built;
}

// Of several that are meant, the last one is at fault.
template <class Items, class Is>
void Content::refuse_last(std::string_view section, const Items& items,
                          const std::vector<Mark>& marks, std::string reason, Is is) {
  for (auto i = items.size(); i-- > 0;) {
    if (!is(items[i])) continue;
    return problems_.add(
        {marks[i], std::string(section) + "[" + std::to_string(i) + "]", std::move(reason)});
  }
}

void Content::refuse(const mesh::Culprit& culprit, std::string reason) {
  if (const auto* name = std::get_if<std::string>(&culprit)) {
    refuse_last("namespaces", content_.namespaces, namespace_marks_, std::move(reason),
                [&](const auto& ns) { return ns.name == *name; });
  } else if (const auto* service = std::get_if<mesh::ServicePtr>(&culprit)) {
    refuse_last("services", content_.services, service_marks_, std::move(reason),
                [&](const auto& each) { return each == *service; });
  } else if (const auto* workload = std::get_if<mesh::WorkloadPtr>(&culprit)) {
    refuse_last("workloads", content_.workloads, workload_marks_, std::move(reason),
                [&](const auto& each) { return each == *workload; });
  } else {
    problems_.add({{}, {}, std::move(reason)});
  }
}

void Content::check_lazy(const mesh::Registry& registry) {
  const auto& settings = content_.settings;
  if (!settings.egress.empty()) return;
  if (settings.default_lazy == mesh::LazyMode::kEnabled) {
    problems_.add({settings_, "settings.lazy", remedy_for_egress("the mesh")});
  }
  for (const auto& ns : content_.namespaces) {
    const auto label = ns.labels.find(mesh::kLazyLabel);
    if (label == ns.labels.end() || label->second != to_string(mesh::LazyMode::kEnabled)) continue;
    refuse(ns.name, remedy_for_egress("namespace " + ns.name));
  }
  for (const auto& workload : content_.workloads) {
    if (registry.lazy_mode(*workload) != mesh::LazyMode::kEnabled) continue;
    refuse(workload, remedy_for_egress("workload " + workload->id.to_string()));
  }
}

void Content::check_shape(const mesh::Registry& registry) {
  const bool bound = registry.settings().shape == mesh::SidecarShape::kBound;
  for (const auto& workload : content_.workloads) {
    const auto& addresses = workload->addresses;
    const std::string what = "workload " + workload->id.to_string();
    const bool any_loopback = std::any_of(addresses.begin(), addresses.end(),
                                          [](const auto& each) { return each.is_loopback(); });
    if (!bound && any_loopback) {
      refuse(workload, what + ": a loopback address is for settings.shape: bound");
    }
    if (!bound) continue;
    if (addresses.size() != 1 || !addresses[0].is_v4() || !addresses[0].is_loopback()) {
      refuse(workload, what + ": settings.shape: bound needs exactly one address, in 127.0.0.0/8");
    }
  }
}

std::string Content::target_problem(const mesh::Registry& registry, const mesh::Service& service,
                                    const std::string& cluster) const {
  const auto name = mesh::parse_cluster_name(cluster);
  if (name.host.empty()) {
    return "'" + cluster + "' is not a cluster's name (outbound|PORT||HOST of a service)";
  }
  if (!name.subset.empty()) {
    return "subsets are not supported; make '" + std::string(name.subset) +
           "' a service of its own";
  }
  const auto target = registry.find_service(name.host);
  if (!target) return "there is no service " + std::string(name.host);
  if (target->find_port(name.port) == nullptr) {
    return "service " + target->host + " has no port " + std::to_string(name.port);
  }
  for (const auto& ns : registry.namespaces()) {
    if (service.visible_from(ns.name) && !target->visible_from(ns.name)) {
      return "service " + target->host + " is not visible from namespace " + ns.name +
             ", where these routes are used; widen its exportTo";
    }
  }
  return {};
}

void Content::check_targets(const mesh::Registry& registry) {
  for (const auto& [service, targets] : targets_) {
    for (const auto& target : targets) {
      auto reason = target_problem(registry, *service, target.cluster);
      if (!reason.empty()) problems_.add({target.mark, target.path, std::move(reason)});
    }
  }
}

}  // namespace lazymesh::registry
