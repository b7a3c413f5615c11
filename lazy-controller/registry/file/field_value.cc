#include "lazy-controller/registry/file/field_value.h"

#include <algorithm>
#include <charconv>

namespace lazymesh::registry {

bool same_field(std::string_view a, std::string_view b) {
  const auto next = [](std::string_view& text) -> int {
    while (text.starts_with('_')) text.remove_prefix(1);
    if (text.empty()) return -1;
    const char c = text.front();
    text.remove_prefix(1);
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
  };
  while (true) {
    const int left = next(a);
    if (left != next(b)) return false;
    if (left == -1) return true;
  }
}

std::optional<Value> field_value(const Value& message, std::string_view field) {
  for (const auto& [key, entry] : message.entries()) {
    if (same_field(key.text(), field)) return entry;
  }
  return std::nullopt;
}

Value element_value(const Value& value, std::size_t number) {
  for (const Value element : value.elements()) {
    if (number-- == 0) return element;
  }
  for (const auto& [key, entry] : value.entries()) {
    if (number-- == 0) return entry;
  }
  return value;
}

Value descend(Value value, std::string_view path) {
  while (!path.empty()) {
    if (path.starts_with('[')) {
      const auto close = std::min(path.find(']'), path.size() - 1);
      std::size_t number = 0;
      std::from_chars(path.data() + 1, path.data() + close, number);
      value = element_value(value, number);
      path.remove_prefix(close + 1);
    } else {
      const auto end = std::min(path.find_first_of(".["), path.size());
      value = field_value(value, path.substr(0, end)).value_or(value);
      path.remove_prefix(end);
    }
    if (path.starts_with('.')) path.remove_prefix(1);
  }
  return value;
}

}  // namespace lazymesh::registry
