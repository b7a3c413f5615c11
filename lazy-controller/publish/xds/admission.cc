#include "lazy-controller/publish/xds/admission.h"

#include <algorithm>
#include <string>

#include "sidecar/configuration.h"

namespace lazymesh::publish::xds {
namespace {

constexpr std::size_t kShown = 200;

tl::unexpected<Error> denied(std::string message) {
  return fail(Code::kPermissionDenied, std::move(message), Origin::kDownstream);
}

}  // namespace

Result<mesh::WorkloadPtr> admit(const mesh::Registry& registry, const Node& node,
                                const IpAddress& peer) {
  const auto& settings = registry.settings();
  const bool trusted = settings.trust_bound_addresses && peer.is_loopback();
  if (node.by_name) {
    if (settings.is_egress(peer)) return nullptr;
    return denied(peer.to_string() +
                  " is no egress of this mesh; name it under settings.egress, or where there are"
                  " settings.reporters, under those");
  }
  const auto id = sidecar::parse_node_id(std::string_view(node.id).substr(0, kShown));
  if (!id) return tl::unexpected(id.error());
  auto workload = registry.find_workload(*id);
  if (!workload) {
    return fail(Code::kNotFound, "the registry has no workload " + id->to_string(),
                Origin::kDownstream);
  }
  const auto& addresses = workload->addresses;
  if (!trusted && std::find(addresses.begin(), addresses.end(), peer) == addresses.end()) {
    return denied(peer.to_string() + " is no address of workload " + id->to_string() +
                  "; only its own sidecar may ask for it");
  }
  return workload;
}

Result<IpAddress> parse_peer(std::string_view peer) {
  if (peer.starts_with("unix:")) return IpAddress::v4({127, 0, 0, 1});
  const auto colon = peer.find(':');
  if (colon != std::string_view::npos && (peer.starts_with("ipv4:") || peer.starts_with("ipv6:"))) {
    std::string address(peer.substr(colon + 1));
    // gRPC escapes the brackets of IPv6 addresses (RFC 3986, 2.1).
    for (const auto& [escaped, bracket] : {std::pair{"%5B", "["}, std::pair{"%5D", "]"}}) {
      if (const auto at = address.find(escaped); at != std::string::npos) {
        address.replace(at, 3, bracket);
      }
    }
    if (auto parsed = SocketAddress::parse(address)) return parsed->ip;
  }
  return fail(Code::kInvalidArgument,
              "peer '" + std::string(peer.substr(0, kShown)) + "' is no IP address",
              Origin::kDownstream);
}

Result<void> Places::take(const IpAddress& peer) {
  const auto refuse = [](std::size_t limit, const std::string& of_whom) {
    return fail(Code::kResourceExhausted, "the controller serves no more than " +
                                              std::to_string(limit) + " streams" + of_whom);
  };
  if (taken_ >= in_all_) return refuse(in_all_, "");
  if (!peer.is_loopback()) {
    auto& taken = taken_by_[peer];
    if (taken >= of_one_) return refuse(of_one_, " of " + peer.to_string());
    ++taken;
  }
  ++taken_;
  return {};
}

void Places::give_back(const IpAddress& peer) {
  --taken_;
  const auto found = taken_by_.find(peer);
  if (found != taken_by_.end() && --found->second == 0) taken_by_.erase(found);
}

}  // namespace lazymesh::publish::xds
