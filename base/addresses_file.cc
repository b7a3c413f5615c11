#include "base/addresses_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include <boost/json.hpp>

namespace lazymesh {

Result<void> write_addresses_file(
    const std::string& path, const std::vector<std::pair<std::string, SocketAddress>>& addresses) {
  boost::json::object object;
  for (const auto& [name, address] : addresses) object[name] = address.to_string();
  const std::string temporary = path + ".tmp";
  std::ofstream file(temporary, std::ios::trunc);
  file << boost::json::serialize(object) << '\n';
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    return fail(Code::kUnavailable,
                "--addresses-file " + path + " cannot be written: " + std::strerror(errno));
  }
  return {};
}

}  // namespace lazymesh
