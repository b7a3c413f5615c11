#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lazy-controller/publish/xds/entry.h"

/// Requests and responses of both protocol variants, without the wire.
namespace lazymesh::publish::xds {

/// Which variant of the protocol a stream speaks
/// (https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol).
enum class Variant { kDelta, kStateOfTheWorld };

/// Words of a client, for the log and the status, are kept up to here.
inline constexpr std::size_t kMaxWords = 1000;
/// The text up to a length, no character of UTF-8 cut in two.
std::string_view cut(std::string_view text, std::size_t length);

/// Who a client says it is; only the first request of a stream need say it.
struct Node {
  std::string id;
  bool by_name = false;  ///< metadata GENERATOR=grpc: clusters by exact name, as an egress asks
};

/// What a client sent.
struct Request {
  std::optional<Node> node;
  ResourceType type{};
  /// Why the type is not served; then only the node counts. Empty: it is.
  std::string unserved;
  std::string nonce;                 ///< of the response that is answered; empty: none
  std::optional<std::string> error;  ///< a NACK: Envoy's words

  /// Delta: names newly wanted; state of the world: all names wanted.
  std::vector<std::string> names;

  // Delta only.
  std::vector<std::string> unsubscribe;
  std::vector<std::pair<std::string, std::uint64_t>> initial_versions;

  // State of the world only.
  std::string version;  ///< last accepted
};

/// What is sent next.
struct Response {
  ResourceType type{};
  std::uint64_t nonce = 0;
  std::uint64_t version = 0;  ///< of all that the client holds of this type once it accepts
  std::vector<EntryPtr> resources = {};
  std::vector<Name> removed = {};  ///< told in the delta variant, left out in the other

  // Not on the wire: what it changes for the client.
  std::vector<Name> added = {};    ///< not held before
  std::vector<Name> updated = {};  ///< held before
};

}  // namespace lazymesh::publish::xds
