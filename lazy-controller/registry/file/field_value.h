#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "lazy-controller/registry/file/part.h"

namespace lazymesh::registry {

/// `snake_case` and `camelCase` name the same field.
bool same_field(std::string_view a, std::string_view b);

/// What is written for a field of the message that `message` was read into.
std::optional<Value> field_value(const Value& message, std::string_view field);

/// Element `number` of a list; an entry's value of a mapping, since to protobuf a map is a list of
/// entries; `value` itself where there is none.
Value element_value(const Value& value, std::size_t number);

/// The value at protobuf's path `virtual_hosts[0].routes[1].match`, or as far as it leads.
Value descend(Value value, std::string_view path);

}  // namespace lazymesh::registry
