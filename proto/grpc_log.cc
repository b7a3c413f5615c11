#include "proto/grpc_log.h"

#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

namespace lazymesh {

void adopt_grpc_log() {
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_INFO);
  gpr_set_log_function([](gpr_log_func_args* line) {
    const auto level =
        line->severity == GPR_LOG_SEVERITY_ERROR ? spdlog::level::warn : spdlog::level::debug;
    spdlog::log(level, "grpc: {}", line->message);
  });
}

}  // namespace lazymesh
