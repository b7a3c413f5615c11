#pragma once

#include <cstddef>
#include <string_view>

#include "egress/http1/message.h"

namespace lazymesh::egress::http1 {

/// Finds where a head ends while its bytes arrive, looking at each byte once. A line that ends
/// without a carriage return is an error at once (RFC 9112, 2.2 lets a recipient accept it; two
/// recipients that differ in it are how requests are smuggled).
class HeadScanner {
 public:
  enum class State { kIncomplete, kComplete, kBad };

  /// `input` is everything received from the start of the head, as far as it goes now. An empty
  /// line before the first is skipped over (RFC 9112, 2.2), and is a part of the head's length.
  State scan(std::string_view input, const Limits& limits);

  /// Bytes of the head with the empty line that ends it, once complete.
  std::size_t length() const { return position_; }
  /// Once bad.
  ParseError error() const { return error_; }
  void reset() { *this = {}; }

 private:
  std::size_t position_ = 0;  ///< the start of the line that is not complete yet
  std::size_t searched_ = 0;  ///< no line ends before it
  bool started_ = false;      ///< a line that is not empty was seen
  ParseError error_;
};

/// Parse a complete head (HeadScanner::length() bytes). `head` is overwritten; its vector's memory
/// is kept.
ParseError parse_request_head(std::string_view input, const Limits& limits, RequestHead& head);

/// As above; `status` of the error is 502. `request_method` decides whether there is a body.
ParseError parse_response_head(std::string_view input, const Limits& limits,
                               std::string_view request_method, ResponseHead& head);

/// Parse the lines of a trailer section, without the empty one that ends it.
ParseError parse_trailers(std::string_view input, const Limits& limits,
                          std::vector<HeaderLine>& lines);

}  // namespace lazymesh::egress::http1
