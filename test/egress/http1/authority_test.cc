#include "egress/http1/authority.h"

#include <gtest/gtest.h>

namespace lazymesh::egress::http1 {
namespace {

TEST(Authority, HostIsLowerCaseWithoutPort) {
  EXPECT_EQ(host_of("Reviews.Shop"), "reviews.shop");
  EXPECT_EQ(host_of("reviews:9080"), "reviews");
  EXPECT_EQ(host_of("reviews.shop."), "reviews.shop.");
  EXPECT_EQ(host_of("reviews:"), "reviews");
  EXPECT_EQ(host_of("10.0.0.1:80"), "10.0.0.1");
}

TEST(Authority, BracketsOfIpv6AreTakenOff) {
  EXPECT_EQ(host_of("[FD00::1]"), "fd00::1");
  EXPECT_EQ(host_of("[::1]:80"), "::1");
  for (const auto* bad : {"[", "[]", "[::1", "[::1]80", "[::1]:x", "[reviews]", "fd00::1"}) {
    EXPECT_FALSE(host_of(bad)) << bad;
  }
}

TEST(Authority, NothingElseIsAHost) {
  for (const auto* bad : {"", ":80", "a b", "user@host", "a/b", "a:b", "a:123456", "a,b", "a?b",
                          "a\\b", "a#b", "\xe4"}) {
    EXPECT_FALSE(host_of(bad)) << bad;
  }
}

TEST(Authority, AHostIsNoLongerThanDnsAllows) {
  const std::string longest(kMaxHost, 'a');
  EXPECT_EQ(host_of(longest + ":80"), longest);
  EXPECT_FALSE(host_of(longest + "a"));
  EXPECT_FALSE(host_of("[" + std::string(kMaxHost + 1, ':') + "]"));
}

TEST(Target, OriginFormPassesAsItIs) {
  const auto target = parse_target("GET", "/a?b#c");
  ASSERT_TRUE(target);
  EXPECT_FALSE(target->authority);
  EXPECT_EQ(target->path, "");
}

TEST(Target, AbsoluteFormIsTakenApart) {
  const auto target = parse_target("GET", "http://b:80/c?d");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->authority, "b:80");
  EXPECT_EQ(target->path, "/c?d");
  EXPECT_EQ(parse_target("GET", "HTTP://b")->path, "/");
  EXPECT_EQ(parse_target("GET", "http://b?x")->path, "/?x");
  EXPECT_EQ(parse_target("OPTIONS", "http://b")->path, "*");
}

TEST(Target, OtherFormsAreRefused) {
  EXPECT_TRUE(parse_target("OPTIONS", "*"));
  EXPECT_FALSE(parse_target("GET", "*"));
  EXPECT_FALSE(parse_target("CONNECT", "a:443"));
  EXPECT_FALSE(parse_target("GET", "ftp://a/"));
  EXPECT_FALSE(parse_target("GET", "a"));
}

}  // namespace
}  // namespace lazymesh::egress::http1
