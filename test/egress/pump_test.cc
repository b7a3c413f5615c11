#include "egress/pump.h"

#include <cstring>

#include <gtest/gtest.h>

namespace lazymesh::egress {
namespace {

/// A pump whose sink is broken: a socket that was never opened.
class PumpToNowhere : public ::testing::Test {
 protected:
  void receive(std::string_view bytes) {
    if (!in_) in_ = pool_.take(BufferPool::Size::kSmall);
    std::memcpy(in_.space(), bytes.data(), bytes.size());
    in_.produced(bytes.size());
  }
  void begin(http1::BodyKind kind, std::uint64_t length = 0) {
    http1::MessageHead head;
    head.body = kind;
    head.content_length = length;
    pump_.begin(http1::BodyDecoder(head, {}), kind == http1::BodyKind::kChunked);
  }
  Pump::State step() { return pump_.step(*from_, *to_); }

  asio::io_context context_;
  std::shared_ptr<Stream> from_ = std::make_shared<Stream>(Socket(context_.get_executor()));
  std::shared_ptr<Stream> to_ = std::make_shared<Stream>(Socket(context_.get_executor()));
  BufferPool pool_;
  Buffer in_;
  Outbox out_;
  Pump pump_{pool_, in_, out_};
};

TEST_F(PumpToNowhere, DiscardsABodyThatWaitedToBeWritten) {
  begin(http1::BodyKind::kLength, 5);
  receive("hello");
  receive("GET /next");
  EXPECT_EQ(step(), Pump::State::kSinkFailed);
  EXPECT_TRUE(pump_.discard());
  EXPECT_EQ(in_.data(), "GET /next");
  EXPECT_TRUE(out_.empty());
}

TEST_F(PumpToNowhere, DiscardsNoByteTwice) {
  begin(http1::BodyKind::kLength, 10);
  receive("hello");
  EXPECT_EQ(step(), Pump::State::kSinkFailed);
  EXPECT_FALSE(pump_.discard());  // the other half is to come
  receive("worldGET /next");
  EXPECT_TRUE(pump_.discard());
  EXPECT_EQ(in_.data(), "GET /next");
}

TEST_F(PumpToNowhere, DiscardsTheRestOfAChunkedBody) {
  begin(http1::BodyKind::kChunked);
  receive("2\r\nab\r\n");
  EXPECT_EQ(step(), Pump::State::kSinkFailed);
  receive("1\r\nc\r\n0\r\n\r\nGET /next");
  EXPECT_TRUE(pump_.discard());
  EXPECT_EQ(in_.data(), "GET /next");
}

TEST_F(PumpToNowhere, DiscardsNothingOfTheNextMessage) {
  begin(http1::BodyKind::kNone);
  receive("GET /next");
  EXPECT_TRUE(pump_.discard());
  EXPECT_EQ(in_.data(), "GET /next");
}

}  // namespace
}  // namespace lazymesh::egress
