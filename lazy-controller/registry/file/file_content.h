#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace lazymesh::registry {

/// All of a regular file of at most `max_bytes`; an error names the file. Blocks.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes);

}  // namespace lazymesh::registry
