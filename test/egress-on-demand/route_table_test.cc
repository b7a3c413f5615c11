#include <algorithm>

#include <absl/strings/ascii.h>
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "envoy/config/route/v3/route.pb.h"

#include "egress/on_demand/routing.h"
#include "test/egress-on-demand/route_cases.h"

namespace lazymesh::egress {
namespace {

using envoy::config::route::v3::RouteConfiguration;
using test::RouteRequest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Headers = std::vector<std::pair<std::string, std::string>>;

RouteConfiguration parse(const std::string& json) {
  RouteConfiguration configuration;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &configuration);
  EXPECT_TRUE(status.ok()) << status << " in " << json;
  return configuration;
}

Result<std::shared_ptr<const RouteTable>> compile(const std::string& json,
                                                  std::vector<std::string>* unsupported = nullptr) {
  std::vector<std::string> ignored;
  return RouteTable::compile(parse(json), unsupported ? *unsupported : ignored);
}

std::optional<std::string> find(const Headers& headers, std::string_view name) {
  std::optional<std::string> value;
  for (const auto& [key, each] : headers) {
    if (absl::AsciiStrToLower(key) != name) continue;
    value = value ? *value + "," + each : each;
  }
  return value;
}

RequestView view(const RouteRequest& request) {
  return {request.method, request.authority, request.path,
          [&request](std::string_view name) { return find(request.headers, name); },
          [&request](std::string_view name, const std::function<void(std::string_view)>& each) {
            for (const auto& [key, value] : request.headers) {
              if (absl::AsciiStrToLower(key) == name) each(value);
            }
          }};
}

// What a proxy does with the operations.
void apply(const std::vector<HeaderOperation>& operations, Headers& headers) {
  using Kind = HeaderOperation::Kind;
  for (const auto& operation : operations) {
    const auto name = absl::AsciiStrToLower(operation.name);
    const bool present = find(headers, name).has_value();
    if (operation.kind == Kind::kAddIfAbsent && present) continue;
    if (operation.kind == Kind::kOverwriteIfPresent && !present) continue;
    if (operation.kind != Kind::kAppend) {
      std::erase_if(
          headers, [&](const auto& header) { return absl::AsciiStrToLower(header.first) == name; });
    }
    if (operation.kind != Kind::kRemove) headers.emplace_back(name, operation.value);
  }
}

std::string list(Headers headers, const std::string& prefix, const std::string& before) {
  for (auto& [name, value] : headers) name = absl::AsciiStrToLower(name);
  std::stable_sort(headers.begin(), headers.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text;
  for (const auto& [name, value] : headers) {
    if (name.starts_with(prefix)) text.append(before).append(name).append("=").append(value);
  }
  return text;
}

std::string outcome(const RouteTable& table, const RouteRequest& request) {
  const auto decision = table.match(view(request), 0);
  if (!decision) return "404";
  Headers response;
  std::string text;
  if (decision->status) {
    text = std::to_string(*decision->status) + " " +
           (decision->location.empty() ? decision->body : "-> " + decision->location);
  } else {
    response.emplace_back("x-r-up", "1");
    text = decision->cluster + " " + decision->path.value_or(request.path);
    if (decision->authority) text += " host=" + *decision->authority;
    const auto timeout = decision->timeout.value_or(std::chrono::milliseconds(0)).count();
    if (timeout != 15'000) text += " timeout=" + std::to_string(timeout);
    auto headers = request.headers;
    apply(decision->request_headers, headers);
    text += list(headers, "x-t", " ");
  }
  apply(decision->response_headers, response);
  text += list(response, "x-r", " <");
  const auto plain = text.find(" <x-r-up=1");
  return plain == std::string::npos ? text : text.erase(plain, 10);
}

class RouteTableCase : public testing::TestWithParam<test::RouteCase> {};

TEST_P(RouteTableCase, DecidesAsExpected) {
  std::vector<std::string> unsupported;
  const auto table = compile(GetParam().configuration, &unsupported);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_THAT(unsupported, IsEmpty());
  for (const auto& request : GetParam().requests) {
    EXPECT_EQ(outcome(**table, request), request.outcome)
        << request.method << " " << request.authority << request.path;
  }
}

INSTANTIATE_TEST_SUITE_P(All, RouteTableCase, testing::ValuesIn(test::route_cases()),
                         [](const auto& each) { return each.param.name; });

std::string one_route(const std::string& route) {
  return R"({"name": "r", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [)" +
         route + "]}]}";
}

TEST(RouteTable, DrawsClustersByWeight) {
  const auto table = *compile(one_route(R"({"match": {"prefix": "/"}, "route": {"weighted_clusters":
      {"clusters": [{"name": "a", "weight": 20}, {"name": "b", "weight": 80}]}}})"));
  const RouteRequest request;
  int a = 0;
  for (std::uint64_t random = 0; random < 1'000; ++random) {
    if (table->match(view(request), random)->cluster == "a") ++a;
  }
  EXPECT_EQ(a, 200);
  EXPECT_THAT(table->clusters(), ElementsAre("a", "b"));
}

TEST(RouteTable, AFractionOfRequestsMatches) {
  const auto table = *compile(one_route(R"({"match": {"prefix": "/", "runtime_fraction":
      {"default_value": {"numerator": 3, "denominator": "HUNDRED"}}}, "route": {"cluster": "a"}})"));
  const RouteRequest request;
  int matched = 0;
  for (std::uint64_t random = 0; random < 1'000; ++random) {
    if (table->match(view(request), random)) ++matched;
  }
  EXPECT_EQ(matched, 30);
}

TEST(RouteTable, NamesItsClustersOnceAscending) {
  const auto table = *compile(one_route(
      R"({"match": {"prefix": "/b"}, "route": {"cluster": "b"}},
         {"match": {"prefix": "/a"}, "route": {"cluster": "a"}},
         {"match": {"prefix": "/c"}, "redirect": {"https_redirect": true}},
         {"match": {"prefix": "/"}, "route": {"cluster": "b"}})"));
  EXPECT_THAT(table->clusters(), ElementsAre("a", "b"));
}

TEST(RouteTable, NamesWhatItDoesNotHonour) {
  std::vector<std::string> unsupported;
  const auto table = compile(
      R"({"name": "r", "internal_only_headers": ["x"], "virtual_hosts": [{"name": "all",
          "domains": ["*"], "cors": {}, "routes": [
        {"match": {"prefix": "/"}, "decorator": {"operation": "x"}, "route": {"cluster": "a",
          "retry_policy": {"retry_on": "5xx"}, "hash_policy": [{"header": {"header_name": "x"}}],
          "request_mirror_policies": [{"cluster": "b"}]}, "typed_per_filter_config": {"f": {}},
          "request_headers_to_add": [{"header": {"key": "x-a", "value": "%PROTOCOL%"}}]}]}]})",
      &unsupported);
  ASSERT_TRUE(table);
  EXPECT_THAT(unsupported,
              ElementsAre("route.request_headers_to_add.header.value", "route.route.hash_policy",
                          "route.route.request_mirror_policies", "route.route.retry_policy",
                          "route.typed_per_filter_config",
                          "route_configuration.internal_only_headers", "virtual_host.cors"));
  EXPECT_THAT((*table)->match(view({}), 0)->request_headers, IsEmpty());
}

// A condition that cannot be judged is not taken for fulfilled.
TEST(RouteTable, ARouteWithAnUnsupportedConditionNeverMatches) {
  std::vector<std::string> unsupported;
  const auto table =
      compile(one_route(R"({"match": {"prefix": "/", "filter_state": [{"key": "lazymesh.port",
          "string_match": {"exact": "80"}}]}, "route": {"cluster": "a"}},
          {"match": {"prefix": "/"}, "route": {"cluster": "b"}})"),
              &unsupported);
  ASSERT_TRUE(table);
  EXPECT_THAT(unsupported, ElementsAre("route.match.filter_state"));
  EXPECT_EQ((*table)->match(view({}), 0)->cluster, "b");
}

// An action that cannot be taken is refused, not guessed.
TEST(RouteTable, AnUnsupportedActionIsAnswered503) {
  std::vector<std::string> unsupported;
  const auto table = compile(
      one_route(R"({"match": {"prefix": "/"}, "route": {"cluster_header": "x-c"}})"), &unsupported);
  ASSERT_TRUE(table);
  EXPECT_THAT(unsupported, ElementsAre("route.route.cluster_header"));
  const auto decision = (*table)->match(view({}), 0);
  EXPECT_EQ(decision->status, 503U);
  EXPECT_THAT(decision->body, HasSubstr("route.route.cluster_header"));
}

struct Refused {
  std::string what;
  std::string configuration;
  std::string message;
};

class RouteTableRefuses : public testing::TestWithParam<Refused> {};

TEST_P(RouteTableRefuses, WhatEnvoyRefusesToo) {
  const auto table = compile(GetParam().configuration);
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, Code::kInvalidArgument);
  EXPECT_THAT(table.error().message, HasSubstr(GetParam().message));
  EXPECT_THAT(table.error().message, HasSubstr("RouteConfiguration 'r'"));
}

INSTANTIATE_TEST_SUITE_P(
    All, RouteTableRefuses,
    testing::Values(
        Refused{"DomainTwice",
                R"({"name": "r", "virtual_hosts": [{"name": "a", "domains": ["x"]},
                    {"name": "b", "domains": ["X"]}]})",
                "domain 'X' appears twice"},
        Refused{
            "BadRegex",
            one_route(R"({"match": {"safe_regex": {"regex": "("}}, "route": {"cluster": "a"}})"),
            "regular expression '('"},
        Refused{"BadSubstitution",
                one_route(R"({"match": {"prefix": "/"}, "route": {"cluster": "a", "regex_rewrite":
                    {"pattern": {"regex": "a"}, "substitution": "\\1"}}})"),
                "substitution"},
        Refused{"NoPath", one_route(R"({"match": {}, "route": {"cluster": "a"}})"), "path"},
        Refused{"NoAction", one_route(R"({"match": {"prefix": "/"}})"), "no action"},
        Refused{"NoWeight",
                one_route(R"({"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters":
                    [{"name": "a", "weight": 0}]}}})"),
                "no weight"},
        Refused{"PseudoHeader", one_route(R"({"match": {"prefix": "/"}, "route": {"cluster": "a"},
                    "request_headers_to_add": [{"header": {"key": ":path", "value": "/"}}]})"),
                "':path'"},
        Refused{"HostRemoved", one_route(R"({"match": {"prefix": "/"}, "route": {"cluster": "a"},
                    "request_headers_to_remove": ["Host"]})"),
                "'Host'"},
        Refused{"LongBody",
                one_route(R"({"match": {"prefix": "/"}, "direct_response": {"status": 200, "body":
                    {"inline_string": ")" +
                          std::string(5'000, 'x') + R"("}}})"),
                "5000"}),
    [](const auto& each) { return each.param.what; });

}  // namespace
}  // namespace lazymesh::egress
