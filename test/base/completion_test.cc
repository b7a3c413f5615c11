#include "base/completion.h"

#include <stdexcept>

#include <gtest/gtest.h>

namespace lazymesh {
namespace {

TEST(Completion, CountsWhatEscapes) {
  const auto before = escaped_exceptions();
  const auto handler = completion("test: coroutine");
  handler(nullptr);
  EXPECT_EQ(escaped_exceptions(), before);
  handler(std::make_exception_ptr(std::runtime_error("boom")));
  handler(std::make_exception_ptr(7));
  EXPECT_EQ(escaped_exceptions(), before + 2);
}

}  // namespace
}  // namespace lazymesh
