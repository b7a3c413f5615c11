#include "egress/http1/authority.h"

#include "egress/http1/characters.h"
#include "egress/http1/message.h"

namespace lazymesh::egress::http1 {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_port(std::string_view text) {
  if (text.size() > 5) return false;
  for (const char c : text) {
    if (!is_digit(c)) return false;
  }
  return true;
}

/// Unreserved characters and percent signs of RFC 3986's reg-name; what else it allows never names
/// a service.
bool is_name_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_' || c == '~' || c == '%';
}

bool is_ipv6_character(char c) {
  return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f') || c == ':' || c == '.';
}

std::optional<std::string> bounded_lower_case(std::string_view text) {
  if (text.size() > kMaxHost) return std::nullopt;
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

std::optional<std::string> ipv6_host(std::string_view authority) {
  const auto end = authority.find(']');
  if (end == std::string_view::npos || end < 3) return std::nullopt;
  const auto rest = authority.substr(end + 1);
  if (!rest.empty() && (rest.front() != ':' || !is_port(rest.substr(1)))) return std::nullopt;
  const auto host = authority.substr(1, end - 1);
  for (const char c : host) {
    if (!is_ipv6_character(c)) return std::nullopt;
  }
  return bounded_lower_case(host);
}

}  // namespace

std::optional<Target> parse_target(std::string_view method, std::string_view target) {
  if (method == "CONNECT") return std::nullopt;
  if (target.front() == '/') return Target{};
  if (target == "*") return method == "OPTIONS" ? std::optional(Target{}) : std::nullopt;
  std::size_t scheme = 0;
  if (target.size() > 7 && equals_ignoring_case(target.substr(0, 7), "http://")) scheme = 7;
  if (target.size() > 8 && equals_ignoring_case(target.substr(0, 8), "https://")) scheme = 8;
  if (scheme == 0) return std::nullopt;
  const auto rest = target.substr(scheme);
  const auto end = rest.find_first_of("/?#");
  Target out;
  out.authority = rest.substr(0, end);
  out.path = end == std::string_view::npos ? "/" : std::string(rest.substr(end));
  if (out.path.front() != '/') out.path.insert(0, "/");
  if (method == "OPTIONS" && end == std::string_view::npos) out.path = "*";
  return out;
}

std::optional<std::string> host_of(std::string_view authority) {
  if (authority.empty()) return std::nullopt;
  if (authority.front() == '[') return ipv6_host(authority);
  const auto colon = authority.find(':');
  if (colon != std::string_view::npos && !is_port(authority.substr(colon + 1))) return std::nullopt;
  const auto host = authority.substr(0, colon);
  if (host.empty()) return std::nullopt;
  for (const char c : host) {
    if (!is_name_character(c)) return std::nullopt;
  }
  return bounded_lower_case(host);
}

}  // namespace lazymesh::egress::http1
