#pragma once

#include <string_view>

#include "base/ip.h"
#include "lazy-controller/publish/xds/messages.h"
#include "mesh/registry.h"

namespace lazymesh::publish::xds {

/// Whose stream it is: the workload of a sidecar, or null for an egress. kPermissionDenied if the
/// peer may not speak for it: a sidecar shares an address with its workload, an egress is one by
/// MeshSettings::is_egress; where bound addresses are trusted, loopback may speak for either.
/// kNotFound if the registry has no such workload. Pure.
Result<mesh::WorkloadPtr> admit(const mesh::Registry& registry, const Node& node,
                                const IpAddress& peer);

/// The address of a gRPC peer as ServerContext::peer() gives it: "ipv4:10.0.0.1:80",
/// "ipv6:%5B::1%5D:80", "unix:…" (which counts as loopback).
Result<IpAddress> parse_peer(std::string_view peer);

}  // namespace lazymesh::publish::xds
