#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "egress/http1/message.h"

namespace lazymesh::egress::http1 {

/// Takes the framing off a body as its bytes arrive, a piece at a time, without copying them. Chunk
/// extensions are dropped (RFC 9112, 7.1.1); chunk lines are read strictly.
class BodyDecoder {
 public:
  enum class State {
    kNeedMore,  ///< all input was taken
    kData,      ///< `data` is the next piece of the body
    kEnd,       ///< the message is complete; the rest of the input belongs to the next one
    kBad,       ///< error() says why
  };
  struct Step {
    State state;
    std::size_t consumed;   ///< bytes of the input that are done with, `data` included
    std::string_view data;  ///< a view into the input
  };

  BodyDecoder() = default;
  BodyDecoder(const MessageHead& head, const Limits& limits);

  /// The next step over `input`; call again with the rest of it after kData.
  Step step(std::string_view input);
  /// The sender has closed its side: true if that ends the body properly.
  bool close();

  bool done() const { return phase_ == Phase::kDone; }
  ParseError error() const { return error_; }
  /// The lines of the trailer section, each with its CRLF; empty if there are none. After kEnd.
  std::string_view trailers() const { return trailers_; }

 private:
  enum class Phase : std::uint8_t {
    kData,
    kUntilClose,
    kSize,
    kExtension,
    kSizeLineFeed,
    kDataReturn,
    kDataLineFeed,
    kTrailer,
    kDone,
    kBad,
  };
  Step data(std::string_view input);
  /// One byte of what stands between the pieces of a chunked body.
  void framing(char c);
  void size_digit(char c);
  void end_of_size();
  void trailer(char c);
  void fail(const char* reason);

  Phase phase_ = Phase::kDone;
  bool chunked_ = false;
  bool digits_ = false;           ///< the size has a digit
  std::uint64_t remaining_ = 0;   ///< of the body, or of the chunk; while in kSize, the size so far
  std::size_t line_ = 0;          ///< bytes of the chunk's line
  std::size_t trailer_line_ = 0;  ///< where in trailers_ the line being read starts
  std::string trailers_;
  Limits limits_;
  ParseError error_;
};

}  // namespace lazymesh::egress::http1
