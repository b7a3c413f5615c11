#include "egress/proxy_protocol.h"

#include <gtest/gtest.h>

#include "test/egress/sockets.h"

namespace lazymesh::egress {
namespace {

using State = ProxyHeaderResult::State;
using test::address;
using test::proxy_v2;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

TEST(ProxyHeader, Version2GivesBothAddressesAndItsLength) {
  const auto input = proxy_v2(address("10.1.0.1:4711"), address("10.96.0.5:80"));
  const auto result = parse_proxy_header(input + "GET /");
  ASSERT_EQ(result.state, State::kComplete);
  EXPECT_EQ(result.length, 28U);
  EXPECT_FALSE(result.header.local);
  EXPECT_EQ(result.header.source, address("10.1.0.1:4711"));
  EXPECT_EQ(result.header.destination, address("10.96.0.5:80"));
}

TEST(ProxyHeader, Version2SpeaksIpv6) {
  const auto result = parse_proxy_header(proxy_v2(address("[fd00::1]:1"), address("[fd00::2]:2")));
  ASSERT_EQ(result.state, State::kComplete);
  EXPECT_EQ(result.header.source, address("[fd00::1]:1"));
  EXPECT_EQ(result.header.destination, address("[fd00::2]:2"));
}

TEST(ProxyHeader, MappedAddressesAreTheirIpv4Ones) {
  auto input = proxy_v2(address("[fd00::1]:1"), address("[fd00::2]:2"));
  input.replace(16, 16, std::string("\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\x00\x01", 16));
  EXPECT_EQ(parse_proxy_header(input).header.source.ip, *IpAddress::parse("10.1.0.1"));
}

TEST(ProxyHeader, IsIncompleteAtEveryBytesButTheLast) {
  for (const auto& input :
       {proxy_v2(address("10.1.0.1:1"), address("10.96.0.5:80")),
        std::string("PROXY TCP4 10.1.0.1 10.96.0.5 1 80\r\n"), std::string("PROXY UNKNOWN\r\n")}) {
    for (std::size_t size = 0; size < input.size(); ++size) {
      EXPECT_EQ(parse_proxy_header(input.substr(0, size)).state, State::kIncomplete) << size;
    }
    EXPECT_EQ(parse_proxy_header(input).state, State::kComplete);
  }
}

TEST(ProxyHeader, TlvsAreSkipped) {
  auto input = proxy_v2(address("10.1.0.1:1"), address("10.96.0.5:80"));
  input[15] = static_cast<char>(12 + 7);
  input += std::string(
      "\x04\x00\x04"
      "abcd",
      7);
  const auto result = parse_proxy_header(input + "rest");
  ASSERT_EQ(result.state, State::kComplete);
  EXPECT_EQ(result.length, input.size());
}

TEST(ProxyHeader, LocalAndOtherFamiliesSpeakForThemselves) {
  const auto local = parse_proxy_header(kSignature + std::string("\x20\x00\x00\x00", 4));
  ASSERT_EQ(local.state, State::kComplete);
  EXPECT_TRUE(local.header.local);
  const auto unix_socket = parse_proxy_header(kSignature + std::string("\x21\x31\x00\x00", 4));
  EXPECT_TRUE(unix_socket.header.local);
}

TEST(ProxyHeader, RefusesWhatIsNone) {
  const auto is_bad = [](const std::string& input) {
    return parse_proxy_header(input).state == State::kBad;
  };
  EXPECT_TRUE(is_bad("GET / HTTP/1.1\r\n"));
  EXPECT_TRUE(is_bad("\r\n\r\n\x01"));
  EXPECT_TRUE(is_bad(kSignature + std::string("\x11\x11\x00\x0c", 4)));  // version 1
  EXPECT_TRUE(is_bad(kSignature + std::string("\x22\x11\x00\x0c", 4)));  // command 2
  EXPECT_TRUE(is_bad(kSignature + std::string("\x21\x11\xff\xff", 4)));  // too long
  EXPECT_TRUE(is_bad(kSignature + std::string("\x21\x11\x00\x04"
                                              "abcd",
                                              8)));  // too short for its family
  EXPECT_TRUE(is_bad("PROXY TCP4 10.1.0.1 10.96.0.5 1\r\n"));
  EXPECT_TRUE(is_bad("PROXY TCP4 10.1.0.1 10.96.0.5 1 80 x\r\n"));
  EXPECT_TRUE(is_bad("PROXY TCP4 10.1.0.1 10.96.0.5 1 70000\r\n"));
  EXPECT_TRUE(is_bad("PROXY TCP4 10.1.0.999 10.96.0.5 1 80\r\n"));
  EXPECT_TRUE(is_bad("PROXY TCP5 10.1.0.1 10.96.0.5 1 80\r\n"));
  EXPECT_TRUE(is_bad("PROXY TCP4 " + std::string(200, '1')));
}

TEST(ProxyHeader, Version1GivesBothAddresses) {
  const auto result = parse_proxy_header("PROXY TCP6 fd00::1 fd00::2 1 80\r\nGET");
  ASSERT_EQ(result.state, State::kComplete);
  EXPECT_EQ(result.header.source, address("[fd00::1]:1"));
  EXPECT_EQ(result.header.destination, address("[fd00::2]:80"));
}

}  // namespace
}  // namespace lazymesh::egress
