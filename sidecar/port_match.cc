#include "sidecar/port_match.h"

#include <string>

#include "envoy/config/route/v3/route_components.pb.h"

namespace lazymesh::sidecar {

void add_port_match(std::span<const std::uint16_t> ports,
                    envoy::config::route::v3::RouteMatch& match) {
  auto& state = *match.add_filter_state();
  state.set_key(std::string(kPortKey));
  if (ports.size() == 1) {
    state.mutable_string_match()->set_exact(std::to_string(ports.front()));
    return;
  }
  std::string pattern;  // matched against the whole value
  for (const auto port : ports) {
    pattern.append(pattern.empty() ? "" : "|").append(std::to_string(port));
  }
  state.mutable_string_match()->mutable_safe_regex()->set_regex(pattern);
}

}  // namespace lazymesh::sidecar
