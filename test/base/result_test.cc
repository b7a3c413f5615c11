#include "base/result.h"

#include <gtest/gtest.h>

namespace lazymesh {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return fail(Code::kInvalidArgument, "odd", Origin::kDownstream);
  return number / 2;
}

TEST(Result, HoldsAValueOrAnError) {
  EXPECT_EQ(*half(4), 2);
  const auto failed = half(3);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kInvalidArgument);
  EXPECT_EQ(failed.error().message, "odd");
  EXPECT_EQ(failed.error().origin, Origin::kDownstream);
  EXPECT_EQ(failed.error().retry, Retry::kNever);
}

TEST(Error, WithinNamesThePlace) {
  auto failed = half(3);
  EXPECT_EQ(std::move(failed).error().within("halving").message, "halving: odd");
}

TEST(Error, CodesAndOriginsHaveNames) {
  EXPECT_EQ(to_string(Code::kNotFound), "not_found");
  EXPECT_EQ(to_string(Code::kResourceExhausted), "resource_exhausted");
  EXPECT_EQ(to_string(Origin::kControlPlane), "control_plane");
}

}  // namespace
}  // namespace lazymesh
