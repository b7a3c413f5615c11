#pragma once

#include <array>
#include <cstdint>
#include <string_view>

/// The character classes of RFC 9110, 5.6 as one table.
namespace lazymesh::egress::http1 {

inline constexpr std::uint8_t kToken = 1;   ///< tchar
inline constexpr std::uint8_t kValue = 2;   ///< field-vchar, obs-text, space, tab
inline constexpr std::uint8_t kTarget = 4;  ///< of a request target: visible, and obs-text as sent

inline constexpr std::array<std::uint8_t, 256> kCharacters = [] {
  std::array<std::uint8_t, 256> table{};
  constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";
  for (unsigned c = 0; c < 256; ++c) {
    const bool alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool mark = c < 128 && kTokenMarks.find(static_cast<char>(c)) != std::string_view::npos;
    std::uint8_t classes = 0;
    if (alphanumeric || mark) classes |= kToken;
    if (c == '\t' || (c >= ' ' && c != 0x7f)) classes |= kValue;
    if (c > ' ' && c != 0x7f) classes |= kTarget;
    table[c] = classes;
  }
  return table;
}();

inline bool is(char c, std::uint8_t classes) {
  return (kCharacters[static_cast<unsigned char>(c)] & classes) != 0;
}

inline bool all(std::string_view text, std::uint8_t classes) {
  for (const char c : text) {
    if (!is(c, classes)) return false;
  }
  return true;
}

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

inline std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Calls `visit` with each non-empty element of a comma-separated list.
template <class Visit>
void for_each_element(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto element = trim(list.substr(0, comma));
    if (!element.empty()) visit(element);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace lazymesh::egress::http1
