#include "egress/sniffer.h"

#include <gtest/gtest.h>

namespace lazymesh::egress {
namespace {

TEST(Sniffer, KnowsHttpByItsFirstBytes) {
  for (const auto* input : {"GET /", "POST /a HTTP/1.1\r\n", "HEAD http://a/", "OPTIONS * HTTP/1.1",
                            "PURGE /x HTTP/1.1\r\n", "CONNECT a:443 HTTP/1.1", "\r\nGET /"}) {
    EXPECT_EQ(sniff(input), Sniffed::kHttp1) << input;
  }
}

TEST(Sniffer, EverythingElseIsBytes) {
  for (const auto& input :
       {std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), std::string("\x16\x03\x01\x02\x00", 5),
        std::string("\0\0\0\x4a", 4), std::string("GET key\r\n"),
        std::string("*1\r\n$4\r\nPING\r\n"), std::string("EHLO me\r\n"),
        std::string("SSH-2.0-OpenSSH\r\n"), std::string("OPTIONS *\r\n"),
        std::string("hello world\r\n"), std::string(" GET / HTTP/1.1"), std::string(30, 'A')}) {
    EXPECT_EQ(sniff(input), Sniffed::kOther) << input;
  }
}

TEST(Sniffer, WaitsWhileItMayStillBeHttp) {
  for (const auto* input : {"", "\r", "\r\n", "G", "GET", "GET ", "GET http:", "PURGE /x HTT",
                            "PURGE /x", "OPTIONS *"}) {
    EXPECT_EQ(sniff(input), Sniffed::kUndecided) << input;
  }
}

TEST(Sniffer, DecidesTheSameWhereverTheBytesAreSplit) {
  for (const std::string input : {"PURGE /x HTTP/1.1\r\n", "GET /x HTTP/1.1\r\n", "GET key\r\n",
                                  "PRI * HTTP/2.0\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\n"}) {
    const auto whole = sniff(input);
    for (std::size_t size = 0; size < input.size(); ++size) {
      const auto part = sniff(input.substr(0, size));
      EXPECT_TRUE(part == whole || part == Sniffed::kUndecided) << input << " " << size;
    }
  }
}

}  // namespace
}  // namespace lazymesh::egress
