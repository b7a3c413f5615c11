#pragma once

#include <string>

#include "lazy-controller/registry/file/yaml_stream.h"

namespace lazymesh::registry {

/// The same value as JSON. Scalars without quotes that JSON would read as null, a boolean or a
/// number are that, everything else is text; a key that is in a mapping twice is a problem.
std::string to_json(const Value& value, Problems& problems);

}  // namespace lazymesh::registry
