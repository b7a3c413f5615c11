#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace lazymesh {

/// Tell whoever started the program where it really listens (port 0 becomes a port): one JSON
/// object of name → "address:port", written to a temporary file beside `path` and renamed, so that
/// a reader sees all or nothing. Blocks; for start-up.
Result<void> write_addresses_file(
    const std::string& path, const std::vector<std::pair<std::string, SocketAddress>>& addresses);

}  // namespace lazymesh
