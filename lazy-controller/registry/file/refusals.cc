#include "lazy-controller/registry/file/refusals.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/time_util.h>
#include <re2/re2.h>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/cluster/v3/outlier_detection.pb.h"
#include "envoy/config/core/v3/health_check.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "envoy/type/matcher/v3/regex.pb.h"
#include "xds/type/matcher/v3/regex.pb.h"

#include "lazy-controller/registry/file/field_value.h"

namespace lazymesh::registry {
namespace {

namespace cluster = envoy::config::cluster::v3;
namespace core = envoy::config::core::v3;
namespace route = envoy::config::route::v3;
using google::protobuf::Any;
using google::protobuf::Duration;
using google::protobuf::Map;
using google::protobuf::Message;
using google::protobuf::RepeatedPtrField;
using google::protobuf::util::TimeUtil;

// The message that is checked, where it is written.
class Place {
 public:
  Place(const Value& value, Problems& problems) : value_(value), problems_(problems) {}

  /// At a field of it, by protobuf's path.
  void refuse(std::string_view field, std::string reason) const {
    problems_.add(descend(value_, field), std::move(reason));
  }
  void refuse(std::string_view list, int index, std::string_view field, std::string reason) const {
    refuse(std::string(list) + "[" + std::to_string(index) + "]" + std::string(field),
           std::move(reason));
  }
  /// At the entry for a key of a map.
  void refuse_entry(std::string_view map, std::string_view key, std::string reason) const {
    Value at = descend(value_, map);
    for (const auto& [name, entry] : at.entries()) {
      if (name.text() != key) continue;
      at = entry;
      break;
    }
    problems_.add(at, std::move(reason));
  }

 private:
  const Value& value_;
  Problems& problems_;
};

void check(const Duration& duration, const Place& place) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max() / 1'000'000'000 - 1;
  if (duration.seconds() < 0 || duration.nanos() < 0 || duration.seconds() > kMost) {
    place.refuse("", "must be at least 0s and at most " + std::to_string(kMost) + "s");
  }
}

template <class Regex>
void check_regex(const Regex& regex, const Place& place) {
  const re2::RE2 compiled(regex.regex(), re2::RE2::Quiet);
  if (!compiled.ok()) place.refuse("regex", "is no regular expression: " + compiled.error());
}
void check(const envoy::type::matcher::v3::RegexMatcher& regex, const Place& place) {
  check_regex(regex, place);
}
void check(const xds::type::matcher::v3::RegexMatcher& regex, const Place& place) {
  check_regex(regex, place);
}

bool is_fixed(std::string_view header) {
  constexpr std::string_view kHost = "host";
  return header.starts_with(':') ||
         std::equal(header.begin(), header.end(), kHost.begin(), kHost.end(),
                    [](char a, char b) { return (a | 0x20) == b; });
}

constexpr auto kFixed =
    "is a header that Envoy does not let anyone change (host, or a name with ':')";

void check(const core::HeaderValueOption& option, const Place& place) {
  // Envoy's commands: %NAME%, %NAME(PARAMETERS):LENGTH%; a percent sign is %%.
  static const re2::RE2 format(R"((?s)(?:[^%]|%%|%[A-Z0-9_]+(?:\([^)]*\))?(?::[0-9]+)?%)*)",
                               re2::RE2::Quiet);
  if (is_fixed(option.header().key())) place.refuse("header.key", kFixed);
  if (!re2::RE2::FullMatch(option.header().value(), format)) {
    place.refuse("header.value", "has a % that begins no %COMMAND%; write %% for a percent sign");
  }
  const auto* append = option.GetDescriptor()->FindFieldByName("append");  // deprecated
  if (option.GetReflection()->HasField(option, append) &&
      option.append_action() != core::HeaderValueOption::APPEND_IF_EXISTS_OR_ADD) {
    place.refuse("append", "cannot stand beside append_action");
  }
}

void check_removed(const RepeatedPtrField<std::string>& headers, std::string_view field,
                   const Place& place) {
  for (int i = 0; i < headers.size(); ++i) {
    if (is_fixed(headers[i])) place.refuse(field, i, "", kFixed);
  }
}

template <class Changed>
void check_removed(const Changed& changed, const Place& place) {
  check_removed(changed.request_headers_to_remove(), "request_headers_to_remove", place);
  check_removed(changed.response_headers_to_remove(), "response_headers_to_remove", place);
}

void check_filter(const Any& config, std::string_view filter, const Place& place) {
  using envoy::extensions::filters::http::cors::v3::CorsPolicy;
  using envoy::extensions::filters::http::fault::v3::HTTPFault;
  if (config.Is<HTTPFault>() || config.Is<CorsPolicy>()) return;
  constexpr auto kField = "typed_per_filter_config";
  if (route::FilterConfig wrapped; config.UnpackTo(&wrapped)) {
    if (wrapped.has_config()) return check_filter(wrapped.config(), filter, place);
    if (wrapped.disabled()) return;
    return place.refuse_entry(kField, filter, "needs config or disabled");
  }
  place.refuse_entry(kField, filter,
                     "can only be an HTTPFault or a CorsPolicy, or either in a FilterConfig");
}

void check_filters(const Map<std::string, Any>& filters, const Place& place) {
  for (const auto& [filter, config] : filters) check_filter(config, filter, place);
}

template <class Scope>
void check_scope(const Scope& scope, const Place& place) {
  check_removed(scope, place);
  check_filters(scope.typed_per_filter_config(), place);
}
void check(const route::RouteConfiguration& routes, const Place& place) {
  check_scope(routes, place);
}
void check(const route::VirtualHost& host, const Place& place) { check_scope(host, place); }
void check(const route::Route& route, const Place& place) { check_scope(route, place); }
void check(const route::WeightedCluster::ClusterWeight& weight, const Place& place) {
  check_scope(weight, place);
  if (!weight.has_weight()) place.refuse("", "weight is missing");
}

void check(const route::WeightedCluster& weighted, const Place& place) {
  std::uint64_t sum = 0;
  for (const auto& each : weighted.clusters()) sum += each.weight().value();
  constexpr auto kMost = std::numeric_limits<std::uint32_t>::max();
  if (sum == 0 || sum > kMost) {
    place.refuse("clusters",
                 "must have weights whose sum is at least 1 and at most " + std::to_string(kMost));
  }
}

void check(const route::RouteAction& action, const Place& place) {
  const int rewrites = int{!action.prefix_rewrite().empty()} + int{action.has_regex_rewrite()} +
                       int{action.has_path_rewrite_policy()};
  if (rewrites > 1) {
    place.refuse("", "takes one of prefix_rewrite, regex_rewrite, path_rewrite_policy");
  }
  std::set<std::string> upgrades;
  for (int i = 0; i < action.upgrade_configs_size(); ++i) {
    const auto& upgrade = action.upgrade_configs(i);
    std::string type = upgrade.upgrade_type();
    std::transform(type.begin(), type.end(), type.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    if (upgrade.has_connect_config() && type != "connect" && type != "connect-udp") {
      place.refuse("upgrade_configs", i, ".connect_config", "is for CONNECT and CONNECT-UDP only");
    }
    if (!upgrades.insert(std::move(type)).second) {
      place.refuse("upgrade_configs", i, ".upgrade_type", "is there twice");
    }
  }
}

void check(const route::RetryPolicy::RetryBackOff& back_off, const Place& place) {
  if (back_off.has_max_interval() && back_off.max_interval() < back_off.base_interval()) {
    place.refuse("max_interval", "must be at least the base_interval");
  }
}

void check(const cluster::OutlierDetection& detection, const Place& place) {
  const auto base = detection.has_base_ejection_time() ? detection.base_ejection_time()
                                                       : TimeUtil::SecondsToDuration(30);
  if (detection.has_max_ejection_time() && detection.max_ejection_time() < base) {
    place.refuse("max_ejection_time",
                 "must be at least the base_ejection_time, " + TimeUtil::ToString(base));
  }
}

bool is_prime(std::uint64_t number) {
  for (std::uint64_t i = 2; i * i <= number; ++i) {
    if (number % i == 0) return false;
  }
  return number > 0;  // Envoy takes 1
}

void check_policy(const cluster::Cluster& cluster, const Place& place) {
  using cluster::Cluster;
  constexpr std::uint64_t kMinRing = 1024;
  constexpr std::uint64_t kMaxRing = 8 * 1024 * 1024;
  if (cluster.has_load_balancing_policy()) {
    place.refuse("load_balancing_policy", "is not supported; use lb_policy");
  }
  const bool original = cluster.has_type() && cluster.type() == Cluster::ORIGINAL_DST;
  switch (cluster.lb_policy()) {
    case Cluster::LOAD_BALANCING_POLICY_CONFIG:
      return place.refuse("lb_policy", "needs load_balancing_policy, which is not supported");
    case Cluster::CLUSTER_PROVIDED:
      if (!original) place.refuse("lb_policy", "CLUSTER_PROVIDED is for type ORIGINAL_DST only");
      return;
    case Cluster::MAGLEV: {
      const auto& config = cluster.maglev_lb_config();
      if (config.has_table_size() && !is_prime(config.table_size().value())) {
        place.refuse("maglev_lb_config.table_size", "must be a prime number");
      }
      break;
    }
    case Cluster::RING_HASH: {
      const auto& config = cluster.ring_hash_lb_config();
      const auto least =
          config.has_minimum_ring_size() ? config.minimum_ring_size().value() : kMinRing;
      const auto most =
          config.has_maximum_ring_size() ? config.maximum_ring_size().value() : kMaxRing;
      if (least > most) {
        place.refuse("ring_hash_lb_config",
                     "must have a maximum_ring_size of at least the "
                     "minimum_ring_size, " +
                         std::to_string(least));
      }
      break;
    }
    default:
      break;
  }
  if (original) place.refuse("type", "ORIGINAL_DST needs lb_policy CLUSTER_PROVIDED");
}

void check(const cluster::Cluster& cluster, const Place& place) {
  using envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
  check_policy(cluster, place);
  const auto& name = HttpProtocolOptions::descriptor()->full_name();
  for (const auto& [key, options] : cluster.typed_extension_protocol_options()) {
    if (key != name || !options.Is<HttpProtocolOptions>()) {
      place.refuse_entry("typed_extension_protocol_options", key,
                         "can only be HttpProtocolOptions, under " + name);
    }
  }
  const auto& localities = cluster.load_assignment().endpoints();
  if (cluster.type() == cluster::Cluster::LOGICAL_DNS &&
      (localities.size() != 1 || localities[0].lb_endpoints_size() != 1)) {
    place.refuse("load_assignment", "must have exactly one endpoint with type LOGICAL_DNS");
  }
}

void check(const core::HealthCheck::Payload& payload, const Place& place) {
  const auto& text = payload.text();
  if (text.size() % 2 != 0 ||
      text.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
    place.refuse("text", "must be bytes in hexadecimal");
  }
}

void check(const core::HealthCheck::HttpHealthCheck& check, const Place& place) {
  check_removed(check.request_headers_to_remove(), "request_headers_to_remove", place);
  const auto ranges = [&](const auto& list, std::string_view field) {
    for (int i = 0; i < list.size(); ++i) {
      if (list[i].start() >= 100 && list[i].start() < list[i].end() && list[i].end() <= 600)
        continue;
      place.refuse(field, i, "", "must have 100 <= start < end <= 600");
    }
  };
  ranges(check.expected_statuses(), "expected_statuses");
  ranges(check.retriable_statuses(), "retriable_statuses");
}

using Rule = void (*)(const Message&, const Place&);

template <class... Messages>
std::unordered_map<const google::protobuf::Descriptor*, Rule> rules() {
  return {{Messages::descriptor(), [](const Message& message, const Place& place) {
             check(static_cast<const Messages&>(message), place);
           }}...};
}

}  // namespace

void check_refusals(const Message& message, const Value& value, Problems& problems) {
  static const auto by_type =
      rules<Duration, envoy::type::matcher::v3::RegexMatcher, xds::type::matcher::v3::RegexMatcher,
            core::HeaderValueOption, core::HealthCheck::HttpHealthCheck, core::HealthCheck::Payload,
            cluster::Cluster, cluster::OutlierDetection, route::RouteConfiguration,
            route::VirtualHost, route::Route, route::RouteAction, route::WeightedCluster,
            route::WeightedCluster::ClusterWeight, route::RetryPolicy::RetryBackOff>();
  const auto* type = message.GetDescriptor();
  const Place place(value, problems);
  if (const auto rule = by_type.find(type); rule != by_type.end()) rule->second(message, place);
  // An extension without its configuration is none that Envoy knows.
  const auto* config = type->FindOneofByName("config_type");
  if (config != nullptr && !message.GetReflection()->HasOneof(message, config)) {
    place.refuse("", "typed_config is missing");
  }
}

}  // namespace lazymesh::registry
