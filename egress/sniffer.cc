#include "egress/sniffer.h"

#include <algorithm>
#include <array>

#include "egress/http1/characters.h"
#include "egress/http1/message.h"

namespace lazymesh::egress {
namespace {

constexpr std::size_t kMaxMethod = 24;
constexpr std::size_t kMaxLine = 8192;
constexpr std::array<std::string_view, 9> kMethods = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"};

/// Whether `text` begins with `start`, as far as it goes, in any case.
bool begins(std::string_view text, std::string_view start) {
  const auto size = std::min(text.size(), start.size());
  return http1::equals_ignoring_case(text.substr(0, size), start.substr(0, size));
}

Sniffed sniff_known_target(std::string_view target) {
  if (target.empty()) return Sniffed::kUndecided;
  if (target.front() == '/') return Sniffed::kHttp1;
  constexpr std::array<std::string_view, 3> kStarts = {"http://", "https://", "* HTTP/1."};
  for (const auto start : kStarts) {
    if (begins(target, start)) {
      return target.size() >= start.size() ? Sniffed::kHttp1 : Sniffed::kUndecided;
    }
  }
  return Sniffed::kOther;
}

/// A line whose method is not among the known ones, or is CONNECT.
Sniffed sniff_line(std::string_view input, std::size_t method) {
  const auto rest = input.substr(method + 1);
  const auto space = rest.find(' ');
  const auto target = rest.substr(0, space);
  if (!http1::all(target, http1::kTarget)) return Sniffed::kOther;
  if (space == std::string_view::npos) {
    return input.size() < kMaxLine ? Sniffed::kUndecided : Sniffed::kOther;
  }
  const auto version = rest.substr(space + 1);
  if (target.empty() || !begins(version, "HTTP/1.")) return Sniffed::kOther;
  return version.size() >= 7 ? Sniffed::kHttp1 : Sniffed::kUndecided;
}

}  // namespace

Sniffed sniff(std::string_view input) {
  if (input.substr(0, 2) == "\r\n") input.remove_prefix(2);  // RFC 9112, 2.2
  if (input == "\r") return Sniffed::kUndecided;
  const auto space = input.find(' ');
  const auto method = input.substr(0, space);
  if (method.size() > kMaxMethod || !http1::all(method, http1::kToken)) return Sniffed::kOther;
  if (space == std::string_view::npos) return Sniffed::kUndecided;
  if (method.empty()) return Sniffed::kOther;
  const bool known = std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
  if (known && method != "CONNECT") return sniff_known_target(input.substr(space + 1));
  return sniff_line(input, space);
}

}  // namespace lazymesh::egress
