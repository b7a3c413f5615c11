#include "lazy-controller/publish/xds/wire.h"

#include <gtest/gtest.h>

#include "envoy/service/discovery/v3/discovery.pb.h"

namespace lazymesh::publish::xds {
namespace {

namespace api = envoy::service::discovery::v3;

std::string bytes_of(const std::vector<Piece>& pieces) {
  std::string bytes;
  for (const auto& piece : pieces) bytes += piece.bytes;
  return bytes;
}

TEST(Wire, ResponsesAreWhatTheGeneratedClassesRead) {
  Names names;
  const std::string body(300, 'x');
  Response response{ResourceType::kCluster, 7, 0xabc};
  const auto resource = sidecar::make_resource(ResourceType::kCluster, "a", body);
  response.resources = {make_entry(names, *resource)};
  response.removed = {names.intern("b")};

  api::DeltaDiscoveryResponse delta;
  ASSERT_TRUE(delta.ParseFromString(bytes_of(encode(Variant::kDelta, response))));
  EXPECT_EQ(delta.nonce(), "7");
  EXPECT_EQ(delta.resources(0).name(), "a");
  EXPECT_EQ(delta.resources(0).version(), sidecar::version_text(resource->version));
  EXPECT_EQ(delta.resources(0).resource().value(), body);
  EXPECT_EQ(delta.removed_resources(0), "b");

  api::DiscoveryResponse all;
  ASSERT_TRUE(all.ParseFromString(bytes_of(encode(Variant::kStateOfTheWorld, response))));
  EXPECT_EQ(all.nonce(), "7");
  EXPECT_EQ(all.version_info(), delta.system_version_info());
  EXPECT_EQ(all.type_url(), delta.type_url());
  EXPECT_EQ(all.resources(0).value(), body);
}

TEST(Wire, ARequestKeepsItsNodeWhateverItAsksFor) {
  api::DeltaDiscoveryRequest message;
  message.mutable_node()->set_id("me");
  message.set_type_url("type.googleapis.com/other");
  const auto request = parse_request(Variant::kDelta, message.SerializeAsString());
  ASSERT_TRUE(request);
  EXPECT_EQ(request->node->id, "me");
  EXPECT_NE(request->unserved, "");
  EXPECT_FALSE(parse_request(Variant::kDelta, "\xff"));
}

TEST(Cut, LeavesNoHalfOfACharacter) {
  EXPECT_EQ(cut("ab", 5), "ab");
  EXPECT_EQ(cut("a\xc3\xa4", 2), "a");
  EXPECT_EQ(cut("a\xc3\xa4z", 3), "a\xc3\xa4");
}

}  // namespace
}  // namespace lazymesh::publish::xds
