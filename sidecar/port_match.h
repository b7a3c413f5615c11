#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace envoy::config::route::v3 {
class RouteMatch;
}

namespace lazymesh::sidecar {

/// The filter state in which a connection remembers the port that its application meant: the
/// original destination's, or the bound listener's.
inline constexpr std::string_view kPortKey = "lazymesh.port";

/// Let a route apply to these ports only, beside whatever else it matches. At least one port.
void add_port_match(std::span<const std::uint16_t> ports,
                    envoy::config::route::v3::RouteMatch& match);

}  // namespace lazymesh::sidecar
