#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace lazymesh::egress::http1 {

/// A request target taken apart (RFC 9112, 3.2).
struct Target {
  /// Of the absolute form, which wins over Host; nullopt for the others.
  std::optional<std::string_view> authority;
  std::string path;  ///< the origin form of an absolute target; else empty: the target as it stands
};

/// The forms that a proxy in front of servers takes: origin (`/path?query`), absolute
/// (`http://host/path`) and asterisk (`*`, of OPTIONS). Nullopt for anything else, CONNECT's
/// authority form included.
std::optional<Target> parse_target(std::string_view method, std::string_view target);

/// Bytes of a host: what DNS allows a name. What the egress holds and asks of the controller for
/// one request is bounded by it.
inline constexpr std::size_t kMaxHost = 255;

/// The host that an authority names: lower case, without port and without the brackets of an IPv6
/// literal. Nullopt if it is no `host[:port]` or longer than kMaxHost; user information is refused.
std::optional<std::string> host_of(std::string_view authority);

}  // namespace lazymesh::egress::http1
