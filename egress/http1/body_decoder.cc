#include "egress/http1/body_decoder.h"

#include <algorithm>
#include <vector>

#include "egress/http1/characters.h"
#include "egress/http1/head_parser.h"

namespace lazymesh::egress::http1 {
namespace {

/// Of a chunk's line with its extensions: more is taken for an attack.
constexpr std::size_t kMaxChunkLine = 4096;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

BodyDecoder::BodyDecoder(const MessageHead& head, const Limits& limits) : limits_(limits) {
  switch (head.body) {
    case BodyKind::kNone:
      break;
    case BodyKind::kLength:
      remaining_ = head.content_length;
      phase_ = remaining_ > 0 ? Phase::kData : Phase::kDone;
      break;
    case BodyKind::kChunked:
      chunked_ = true;
      phase_ = Phase::kSize;
      break;
    case BodyKind::kUntilClose:
      phase_ = Phase::kUntilClose;
      break;
  }
}

BodyDecoder::Step BodyDecoder::step(std::string_view input) {
  std::size_t taken = 0;
  while (phase_ != Phase::kDone && phase_ != Phase::kBad) {
    if (taken == input.size()) return {State::kNeedMore, taken, {}};
    if (phase_ == Phase::kData || phase_ == Phase::kUntilClose) {
      auto step = data(input.substr(taken));
      step.consumed += taken;
      return step;
    }
    framing(input[taken++]);
  }
  return {phase_ == Phase::kDone ? State::kEnd : State::kBad, taken, {}};
}

bool BodyDecoder::close() {
  if (phase_ == Phase::kUntilClose) phase_ = Phase::kDone;
  return phase_ == Phase::kDone;
}

BodyDecoder::Step BodyDecoder::data(std::string_view input) {
  if (phase_ == Phase::kUntilClose) return {State::kData, input.size(), input};
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()));
  remaining_ -= size;
  if (remaining_ == 0) phase_ = chunked_ ? Phase::kDataReturn : Phase::kDone;
  return {State::kData, size, input.substr(0, size)};
}

void BodyDecoder::framing(char c) {
  switch (phase_) {
    case Phase::kSize:
      return size_digit(c);
    case Phase::kExtension:
      if (++line_ > kMaxChunkLine) return fail("a chunk's extension is too long");
      if (c == '\r') {
        phase_ = Phase::kSizeLineFeed;
      } else if (!is(c, kValue)) {
        fail("malformed chunk extension");
      }
      return;
    case Phase::kSizeLineFeed:
      return c == '\n' ? end_of_size() : fail("a chunk's line does not end in CRLF");
    case Phase::kDataReturn:
      if (c != '\r') return fail("a chunk is longer than its size");
      phase_ = Phase::kDataLineFeed;
      return;
    case Phase::kDataLineFeed:
      if (c != '\n') return fail("a chunk does not end in CRLF");
      phase_ = Phase::kSize;
      return;
    default:
      return trailer(c);
  }
}

void BodyDecoder::size_digit(char c) {
  if (const int digit = hex_value(c); digit >= 0) {
    if (remaining_ >> 56U != 0 || ++line_ > kMaxChunkLine) return fail("a chunk is too large");
    remaining_ = remaining_ << 4U | static_cast<unsigned>(digit);
    digits_ = true;
  } else if (digits_ && c == '\r') {
    phase_ = Phase::kSizeLineFeed;
  } else if (digits_ && c == ';') {
    phase_ = Phase::kExtension;
  } else {
    fail("malformed chunk size");
  }
}

void BodyDecoder::end_of_size() {
  phase_ = remaining_ > 0 ? Phase::kData : Phase::kTrailer;
  digits_ = false;
  line_ = 0;
}

void BodyDecoder::trailer(char c) {
  if (trailers_.size() >= limits_.head_bytes) return fail("the trailer section is too large");
  trailers_.push_back(c);
  if (c != '\n') return;
  const auto size = trailers_.size();
  if (size - trailer_line_ < 2 || trailers_[size - 2] != '\r') {
    return fail("a trailer line ends without a carriage return");
  }
  const bool empty = size - trailer_line_ == 2;
  trailer_line_ = size;
  if (!empty) return;
  trailers_.resize(size - 2);
  std::vector<HeaderLine> lines;
  if (const auto error = parse_trailers(trailers_, limits_, lines)) return fail(error.reason);
  phase_ = Phase::kDone;
}

void BodyDecoder::fail(const char* reason) {
  error_ = {400, reason};
  phase_ = Phase::kBad;
}

}  // namespace lazymesh::egress::http1
