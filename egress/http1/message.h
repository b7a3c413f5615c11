#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

/// HTTP/1.x without I/O: bytes in, views out. Nothing here owns memory that it points to.
namespace lazymesh::egress::http1 {

/// The header fields that a proxy acts on; every other one passes unseen.
enum class Field : std::uint8_t {
  kOther,
  kConnection,
  kContentLength,
  kExpect,
  kHost,
  kKeepAlive,
  kProxyConnection,
  kTe,
  kTransferEncoding,
  kUpgrade,
  kUserAgent,
  kRequestId,  ///< x-request-id
};

/// The field of a name in any case.
Field field_of(std::string_view name);

/// One header line: as it came, in its place, its name in its own case.
struct HeaderLine {
  std::string_view name;
  std::string_view value;  ///< without the white space around it
  Field field = Field::kOther;
};

/// How the end of a body is found (RFC 9112, 6.3).
enum class BodyKind : std::uint8_t { kNone, kLength, kChunked, kUntilClose };

/// What the header lines of a request or a response have in common, already understood.
struct MessageHead {
  std::vector<HeaderLine> headers;
  unsigned minor = 1;  ///< of the version: HTTP/1.minor
  BodyKind body = BodyKind::kNone;
  std::uint64_t content_length = 0;  ///< where `body` is kLength
  /// Whether the sender means to use the connection again (RFC 9112, 9.3).
  bool keep_alive = true;
  bool connection_upgrade = false;  ///< Connection: upgrade
  /// Connection names further header lines, which are for this hop only (RFC 9110, 7.6.1).
  bool connection_names_others = false;
};

/// Views into the buffer that was parsed.
struct RequestHead : MessageHead {
  std::string_view method;
  std::string_view target;
  std::optional<std::string_view> host;  ///< the Host line's value
  std::string_view user_agent;
  std::string_view request_id;
  bool upgrade = false;  ///< asks to leave HTTP: an Upgrade line and Connection: upgrade
};

struct ResponseHead : MessageHead {
  unsigned status = 0;
  std::string_view reason;
};

struct Limits {
  std::size_t head_bytes = 64 * 1024;  ///< of a head, and of a trailer section
  std::size_t headers = 256;           ///< lines of a head, and of a trailer section
};

/// Why a message is refused, in the words of the reply to it. `status` 0: nothing is wrong.
struct ParseError {
  unsigned status = 0;
  const char* reason = "";
  explicit operator bool() const { return status != 0; }
};

/// Whether `list`, a comma-separated header value, has `token`, in any case.
bool list_has(std::string_view list, std::string_view token);
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace lazymesh::egress::http1
