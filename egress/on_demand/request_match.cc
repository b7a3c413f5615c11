#include "egress/on_demand/request_match.h"

#include <algorithm>
#include <functional>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <re2/re2.h>

#include "envoy/config/route/v3/route_components.pb.h"

#include "egress/on_demand/field_audit.h"

// Deprecated fields are still in use by control planes, and Envoy honours them.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace lazymesh::egress {
namespace {

namespace route = envoy::config::route::v3;

absl::string_view view(std::string_view text) { return {text.data(), text.size()}; }

// The first value of a query parameter, as sent: not decoded, as Envoy compares it.
std::optional<std::string_view> query_parameter(std::string_view path, std::string_view name) {
  const auto question = path.find('?');
  if (question == std::string_view::npos) return std::nullopt;
  auto query = path.substr(question + 1);
  query = query.substr(0, query.find('#'));
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto parameter = query.substr(0, end);
    const auto equals = std::min(parameter.find('='), parameter.size());
    if (parameter.substr(0, equals) == name) {
      return equals == parameter.size() ? std::string_view{} : parameter.substr(equals + 1);
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return std::nullopt;
}

}  // namespace

Result<Regex> compile_regex(const std::string& expression) {
  auto regex = std::make_shared<const re2::RE2>(expression, re2::RE2::Quiet);
  if (!regex->ok()) {
    return fail(Code::kInvalidArgument,
                "regular expression '" + expression + "': " + regex->error());
  }
  return regex;
}

std::string_view without_query(std::string_view path) {
  return path.substr(0, path.find_first_of("?#"));
}

std::optional<std::string> header_of(const RequestView& request, std::string_view name) {
  if (name == ":method") return std::string(request.method);
  if (name == ":path") return std::string(request.path);
  if (name == ":authority" || name == "host") return std::string(request.authority);
  if (name == ":scheme") return scheme_of(request);
  return request.header ? request.header(name) : std::nullopt;
}

std::string scheme_of(const RequestView& request) {
  auto scheme = absl::AsciiStrToLower(header_of(request, "x-forwarded-proto").value_or(""));
  return scheme == "https" ? scheme : "http";
}

StringMatch::StringMatch(Kind kind, std::string text, bool ignore_case)
    : kind_(kind), text_(std::move(text)), ignore_case_(ignore_case) {
  if (ignore_case_) absl::AsciiStrToLower(&text_);
}

Result<StringMatch> StringMatch::compile(const envoy::type::matcher::v3::StringMatcher& matcher) {
  using Matcher = envoy::type::matcher::v3::StringMatcher;
  const bool ignore_case = matcher.ignore_case();
  switch (matcher.match_pattern_case()) {
    case Matcher::kExact:
      return StringMatch(Kind::kExact, matcher.exact(), ignore_case);
    case Matcher::kPrefix:
      return StringMatch(Kind::kPrefix, matcher.prefix(), ignore_case);
    case Matcher::kSuffix:
      return StringMatch(Kind::kSuffix, matcher.suffix(), ignore_case);
    case Matcher::kContains:
      return StringMatch(Kind::kContains, matcher.contains(), ignore_case);
    case Matcher::kSafeRegex: {
      auto regex = compile_regex(matcher.safe_regex().regex());
      if (!regex) return tl::unexpected(std::move(regex.error()));
      return StringMatch(std::move(*regex));
    }
    default:
      break;
  }
  return fail(Code::kInvalidArgument, "a string_match without a supported pattern");
}

bool StringMatch::match(std::string_view text) const {
  std::string lower;
  if (ignore_case_) {
    lower = absl::AsciiStrToLower(view(text));
    text = lower;
  }
  switch (kind_) {
    case Kind::kExact:
      return text == text_;
    case Kind::kPrefix:
      return text.starts_with(text_);
    case Kind::kSuffix:
      return text.ends_with(text_);
    case Kind::kContains:
      return text.find(text_) != std::string_view::npos;
    case Kind::kRegex:
      break;
  }
  return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *regex_);
}

Result<PathMatch> PathMatch::compile(const route::RouteMatch& match) {
  PathMatch path;
  path.case_sensitive_ = !match.has_case_sensitive() || match.case_sensitive().value();
  switch (match.path_specifier_case()) {
    case route::RouteMatch::kPrefix:
      path.kind_ = Kind::kPrefix;
      path.text_ = match.prefix();
      return path;
    case route::RouteMatch::kPath:
      path.kind_ = Kind::kPath;
      path.text_ = match.path();
      return path;
    case route::RouteMatch::kPathSeparatedPrefix:
      path.kind_ = Kind::kSeparatedPrefix;
      path.text_ = match.path_separated_prefix();
      return path;
    case route::RouteMatch::kSafeRegex: {
      path.kind_ = Kind::kRegex;
      auto regex = compile_regex(match.safe_regex().regex());
      if (!regex) return tl::unexpected(std::move(regex.error()));
      path.regex_ = std::move(*regex);
      return path;
    }
    default:
      break;
  }
  return fail(Code::kInvalidArgument, "a route's match says nothing of the path");
}

bool PathMatch::match(std::string_view path) const {
  const auto starts = [&] {
    return case_sensitive_ ? path.starts_with(text_)
                           : absl::StartsWithIgnoreCase(view(path), text_);
  };
  switch (kind_) {
    case Kind::kPrefix:
      return starts();
    case Kind::kPath:
      return case_sensitive_ ? path == text_ : absl::EqualsIgnoreCase(view(path), text_);
    case Kind::kSeparatedPrefix:
      return starts() && (path.size() == text_.size() || path[text_.size()] == '/');
    case Kind::kRegex:
      break;
  }
  return re2::RE2::FullMatch(re2::StringPiece(path.data(), path.size()), *regex_);
}

std::size_t PathMatch::matched_length(std::string_view path) const {
  return kind_ == Kind::kPrefix || kind_ == Kind::kSeparatedPrefix ? text_.size() : path.size();
}

Result<HeaderMatch> HeaderMatch::compile(const route::HeaderMatcher& matcher) {
  HeaderMatch header;
  header.name_ = absl::AsciiStrToLower(matcher.name());
  if (header.name_.empty()) return fail(Code::kInvalidArgument, "a header match without a name");
  header.invert_ = matcher.invert_match();
  header.missing_is_empty_ = matcher.treat_missing_header_as_empty();
  header.kind_ = Kind::kString;
  using Kinds = StringMatch::Kind;
  switch (matcher.header_match_specifier_case()) {
    case route::HeaderMatcher::kExactMatch:
      header.string_ = StringMatch(Kinds::kExact, matcher.exact_match(), false);
      return header;
    case route::HeaderMatcher::kPrefixMatch:
      header.string_ = StringMatch(Kinds::kPrefix, matcher.prefix_match(), false);
      return header;
    case route::HeaderMatcher::kSuffixMatch:
      header.string_ = StringMatch(Kinds::kSuffix, matcher.suffix_match(), false);
      return header;
    case route::HeaderMatcher::kContainsMatch:
      header.string_ = StringMatch(Kinds::kContains, matcher.contains_match(), false);
      return header;
    case route::HeaderMatcher::kSafeRegexMatch: {
      auto regex = compile_regex(matcher.safe_regex_match().regex());
      if (!regex) return tl::unexpected(std::move(regex.error()));
      header.string_ = StringMatch(std::move(*regex));
      return header;
    }
    case route::HeaderMatcher::kStringMatch: {
      auto string = StringMatch::compile(matcher.string_match());
      if (!string) return tl::unexpected(std::move(string.error()));
      header.string_ = std::move(*string);
      return header;
    }
    case route::HeaderMatcher::kRangeMatch:
      header.kind_ = Kind::kRange;
      header.start_ = matcher.range_match().start();
      header.end_ = matcher.range_match().end();
      return header;
    case route::HeaderMatcher::kPresentMatch:
      header.present_ = matcher.present_match();
      break;
    default:
      break;
  }
  header.kind_ = Kind::kPresent;
  return header;
}

bool HeaderMatch::match_value(std::string_view value) const {
  if (kind_ == Kind::kString) return string_.match(value);
  std::int64_t number = 0;
  return absl::SimpleAtoi(view(value), &number) && start_ <= number && number < end_;
}

bool HeaderMatch::match(const RequestView& request) const {
  bool present = false;
  bool matched = false;
  const auto look_at = [&](std::string_view value) {
    present = true;
    if (kind_ != Kind::kPresent) matched = matched || match_value(value);
  };
  if (request.each_value && !name_.starts_with(':')) {
    request.each_value(name_, std::ref(look_at));
  } else if (const auto value = header_of(request, name_)) {
    look_at(*value);
  }
  if (!present && missing_is_empty_) look_at("");
  if (kind_ == Kind::kPresent) return (present == present_) != invert_;
  // An absent header matches nothing, inverted or not (HeaderMatcher.invert_match).
  return present && matched != invert_;
}

Result<QueryMatch> QueryMatch::compile(const route::QueryParameterMatcher& matcher) {
  QueryMatch query;
  query.name_ = matcher.name();
  using Matcher = route::QueryParameterMatcher;
  switch (matcher.query_parameter_match_specifier_case()) {
    case Matcher::kStringMatch: {
      auto string = StringMatch::compile(matcher.string_match());
      if (!string) return tl::unexpected(std::move(string.error()));
      query.kind_ = Kind::kString;
      query.string_ = std::move(*string);
      break;
    }
    case Matcher::kPresentMatch:
      query.present_ = matcher.present_match();
      break;
    default:
      break;
  }
  return query;
}

bool QueryMatch::match(std::string_view path) const {
  const auto value = query_parameter(path, name_);
  if (kind_ == Kind::kPresent) return value.has_value() == present_;
  return value && string_.match(*value);
}

Result<RequestMatch> RequestMatch::compile(const route::RouteMatch& match,
                                           bool ignore_path_parameters, FieldAudit& audit) {
  RequestMatch compiled;
  compiled.ignore_path_parameters_ = ignore_path_parameters;
  FieldAudit impossible;
  impossible.fields(match, "route.match",
                    {"prefix", "path", "safe_regex", "path_separated_prefix", "case_sensitive",
                     "runtime_fraction", "headers", "query_parameters", "grpc"});
  for (auto& field : impossible.take()) {
    compiled.possible_ = false;
    audit.add(std::move(field));
  }
  if (match.path_specifier_case() != route::RouteMatch::kConnectMatcher &&
      match.path_specifier_case() != route::RouteMatch::kPathMatchPolicy) {
    auto path = PathMatch::compile(match);
    if (!path) return tl::unexpected(std::move(path.error()));
    compiled.path_ = std::move(*path);
  }
  compiled.grpc_ = match.has_grpc();
  if (match.has_runtime_fraction()) {
    using Percent = envoy::type::v3::FractionalPercent;
    const auto& fraction = match.runtime_fraction().default_value();
    compiled.numerator_ = fraction.numerator();
    compiled.denominator_ = fraction.denominator() == Percent::MILLION        ? 1'000'000
                            : fraction.denominator() == Percent::TEN_THOUSAND ? 10'000
                                                                              : 100;
  }
  for (const auto& matcher : match.headers()) {
    auto header = HeaderMatch::compile(matcher);
    if (!header) return tl::unexpected(std::move(header.error()));
    compiled.headers_.push_back(std::move(*header));
  }
  for (const auto& matcher : match.query_parameters()) {
    auto query = QueryMatch::compile(matcher);
    if (!query) return tl::unexpected(std::move(query.error()));
    compiled.query_.push_back(std::move(*query));
  }
  return compiled;
}

std::string_view RequestMatch::compared(std::string_view path) const {
  path = without_query(path);
  return ignore_path_parameters_ ? path.substr(0, path.find(';')) : path;
}

bool RequestMatch::match(const RequestView& request, std::uint64_t random) const {
  if (!possible_ || !path_.match(compared(request.path))) return false;
  if (random % denominator_ >= numerator_) return false;
  if (grpc_) {
    const auto type = header_of(request, "content-type").value_or("");
    if (!type.starts_with("application/grpc") || (type.size() > 16 && type[16] != '+')) {
      return false;
    }
  }
  return std::all_of(headers_.begin(), headers_.end(),
                     [&](const HeaderMatch& header) { return header.match(request); }) &&
         std::all_of(query_.begin(), query_.end(),
                     [&](const QueryMatch& query) { return query.match(request.path); });
}

}  // namespace lazymesh::egress
