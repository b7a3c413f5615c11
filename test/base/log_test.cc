#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

namespace lazymesh {
namespace {

TEST(InitLogging, SetsTheLevelAndMayBeCalledAgain) {
  ASSERT_TRUE(init_logging("warning"));
  EXPECT_FALSE(spdlog::should_log(spdlog::level::info));
  ASSERT_TRUE(init_logging("debug"));
  EXPECT_TRUE(spdlog::should_log(spdlog::level::debug));
}

TEST(InitLogging, AnUnknownLevelIsRefused) {
  const auto result = init_logging("loud");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message,
            "log level 'loud' is not one of trace, debug, info, warning, error");
}

TEST(InitLogging, ALineHasTimeLevelAndText) {
  ASSERT_TRUE(init_logging("info"));
  testing::internal::CaptureStderr();
  spdlog::info("area: {}", 7);
  EXPECT_TRUE(testing::Matches(
      testing::ContainsRegex(R"(^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z info area: 7)"))(
      testing::internal::GetCapturedStderr()));
}

}  // namespace
}  // namespace lazymesh
