#include "egress/pump.h"

#include <array>
#include <utility>

#include "egress/http1/serializer.h"

namespace lazymesh::egress {
namespace {

constexpr int kRounds = 16;          // of reading and writing before others have their turn
constexpr std::size_t kPieces = 32;  // chunks carried as one

}  // namespace

void Pump::begin(http1::BodyDecoder decoder, bool chunked) {
  decoder_ = std::move(decoder);
  chunked_ = chunked;
  ended_ = decoder_.done();
  written_ = 0;
  body_bytes_ = 0;
}

Pump::State Pump::step(Stream& from, Stream& to) {
  for (int round = 0; round < kRounds; ++round) {
    if (!ended_ && pinned_ == 0) {
      if (in_.empty() && out_.empty()) {
        if (const auto state = fill(from); state != State::kEnded) return state;
      }
      if (!in_.empty()) {
        if (decode() == State::kBad) return State::kBad;
      }
    }
    if (!out_.empty()) {
      if (const auto state = flush(to); state != State::kEnded) return state;
    }
    if (ended_) return State::kEnded;
  }
  return State::kAgain;
}

bool Pump::discard() {
  out_.clear();  // its views are of what is pinned, which the decoder has had
  in_.consume(std::exchange(pinned_, 0));
  while (!decoder_.done()) {
    const auto step = decoder_.step(in_.data());
    in_.consume(step.consumed);
    if (step.state != http1::BodyDecoder::State::kData) break;
  }
  if (in_.empty()) in_.release();
  return decoder_.done();
}

Pump::State Pump::flush(Stream& to) {
  while (!out_.empty()) {
    if (!to.writable()) {
      to.wait_writable();
      return State::kBlocked;
    }
    const auto result = out_.flush(to);
    if (result.state == IoState::kFailed) return State::kSinkFailed;
    written_ += result.bytes;
  }
  in_.consume(pinned_);
  pinned_ = 0;
  if (in_.empty()) in_.release();
  return State::kEnded;
}

IoState Pump::read(Stream& from) {
  if (!from.readable()) {
    from.wait_readable();
    return IoState::kBlocked;
  }
  if (!in_) in_ = pool_.take(bulk_ ? BufferPool::Size::kBulk : BufferPool::Size::kSmall);
  const auto result = from.read(in_);
  // Large buffers for as long as reads fill at least a small one.
  bulk_ = result.bytes >= BufferPool::kSmallBytes;
  if (in_.empty()) in_.release();
  if (result.state == IoState::kBlocked) from.wait_readable();
  return result.state;
}

Pump::State Pump::fill(Stream& from) {
  switch (read(from)) {
    case IoState::kDone:
      return State::kEnded;
    case IoState::kBlocked:
      return State::kBlocked;
    case IoState::kClosed:
      if (!decoder_.close()) return State::kSourceClosed;
      ended_ = true;
      if (chunked_) out_.text([](std::string& out) { http1::append_last_chunk(out, {}); });
      return State::kEnded;
    default:
      return State::kSourceFailed;
  }
}

Pump::State Pump::decode() {
  using Decoded = http1::BodyDecoder::State;
  std::array<std::string_view, kPieces> pieces;
  std::size_t count = 0;
  std::size_t size = 0;
  const auto input = in_.data();
  while (count < kPieces && !decoder_.done()) {
    const auto step = decoder_.step(input.substr(pinned_));
    pinned_ += step.consumed;
    if (step.state == Decoded::kBad) return State::kBad;
    if (step.state != Decoded::kData) break;
    pieces[count++] = step.data;
    size += step.data.size();
  }
  body_bytes_ += size;
  ended_ = decoder_.done();
  if (size > 0) {
    if (chunked_) out_.text([size](std::string& out) { http1::append_chunk_size(out, size); });
    for (std::size_t i = 0; i < count; ++i) out_.view(pieces[i]);
  }
  if (chunked_ && (size > 0 || ended_)) {
    out_.text([&](std::string& out) {
      if (size > 0) out += "\r\n";
      if (ended_) http1::append_last_chunk(out, decoder_.trailers());
    });
  }
  if (out_.empty()) {  // nothing but framing
    in_.consume(pinned_);
    pinned_ = 0;
    if (in_.empty()) in_.release();
  }
  return State::kEnded;
}

}  // namespace lazymesh::egress
