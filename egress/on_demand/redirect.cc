#include "egress/on_demand/redirect.h"

#include <utility>

#include <re2/re2.h>

#include "envoy/config/route/v3/route_components.pb.h"

namespace lazymesh::egress {
namespace {

namespace route = envoy::config::route::v3;

std::uint32_t status_of(route::RedirectAction::RedirectResponseCode code) {
  switch (code) {
    case route::RedirectAction::FOUND:
      return 302;
    case route::RedirectAction::SEE_OTHER:
      return 303;
    case route::RedirectAction::TEMPORARY_REDIRECT:
      return 307;
    case route::RedirectAction::PERMANENT_REDIRECT:
      return 308;
    default:
      break;
  }
  return 301;
}

// The request's host for the Location: without its port if that is replaced, or if it is the
// default of a scheme that is left.
std::string_view kept_host(std::string_view authority, bool port_replaced,
                           std::string_view left_scheme) {
  const auto colon = authority.rfind(':');
  const auto bracket = authority.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) {
    return authority;
  }
  const auto port = authority.substr(colon);
  const bool drop = port_replaced || (left_scheme == "http" && port == ":80") ||
                    (left_scheme == "https" && port == ":443");
  return drop ? authority.substr(0, colon) : authority;
}

}  // namespace

Result<RegexRewrite> RegexRewrite::compile(
    const envoy::type::matcher::v3::RegexMatchAndSubstitute& rewrite) {
  auto regex = compile_regex(rewrite.pattern().regex());
  if (!regex) return tl::unexpected(std::move(regex.error()));
  std::string wrong;
  if (!(*regex)->CheckRewriteString(rewrite.substitution(), &wrong)) {
    return fail(Code::kInvalidArgument, "substitution '" + rewrite.substitution() + "': " + wrong);
  }
  return RegexRewrite{std::move(*regex), rewrite.substitution()};
}

std::string RegexRewrite::apply(std::string_view text) const {
  std::string result(text);
  re2::RE2::GlobalReplace(&result, *regex, substitution);
  return result;
}

Result<Redirect> Redirect::compile(const route::RedirectAction& action) {
  Redirect redirect;
  redirect.status_ = status_of(action.response_code());
  redirect.scheme_ = action.https_redirect() ? "https" : action.scheme_redirect();
  redirect.host_ = action.host_redirect();
  if (action.port_redirect() != 0) redirect.port_ = ":" + std::to_string(action.port_redirect());
  redirect.strip_query_ = action.strip_query();
  switch (action.path_rewrite_specifier_case()) {
    case route::RedirectAction::kPathRedirect:
      redirect.path_ = action.path_redirect();
      break;
    case route::RedirectAction::kPrefixRewrite:
      redirect.prefix_rewrite_ = action.prefix_rewrite();
      break;
    case route::RedirectAction::kRegexRewrite: {
      auto rewrite = RegexRewrite::compile(action.regex_rewrite());
      if (!rewrite) return tl::unexpected(std::move(rewrite.error()));
      redirect.regex_rewrite_ = std::move(*rewrite);
      break;
    }
    default:
      break;
  }
  return redirect;
}

std::string Redirect::location(const RequestView& request, const RequestMatch& match) const {
  const auto bare = without_query(request.path);
  const auto query = request.path.substr(bare.size());
  std::string path;
  bool keep_query = !strip_query_;
  if (!path_.empty()) {
    path = path_;
    // A query of the redirect's own replaces the request's.
    if (path_.find('?') != std::string::npos) keep_query = false;
  } else if (prefix_rewrite_) {
    path = *prefix_rewrite_;
    path += bare.substr(match.path().matched_length(match.compared(request.path)));
  } else if (regex_rewrite_.regex) {
    path = regex_rewrite_.apply(bare);
  } else {
    path = bare;
  }
  if (keep_query) path += query;
  const auto asked = scheme_of(request);
  const auto& scheme = scheme_.empty() ? asked : scheme_;
  auto location = scheme + "://";
  location += host_.empty() ? kept_host(request.authority, !port_.empty(),
                                        scheme == asked ? std::string_view{} : asked)
                            : std::string_view(host_);
  return location.append(port_).append(path);
}

}  // namespace lazymesh::egress
