#include "lazy-controller/learn/reporters.h"

#include <gtest/gtest.h>

#include "test/lazy-controller/learn/mesh.h"

namespace lazymesh::learn {
namespace {

using namespace test;

TEST(Reporters, AreEgressesAndWorkloadsOfTheRegistryInForce) {
  Reporters reporters;
  EXPECT_EQ(reporters.role_of(kEgress).error().code, Code::kUnavailable);
  reporters.set_registry(registry());
  EXPECT_EQ(reporters.role_of(kEgress), als::Role::kEgress);
  EXPECT_EQ(reporters.role_of(ip("10.1.0.2")), als::Role::kWorkload);
  const auto stranger = reporters.role_of(ip("10.9.9.9"));
  EXPECT_EQ(stranger.error().code, Code::kPermissionDenied);
  EXPECT_NE(stranger.error().message.find("10.9.9.9"), std::string::npos);

  auto changed = content();
  changed.workloads.clear();
  reporters.set_registry(registry(std::move(changed)));
  EXPECT_FALSE(reporters.role_of(ip("10.1.0.2")));
}

}  // namespace
}  // namespace lazymesh::learn
