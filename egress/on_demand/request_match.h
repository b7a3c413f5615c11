#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "egress/on_demand/routing.h"

namespace envoy::config::route::v3 {
class HeaderMatcher;
class QueryParameterMatcher;
class RouteMatch;
}  // namespace envoy::config::route::v3
namespace envoy::type::matcher::v3 {
class RegexMatcher;
class StringMatcher;
}  // namespace envoy::type::matcher::v3
namespace re2 {
class RE2;
}

/// The conditions of routes, compiled: what envoy/config/route/v3/route_components.proto says of
/// RouteMatch, HeaderMatcher and QueryParameterMatcher. Immutable, any thread.
namespace lazymesh::egress {

class FieldAudit;

using Regex = std::shared_ptr<const re2::RE2>;
Result<Regex> compile_regex(const std::string& expression);

/// The path without query and fragment.
std::string_view without_query(std::string_view path);

class StringMatch {
 public:
  enum class Kind { kExact, kPrefix, kSuffix, kContains, kRegex };
  StringMatch() = default;
  StringMatch(Kind kind, std::string text, bool ignore_case);
  explicit StringMatch(Regex regex) : kind_(Kind::kRegex), regex_(std::move(regex)) {}
  /// kInvalidArgument for a bad expression or for no condition at all.
  static Result<StringMatch> compile(const envoy::type::matcher::v3::StringMatcher& matcher);

  bool match(std::string_view text) const;

 private:
  Kind kind_ = Kind::kExact;
  std::string text_;  // lower case if ignore_case_
  bool ignore_case_ = false;
  Regex regex_;
};

class PathMatch {
 public:
  static Result<PathMatch> compile(const envoy::config::route::v3::RouteMatch& match);
  /// `path` is without its query.
  bool match(std::string_view path) const;
  /// The part of a matching `path` that a prefix rewrite replaces.
  std::size_t matched_length(std::string_view path) const;

 private:
  enum class Kind { kPrefix, kPath, kRegex, kSeparatedPrefix };
  Kind kind_ = Kind::kPrefix;
  std::string text_;
  bool case_sensitive_ = true;
  Regex regex_;
};

class HeaderMatch {
 public:
  static Result<HeaderMatch> compile(const envoy::config::route::v3::HeaderMatcher& matcher);
  bool match(const RequestView& request) const;

 private:
  enum class Kind { kPresent, kRange, kString };
  bool match_value(std::string_view value) const;

  std::string name_;
  Kind kind_ = Kind::kPresent;
  bool present_ = true;
  std::int64_t start_ = 0;
  std::int64_t end_ = 0;
  StringMatch string_;
  bool invert_ = false;
  bool missing_is_empty_ = false;
};

class QueryMatch {
 public:
  static Result<QueryMatch> compile(const envoy::config::route::v3::QueryParameterMatcher& matcher);
  /// `path` is with its query.
  bool match(std::string_view path) const;

 private:
  enum class Kind { kPresent, kString };
  std::string name_;
  Kind kind_ = Kind::kPresent;
  bool present_ = true;
  StringMatch string_;
};

/// All conditions of one route.
class RequestMatch {
 public:
  /// Conditions that cannot be judged here are added to `audit`; such a route never matches.
  static Result<RequestMatch> compile(const envoy::config::route::v3::RouteMatch& match,
                                      bool ignore_path_parameters, FieldAudit& audit);
  bool match(const RequestView& request, std::uint64_t random) const;
  /// The part of a matching path that is compared: without query and, if so configured, parameters.
  std::string_view compared(std::string_view path) const;
  const PathMatch& path() const { return path_; }

 private:
  bool possible_ = true;
  bool ignore_path_parameters_ = false;
  PathMatch path_;
  bool grpc_ = false;
  std::uint64_t numerator_ = 1;  // of the requests that match
  std::uint64_t denominator_ = 1;
  std::vector<HeaderMatch> headers_;
  std::vector<QueryMatch> query_;
};

/// The value of a header by its lower-case name; pseudo-headers too.
std::optional<std::string> header_of(const RequestView& request, std::string_view name);
/// "http" or "https": what X-Forwarded-Proto says, else what the connection is.
std::string scheme_of(const RequestView& request);

}  // namespace lazymesh::egress
