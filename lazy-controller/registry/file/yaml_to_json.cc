#include "lazy-controller/registry/file/yaml_to_json.h"

#include <set>

namespace lazymesh::registry {
namespace {

void append_text(std::string& json, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  json += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (byte < 0x20) {
      json.append("\\u00");
      json += kHex[byte >> 4];
      json += kHex[byte & 0xf];
    } else {
      json += c;
    }
  }
  json += '"';
}

// A number as RFC 8259, 6 spells it.
bool is_number(std::string_view text) {
  const auto skip_digits = [&text] {
    const auto end = text.find_first_not_of("0123456789");
    const auto count = end == std::string_view::npos ? text.size() : end;
    text.remove_prefix(count);
    return count;
  };
  if (text.starts_with('-')) text.remove_prefix(1);
  const bool zero = text.starts_with('0');
  const auto digits = skip_digits();
  if (digits == 0 || (zero && digits > 1)) return false;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (skip_digits() == 0) return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (skip_digits() == 0) return false;
  }
  return text.empty();
}

// No deeper than a Part is.
void append(std::string& json, const Value& value, Problems& problems) {
  const auto text = value.text();
  switch (value.kind()) {
    case Part::Kind::kNull:
      json += "null";
      return;
    case Part::Kind::kPlain:
      if (text == "true" || text == "false" || is_number(text)) {
        json += text;
        return;
      }
      [[fallthrough]];
    case Part::Kind::kQuoted:
      append_text(json, text);
      return;
    case Part::Kind::kList: {
      char before = '[';
      for (const Value element : value.elements()) {
        json += before;
        before = ',';
        append(json, element, problems);
      }
      json += before == '[' ? "[]" : "]";
      return;
    }
    case Part::Kind::kMapping: {
      std::set<std::string_view> keys;
      char before = '{';
      for (const auto& [key, entry] : value.entries()) {
        if (!keys.insert(key.text()).second) problems.add(key, "is there twice");
        json += before;
        before = ',';
        append_text(json, key.text());
        json += ':';
        append(json, entry, problems);
      }
      json += before == '{' ? "{}" : "}";
      return;
    }
  }
}

}  // namespace

std::string to_json(const Value& value, Problems& problems) {
  std::string json;
  append(json, value, problems);
  return json;
}

}  // namespace lazymesh::registry
