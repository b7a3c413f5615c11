#include "base/file_limit.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

namespace lazymesh {

std::uint64_t raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const auto before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  spdlog::info("open files: at most {}, was {}; raise the hard limit (ulimit -Hn) for more",
               limit.rlim_cur, before);
  return limit.rlim_cur;
}

}  // namespace lazymesh
