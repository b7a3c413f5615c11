#pragma once

#include <cstddef>

#include "egress/buffer_pool.h"
#include "egress/http1/body_decoder.h"
#include "egress/outbox.h"
#include "egress/stats.h"

namespace lazymesh::egress {

/// Carries one direction of an exchange or a tunnel from one socket to another: as much as both
/// take now, never more than one buffer ahead, which is the back-pressure. The buffer is lent only
/// while there is something in it.
class Pump {
 public:
  enum class State {
    kAgain,         ///< there may be more to do at once; others should have their turn first
    kBlocked,       ///< a socket is waited for
    kEnded,         ///< all has been written
    kSourceClosed,  ///< before the end of the body
    kSourceFailed,
    kSinkFailed,
    kBad,  ///< malformed framing: decoder().error()
  };

  /// `in`: what has been read from the source and is not yet carried. Both outlive the pump.
  Pump(BufferPool& pool, Buffer& in, Outbox& out) : pool_(pool), in_(in), out_(out) {}

  /// From here on the source carries a body, which goes out chunked or as it is.
  void begin(http1::BodyDecoder decoder, bool chunked);
  /// Carry what can be.
  State step(Stream& from, Stream& to);

  /// Drop what is here of a body that goes no further: what waits to be written and what has been
  /// read. True: it was all of the body, and what is in the buffer now belongs to the next message.
  bool discard();

  /// Write what is in the outbox; kEnded: it is empty.
  State flush(Stream& to);
  /// Read what there is, behind what is in the buffer; kBlocked: waited for.
  IoState read(Stream& from);

  const http1::BodyDecoder& decoder() const { return decoder_; }
  /// Bytes written to the sink, framing included.
  std::size_t written() const { return written_; }
  /// Bytes of the body carried so far.
  std::size_t body_bytes() const { return body_bytes_; }

 private:
  /// Read for the body; kEnded: something came, or the end.
  State fill(Stream& from);
  /// Take the framing off what is in the buffer and put the body into the outbox.
  State decode();

  BufferPool& pool_;
  Buffer& in_;
  Outbox& out_;
  http1::BodyDecoder decoder_;
  bool chunked_ = false;
  bool ended_ = false;      ///< everything is in the outbox
  bool bulk_ = false;       ///< the last read filled its buffer
  std::size_t pinned_ = 0;  ///< bytes of the buffer that the outbox has views of
  std::size_t written_ = 0;
  std::size_t body_bytes_ = 0;
};

}  // namespace lazymesh::egress
