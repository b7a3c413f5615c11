#include "base/ip.h"

#include <string>

#include <gtest/gtest.h>

namespace lazymesh {
namespace {

TEST(IpAddress, IsReadBackFromText) {
  for (const auto* text : {"0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "::1", "2001:db8::5",
                           "fe80::1", "2001:db8:1:2:3:4:5:6"}) {
    const auto parsed = IpAddress::parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->to_string(), text);
  }
}

TEST(IpAddress, HasOneTextForOneAddress) {
  EXPECT_EQ(IpAddress::parse("2001:DB8:0:0::5")->to_string(), "2001:db8::5");
  EXPECT_EQ(*IpAddress::parse("2001:DB8:0:0::5"), *IpAddress::parse("2001:db8::5"));
}

TEST(IpAddress, AMappedAddressIsTheIpv4AddressThatItMeans) {
  const auto mapped = *IpAddress::parse("::ffff:10.1.2.3");
  EXPECT_TRUE(mapped.is_v4());
  EXPECT_EQ(mapped, *IpAddress::parse("10.1.2.3"));
  EXPECT_EQ(mapped.bytes().size(), 4U);
}

TEST(IpAddress, AnythingElseIsRefused) {
  using namespace std::string_literals;
  for (const auto& text :
       {""s, "localhost"s, "10.1.2"s, "10.1.2.256"s, "010.1.2.3"s, "10.1.2.3 "s, "10.1.2.3:80"s,
        "[::1]"s, "fe80::1%eth0"s, ":::"s, "10.1.2.3\0"s, "::1\0x"s, std::string(100, '1')}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
}

TEST(IpAddress, BytesAreInNetworkOrder) {
  EXPECT_EQ(IpAddress::parse("10.1.2.3")->bytes(), std::string_view("\x0a\x01\x02\x03", 4));
  EXPECT_EQ(IpAddress::parse("::1")->bytes().size(), 16U);
}

TEST(IpAddress, KindsAreTold) {
  EXPECT_TRUE(IpAddress::parse("127.255.0.1")->is_loopback());
  EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
  EXPECT_FALSE(IpAddress::parse("::2")->is_loopback());
  EXPECT_FALSE(IpAddress::parse("128.0.0.1")->is_loopback());
  EXPECT_TRUE(IpAddress::parse("169.254.1.1")->is_link_local());
  EXPECT_TRUE(IpAddress::parse("fe80::1")->is_link_local());
  EXPECT_TRUE(IpAddress::parse("febf::1")->is_link_local());
  EXPECT_FALSE(IpAddress::parse("fec0::1")->is_link_local());
  EXPECT_FALSE(IpAddress::parse("169.253.1.1")->is_link_local());
  EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_unspecified());
  EXPECT_TRUE(IpAddress::parse("::")->is_unspecified());
  EXPECT_TRUE(IpAddress().is_unspecified());
  EXPECT_FALSE(IpAddress::parse("::1")->is_unspecified());
}

TEST(IpAddress, FamiliesDiffer) {
  EXPECT_NE(*IpAddress::parse("0.0.0.0"), *IpAddress::parse("::"));
}

TEST(SocketAddress, IsReadBackFromText) {
  for (const auto* text : {"10.1.2.3:80", "[::1]:65535", "0.0.0.0:0"}) {
    const auto parsed = SocketAddress::parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->to_string(), text);
  }
}

TEST(SocketAddress, AMappedAddressStaysInItsBrackets) {
  EXPECT_EQ(SocketAddress::parse("[::ffff:10.1.2.3]:80")->to_string(), "10.1.2.3:80");
}

TEST(SocketAddress, AnythingElseIsRefused) {
  for (const auto* text : {"", ":", "10.1.2.3", "10.1.2.3:", "10.1.2.3:65536", "10.1.2.3:-1",
                           "10.1.2.3:80x", "10.1.2.3: 80", "::1:80", "[10.1.2.3]:80", "[]:80",
                           "[::1]80", "[::1", "localhost:80", ":80", "::ffff:10.1.2.3:80"}) {
    EXPECT_FALSE(SocketAddress::parse(text)) << text;
  }
}

TEST(SocketAddress, IsReadFromGrpcsPeers) {
  EXPECT_EQ(SocketAddress::parse_grpc_peer("ipv4:10.0.0.1:80")->to_string(), "10.0.0.1:80");
  EXPECT_EQ(SocketAddress::parse_grpc_peer("ipv6:%5B::1%5D:80")->to_string(), "[::1]:80");
  EXPECT_EQ(SocketAddress::parse_grpc_peer("ipv6:[::1]:80")->to_string(), "[::1]:80");
  for (const auto* text : {"", "unix:/run/x", "10.0.0.1:80", "ipv4:", "ipv4:localhost:80",
                           "ipv6:%5B::1%5D", "ipv6:%5"}) {
    EXPECT_FALSE(SocketAddress::parse_grpc_peer(text)) << text;
  }
}

}  // namespace
}  // namespace lazymesh
