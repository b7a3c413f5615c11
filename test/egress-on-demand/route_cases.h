#pragma once

#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace lazymesh::test {

/// A request to a route configuration, and what becomes of it.
struct RouteRequest {
  std::string path = "/";
  std::string authority = "a.example";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string method = "GET";
  /// "404"; or "STATUS BODY" or "STATUS -> LOCATION" answered by the route; or "CLUSTER PATH", then
  /// " host=H" if rewritten, " timeout=MS" unless it is 15 s (0: none), and the request's x-t…
  /// headers as they arrive, " x-t-a=1". In the end, of all but 404, the x-r… headers of the
  /// response, " <x-r-a=1"; an upstream answers with x-r-up: 1.
  std::string outcome;
};

struct RouteCase {
  std::string name;
  std::string configuration;  ///< RouteConfiguration as JSON
  std::vector<RouteRequest> requests;
};

inline void PrintTo(const RouteCase& each, std::ostream* out) { *out << each.name; }

/// What is honoured, by example. The same for RouteTable and for a real Envoy.
const std::vector<RouteCase>& route_cases();

}  // namespace lazymesh::test
