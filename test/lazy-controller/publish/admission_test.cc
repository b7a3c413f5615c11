#include "lazy-controller/publish/xds/admission.h"

#include <gtest/gtest.h>

#include "test/lazy-controller/publish/world.h"

namespace lazymesh::publish::xds {
namespace {

using test::World;

IpAddress address(std::string_view text) { return *IpAddress::parse(text); }
Node sidecar_node(const std::string& workload = "web") {
  return {"sidecar~10.1.0.2~" + workload + ".shop~shop.svc.cluster.local"};
}
constexpr auto kDenied = Code::kPermissionDenied;

TEST(Admission, ASidecarSpeaksForItsOwnWorkloadOnly) {
  World world;
  world.workload("web", "10.1.0.2");
  const auto registry = world.registry();
  EXPECT_EQ((*admit(*registry, sidecar_node(), address("10.1.0.2")))->id.name, "web");
  EXPECT_EQ(admit(*registry, sidecar_node(), address("10.1.0.3")).error().code, kDenied);
  EXPECT_EQ(admit(*registry, sidecar_node(), address("127.0.0.1")).error().code, kDenied);
  EXPECT_EQ(admit(*registry, sidecar_node("none"), address("10.1.0.2")).error().code,
            Code::kNotFound);
}

TEST(Admission, AnEgressIsKnownByItsAddress) {
  World world;
  world.workload("web", "10.1.0.2");
  const auto registry = world.registry();
  const Node egress{"egress", true};
  EXPECT_EQ(*admit(*registry, egress, address("10.0.0.2")), nullptr);
  EXPECT_EQ(admit(*registry, egress, address("10.1.0.2")).error().code, kDenied);
  // Reporters are the egresses, where they are named.
  world.settings.reporters = {address("10.0.0.9")};
  EXPECT_TRUE(admit(*world.registry(), egress, address("10.0.0.9")));
  EXPECT_EQ(admit(*world.registry(), egress, address("10.0.0.2")).error().code, kDenied);
}

TEST(Admission, LoopbackMaySpeakForAllWhereBoundAddressesAreTrusted) {
  World world;
  world.workload("web", "10.1.0.2");
  world.settings.trust_bound_addresses = true;
  const auto registry = world.registry();
  EXPECT_TRUE(admit(*registry, sidecar_node(), address("127.0.0.1")));
  EXPECT_TRUE(admit(*registry, {"egress", true}, address("127.0.0.1")));
}

TEST(ParsePeer, IsAnAddress) {
  EXPECT_EQ(*parse_peer("ipv4:10.0.0.1:80"), address("10.0.0.1"));
  EXPECT_EQ(*parse_peer("ipv6:%5Bfd00::1%5D:80"), address("fd00::1"));
  EXPECT_EQ(*parse_peer("unix:/run/x"), address("127.0.0.1"));
  EXPECT_FALSE(parse_peer("vsock:1:2"));
}

TEST(PlacesTest, OneAddressCannotTakeThemAll) {
  Places places(5, 2);
  EXPECT_TRUE(places.take(address("10.0.0.1")));
  EXPECT_TRUE(places.take(address("10.0.0.1")));
  EXPECT_EQ(places.take(address("10.0.0.1")).error().code, Code::kResourceExhausted);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(places.take(address("127.0.0.1")));
  EXPECT_EQ(places.take(address("127.0.0.1")).error().code, Code::kResourceExhausted);
  places.give_back(address("10.0.0.1"));
  EXPECT_TRUE(places.take(address("10.0.0.1")));
}

}  // namespace
}  // namespace lazymesh::publish::xds
