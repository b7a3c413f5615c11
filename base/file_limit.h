#pragma once

#include <cstdint>

namespace lazymesh {

/// Raise the process's soft limit of open files, of which a connection takes at least one, to its
/// hard limit, and log it. The limit from here on.
std::uint64_t raise_file_limit();

}  // namespace lazymesh
