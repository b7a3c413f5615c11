#pragma once

#include <string_view>

namespace lazymesh::egress {

/// What a connection turns out to carry.
enum class Sniffed {
  kUndecided,  ///< more bytes may tell
  kHttp1,      ///< an HTTP/1.x request line
  kOther,      ///< HTTP/2, TLS, a binary protocol: carried as bytes
};

/// Decide by the first bytes that a client sent. A known method followed by the beginning of a
/// target decides at once, since a long request line may come in several pieces; any other method
/// needs the whole line.
Sniffed sniff(std::string_view input);

}  // namespace lazymesh::egress
