#pragma once

#include <span>
#include <string_view>

#include "lazy-controller/registry/file/yaml_stream.h"

namespace google::protobuf {
class Message;
}

namespace lazymesh::registry {

/// Refuse a message that was read from `value` where it breaks what Envoy's API demands of its
/// fields (`validate.rules` and the like), down into every google.protobuf.Any, or where Envoy is
/// known to refuse it nevertheless (refusals.h). What Envoy refuses so, it refuses with all of the
/// response that it comes in.
void check_constraints(const google::protobuf::Message& message, const Value& value,
                       Problems& problems);

/// The kinds of rules that are checked, as "string.min_len"; on a list's elements or a map's keys
/// they are the same. A test compares them with those that Envoy's API uses.
std::span<const std::string_view> checked_rules();

}  // namespace lazymesh::registry
