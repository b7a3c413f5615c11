#include "egress/http1/body_decoder.h"

#include <gtest/gtest.h>

namespace lazymesh::egress::http1 {
namespace {

MessageHead framed(BodyKind kind, std::uint64_t length = 0) {
  MessageHead head;
  head.body = kind;
  head.content_length = length;
  return head;
}

struct Decoded {
  std::string body;
  std::size_t consumed = 0;
  bool ended = false;
  bool bad = false;
  std::string trailers;
};

/// Decode `input` as it arrives in pieces that end at `splits`.
Decoded decode(const MessageHead& head, const std::string& input,
               const std::vector<std::size_t>& splits = {}, Limits limits = {}) {
  BodyDecoder decoder(head, limits);
  Decoded out;
  auto ends = splits;
  ends.push_back(input.size());
  for (const auto end : ends) {
    for (;;) {
      const auto step = decoder.step(std::string_view(input).substr(0, end).substr(out.consumed));
      out.consumed += step.consumed;
      out.body += step.data;
      if (step.state == BodyDecoder::State::kData) continue;
      out.ended = step.state == BodyDecoder::State::kEnd;
      out.bad = step.state == BodyDecoder::State::kBad;
      break;
    }
    if (out.ended || out.bad) break;
  }
  EXPECT_EQ(decoder.done(), out.ended);
  out.trailers = decoder.trailers();
  return out;
}

bool is_bad(const std::string& chunked) { return decode(framed(BodyKind::kChunked), chunked).bad; }

TEST(BodyDecoder, TakesTheLengthAndNoMore) {
  const auto out = decode(framed(BodyKind::kLength, 5), "hellonext");
  EXPECT_EQ(out.body, "hello");
  EXPECT_EQ(out.consumed, 5U);
  EXPECT_TRUE(out.ended);
}

TEST(BodyDecoder, NothingIsDoneAtOnce) {
  EXPECT_TRUE(BodyDecoder(framed(BodyKind::kNone), {}).done());
  EXPECT_TRUE(BodyDecoder(framed(BodyKind::kLength, 0), {}).done());
  EXPECT_FALSE(BodyDecoder(framed(BodyKind::kChunked), {}).done());
}

TEST(BodyDecoder, UntilCloseEndsByClosing) {
  BodyDecoder decoder(framed(BodyKind::kUntilClose), {});
  EXPECT_EQ(decoder.step("abc").data, "abc");
  EXPECT_FALSE(decoder.done());
  EXPECT_TRUE(decoder.close());
  BodyDecoder sized(framed(BodyKind::kLength, 5), {});
  EXPECT_FALSE(sized.close());
}

TEST(BodyDecoder, TakesChunksApartWhereverTheBytesAreSplit) {
  const std::string message =
      "5\r\nhello\r\n1;x=\"y\"\r\n,\r\n006\r\n world\r\n0\r\nX-Sum: 1\r\nY:2\r\n\r\n";
  const std::string input = message + "GET /next";
  for (std::size_t first = 0; first <= message.size(); ++first) {
    for (std::size_t second = first; second <= message.size(); ++second) {
      const auto out = decode(framed(BodyKind::kChunked), input, {first, second});
      ASSERT_TRUE(out.ended) << first << " " << second;
      ASSERT_EQ(out.body, "hello, world");
      ASSERT_EQ(out.consumed, message.size());
      ASSERT_EQ(out.trailers, "X-Sum: 1\r\nY:2\r\n");
    }
  }
}

TEST(BodyDecoder, ReadsChunkLinesStrictly) {
  EXPECT_FALSE(is_bad("0\r\n\r\n"));
  EXPECT_FALSE(is_bad("aB\r\n"));
  for (const auto* bad : {"\r\n",
                          "x\r\n",
                          "-1\r\n",
                          "+1\r\n",
                          "0x1\r\n",
                          " 1\r\n",
                          "1 \r\n",
                          "1\n",
                          "1\rx",
                          ";a\r\n",
                          "5\r\nhello!",
                          "5\r\nhello\n",
                          "5\r\nhello\rX",
                          "0\r\nX : y\r\n\r\n",
                          "0\r\n folded\r\n\r\n",
                          "0\r\nX: y\n\r\n",
                          "0\r\n\n",
                          "1;a\n",
                          "1;\x01\r\n",
                          "fffffffffffffffff\r\n"}) {
    EXPECT_TRUE(is_bad(bad)) << bad;
  }
}

TEST(BodyDecoder, LargestChunkSizeDoesNotWrap) {
  EXPECT_FALSE(is_bad("fffffffffffffff\r\n"));
  EXPECT_TRUE(is_bad("10000000000000000\r\n"));
}

TEST(BodyDecoder, BoundsExtensionsAndTrailers) {
  EXPECT_TRUE(is_bad("1;" + std::string(5000, 'a') + "\r\n"));
  EXPECT_TRUE(is_bad(std::string(5000, '0') + "1\r\n"));
  const Limits limits{50, 2};
  const auto bounded = [&](const std::string& input) {
    return decode(framed(BodyKind::kChunked), input, {}, limits).bad;
  };
  EXPECT_TRUE(bounded("0\r\nX: " + std::string(60, 'y') + "\r\n\r\n"));
  EXPECT_TRUE(bounded("0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"));
  EXPECT_FALSE(bounded("0\r\nA: 1\r\nB: 2\r\n\r\n"));
}

}  // namespace
}  // namespace lazymesh::egress::http1
