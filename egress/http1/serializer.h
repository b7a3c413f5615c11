#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "egress/http1/message.h"

/// Writes heads as they came: header lines in their order, names in their case; what is for one hop
/// only is left out (RFC 9110, 7.6.1) and the framing is this hop's own.
namespace lazymesh::egress::http1 {

/// How the connection on the other side is to be framed.
struct Framing {
  /// The body goes out chunked: the Transfer-Encoding line is kept, or added where there was none.
  bool chunked = false;
  /// Drop Content-Length (RFC 9110, 8.6: none with 1xx and 204).
  bool drop_length = false;
  /// Keep Transfer-Encoding as it came although no body follows (of a HEAD or a 304).
  bool keep_encoding = false;
  /// What Connection says; upgrade keeps the Upgrade line.
  enum class Connection { kSilent, kClose, kKeepAlive, kUpgrade } connection = Connection::kSilent;
};

enum class HeaderEdit : std::uint8_t {
  kAppend,
  kOverwrite,
  kOverwriteIfPresent,
  kAddIfAbsent,
  kRemove
};

/// A change that a route asks for.
struct EditLine {
  HeaderEdit kind;
  std::string_view name;
  std::string_view value;
};

/// Apply the edits, in their order, to a head's lines. The views of the edits must live as long as
/// the head.
void edit_headers(MessageHead& head, std::span<const EditLine> edits);

/// `target` and `host`: as they go out; `host` empty: the Host line as it came.
void append_request_head(std::string& out, const RequestHead& head, std::string_view target,
                         std::string_view host, const Framing& framing);

/// `minor`: of the version that goes out.
void append_response_head(std::string& out, const ResponseHead& head, unsigned minor,
                          const Framing& framing);

/// "1a\r\n".
void append_chunk_size(std::string& out, std::uint64_t size);

/// The last chunk and the trailer section, without lines that frame a message or are for one hop.
/// `trailers`: as BodyDecoder::trailers().
void append_last_chunk(std::string& out, std::string_view trailers);

/// The registered reason phrase; empty for an unknown status.
std::string_view reason_phrase(unsigned status);

}  // namespace lazymesh::egress::http1
