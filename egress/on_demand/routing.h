#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace envoy::config::route::v3 {
class RouteConfiguration;
}

namespace lazymesh::egress {

/// What a request's routing looks at. Views into the request's head.
struct RequestView {
  std::string_view method;
  std::string_view authority;
  std::string_view path;  ///< with the query
  /// The value of a header by its lower-case name; nullopt if absent. Several values are joined by
  /// commas.
  std::function<std::optional<std::string>(std::string_view)> header;
  /// Calls back with each value of a header by its lower-case name, in their order: header matches
  /// look at them one by one. Null: `header`'s is taken for the only value.
  std::function<void(std::string_view, const std::function<void(std::string_view)>&)> each_value =
      nullptr;
};

struct HeaderOperation {
  enum class Kind { kAppend, kOverwrite, kOverwriteIfPresent, kAddIfAbsent, kRemove };
  Kind kind;
  std::string name;
  std::string value;
};

/// What a route does with a request. Exactly one of `cluster` and `status` is set.
struct RouteDecision {
  std::string cluster;                   ///< where it is sent, already drawn by weight
  std::optional<std::uint32_t> status;   ///< answered here: a direct response or a redirect
  std::string body;                      ///< of a direct response
  std::string location;                  ///< of a redirect
  std::optional<std::string> path;       ///< rewritten, with the query
  std::optional<std::string> authority;  ///< rewritten
  std::optional<std::chrono::milliseconds> timeout;  ///< of the whole response; nullopt: none
  std::vector<HeaderOperation> request_headers;
  std::vector<HeaderOperation> response_headers;
  std::string name;
};

/// A RouteConfiguration compiled for matching: Envoy's own semantics, first match wins. Immutable,
/// any thread.
class RouteTable {
 public:
  /// What cannot be honoured is named in `unsupported` (field paths), never dropped in silence.
  static Result<std::shared_ptr<const RouteTable>> compile(
      const envoy::config::route::v3::RouteConfiguration& configuration,
      std::vector<std::string>& unsupported);
  virtual ~RouteTable() = default;

  /// nullopt: no virtual host or route matches (404, response flag NR). `random` in [0, 2^64) draws
  /// among weighted clusters.
  virtual std::optional<RouteDecision> match(const RequestView& request,
                                             std::uint64_t random) const = 0;
  /// The clusters that it may send to, ascending, without duplicates.
  virtual const std::vector<std::string>& clusters() const = 0;
};

}  // namespace lazymesh::egress
