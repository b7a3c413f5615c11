#include "lazy-controller/publish/xds/admission.h"

#include <gtest/gtest.h>

#include "test/lazy-controller/publish/world.h"

namespace lazymesh::publish::xds {
namespace {

TEST(Admission, WhoAsksByNameIsAnEgressByTheMeshsSettings) {
  test::World world;
  const IpAddress egress = world.settings.egress[0].ip;
  const IpAddress reporter = IpAddress::v4({10, 0, 0, 9});
  const Node by_name{.id = "egress", .by_name = true};
  EXPECT_TRUE(admit(*world.registry(), by_name, egress));
  EXPECT_FALSE(admit(*world.registry(), by_name, reporter));
  world.settings.reporters = {reporter};
  EXPECT_TRUE(admit(*world.registry(), by_name, reporter));
  const auto replaced = admit(*world.registry(), by_name, egress);
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code, Code::kPermissionDenied);
}

}  // namespace
}  // namespace lazymesh::publish::xds
