#include <array>

#include "sidecar/configuration.h"

namespace lazymesh::sidecar {

std::string node_id(const mesh::Workload& workload, std::string_view cluster_domain) {
  const auto address = workload.addresses.empty() ? IpAddress{} : workload.addresses.front();
  const auto& [ns, name] = workload.id;
  std::string id = "sidecar~" + address.to_string() + "~" + name + "." + ns + "~" + ns + ".svc.";
  return id.append(cluster_domain);
}

Result<mesh::WorkloadId> parse_node_id(std::string_view node_id) {
  const auto invalid = [node_id] {
    return fail(Code::kInvalidArgument,
                "node id '" + std::string(node_id) +
                    "' is not sidecar~ADDRESS~WORKLOAD.NAMESPACE~NAMESPACE.svc.DOMAIN; use the "
                    "bootstrap that lazymeshctl prints",
                Origin::kDownstream);
  };
  std::array<std::string_view, 4> parts;
  std::string_view rest = node_id;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto end = rest.find('~');
    if ((end == std::string_view::npos) != (i + 1 == parts.size())) return invalid();
    parts[i] = rest.substr(0, end);
    rest.remove_prefix(i + 1 == parts.size() ? rest.size() : end + 1);
  }
  const auto& [type, address, name, domain] = parts;
  const auto dot = name.rfind('.');  // a namespace has no dot, a workload may
  if (type != "sidecar" || dot == std::string_view::npos || dot == 0) return invalid();
  const auto ns = name.substr(dot + 1);
  if (ns.empty() || !domain.starts_with(std::string(ns) + ".")) return invalid();
  return mesh::WorkloadId{std::string(ns), std::string(name.substr(0, dot))};
}

}  // namespace lazymesh::sidecar
