#pragma once

#include <string_view>

#include "base/result.h"

namespace lazymesh {

/// Set up spdlog's default logger for a program: one line an event on stderr, `time level message`,
/// where a message begins with its area ("xds: …"). `level` is one of trace, debug, info, warning,
/// error. Sources log with spdlog::info(…) and friends; secrets and bodies are never logged.
Result<void> init_logging(std::string_view level);

}  // namespace lazymesh
