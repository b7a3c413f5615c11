#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "egress/on_demand/request_match.h"

namespace envoy::config::route::v3 {
class RedirectAction;
}
namespace envoy::type::matcher::v3 {
class RegexMatchAndSubstitute;
}

namespace lazymesh::egress {

/// A pattern and what its matches in a path become.
struct RegexRewrite {
  Regex regex;  ///< null: nothing is rewritten
  std::string substitution;

  static Result<RegexRewrite> compile(
      const envoy::type::matcher::v3::RegexMatchAndSubstitute& rewrite);
  std::string apply(std::string_view text) const;
};

/// envoy.config.route.v3.RedirectAction, compiled.
class Redirect {
 public:
  static Result<Redirect> compile(const envoy::config::route::v3::RedirectAction& action);
  std::uint32_t status() const { return status_; }
  /// `match` is the route's, which a prefix rewrite refers to.
  std::string location(const RequestView& request, const RequestMatch& match) const;

 private:
  std::uint32_t status_ = 301;
  std::string scheme_;  // empty: the request's
  std::string host_;    // empty: the request's
  std::string port_;    // ":8080"; empty: as the host has it
  std::string path_;    // empty: the request's, rewritten
  std::optional<std::string> prefix_rewrite_;
  RegexRewrite regex_rewrite_;
  bool strip_query_ = false;
};

}  // namespace lazymesh::egress
