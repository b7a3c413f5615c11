#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace lazymesh::registry {

/// What a service may carry, as the content of a mapping, and what the loader says of it; nothing,
/// if it is good. A real Envoy is to be of the same mind.
struct EnvoyConfig {
  enum Kind { kCluster, kRoutes };

  const char* name;
  Kind kind;
  std::string text;
  std::string path;  ///< what is refused, below `cluster` or `routes`
  std::string reason;
};

inline void PrintTo(const EnvoyConfig& config, std::ostream* out) { *out << config.name; }

namespace configs {

inline const std::string kHttpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
inline const std::string kFilters = "type.googleapis.com/envoy.extensions.filters.http.";
inline const std::string kCluster = "outbound|80||reviews.a.svc.cluster.local";

inline EnvoyConfig cluster(const char* name, std::string text, std::string path = "",
                           std::string reason = "") {
  return {name, EnvoyConfig::kCluster, std::move(text), std::move(path), std::move(reason)};
}
inline EnvoyConfig routes(const char* name, std::string text, std::string path = "",
                          std::string reason = "") {
  return {name, EnvoyConfig::kRoutes, std::move(text), std::move(path), std::move(reason)};
}
inline EnvoyConfig host(const char* name, const std::string& text, const std::string& path = "",
                        std::string reason = "") {
  return routes(name, "virtual_hosts: [{name: r, domains: ['*'], " + text + "}]",
                "virtual_hosts[0]" + path, std::move(reason));
}
/// A route of which `text` is all.
inline EnvoyConfig bare(const char* name, const std::string& text, const std::string& path = "",
                        std::string reason = "") {
  return host(name, "routes: [{" + text + "}]", ".routes[0]" + path, std::move(reason));
}
inline EnvoyConfig match(const char* name, const std::string& text, const std::string& path = "",
                         std::string reason = "") {
  return bare(name, "match: {" + text + "}, route: {cluster: '" + kCluster + "'}", ".match" + path,
              std::move(reason));
}
inline EnvoyConfig route(const char* name, const std::string& text, const std::string& path = "",
                         std::string reason = "") {
  return bare(name, "match: {prefix: /}, " + text + ", route: {cluster: '" + kCluster + "'}", path,
              std::move(reason));
}
inline EnvoyConfig action(const char* name, const std::string& text, const std::string& path = "",
                          std::string reason = "") {
  return bare(name, "match: {prefix: /}, route: {cluster: '" + kCluster + "', " + text + "}",
              ".route" + path, std::move(reason));
}
inline EnvoyConfig weighted(const char* name, const std::string& text, const std::string& path = "",
                            std::string reason = "") {
  return bare(name, "match: {prefix: /}, route: {weighted_clusters: {clusters: [" + text + "]}}",
              ".route.weighted_clusters" + path, std::move(reason));
}
inline EnvoyConfig check(const char* name, const std::string& text, const std::string& path = "",
                         std::string reason = "") {
  return cluster(name,
                 "health_checks: [{timeout: 1s, interval: 1s, unhealthy_threshold: 1, "
                 "healthy_threshold: 1, " +
                     text + "}]",
                 "health_checks[0]" + path, std::move(reason));
}
inline EnvoyConfig options(const char* name, const std::string& text, const std::string& path = "",
                           std::string reason = "") {
  return cluster(name,
                 "typed_extension_protocol_options: {" + kHttpOptions +
                     ": {'@type': type.googleapis.com/" + kHttpOptions + ", " + text + "}}",
                 "typed_extension_protocol_options." + kHttpOptions + path, std::move(reason));
}
inline EnvoyConfig filter(const char* name, const std::string& text, const std::string& path = "",
                          std::string reason = "") {
  return route(name, "typed_per_filter_config: {f: {" + text + "}}",
               ".typed_per_filter_config.f" + path, std::move(reason));
}
inline std::string dns(const std::string& endpoints) {
  return "load_assignment: {cluster_name: a, endpoints: [{lb_endpoints: [" + endpoints + "]}]}";
}
inline std::string endpoint(const std::string& port) {
  return "{endpoint: {address: {socket_address: {address: example.com, port_value: " + port +
         "}}}}";
}

}  // namespace configs

/// Refused by what Envoy's API says of its fields: one or more for each kind of rule that routes
/// and clusters can break, and for each place in which a rule can be.
inline std::vector<EnvoyConfig> unconstrained_configs() {
  using namespace configs;
  return {
      cluster("DurationGt", "connect_timeout: 0s", "connect_timeout", "must be above 0s"),
      cluster("DurationRequired",
              "health_checks: [{timeout: 1s, interval: null, unhealthy_threshold: 1, "
              "healthy_threshold: 1, http_health_check: {path: /}}]",
              "health_checks[0].interval", "must not be empty"),
      action("DurationInBackOffRequired", "retry_policy: {retry_back_off: {}}",
             ".retry_policy.retry_back_off", "base_interval is missing"),
      cluster("DurationOfADeprecatedField",
              "common_lb_config: {update_merge_window: 1s}, dns_refresh_rate: 0.0005s",
              "dns_refresh_rate", "must be above 0.001s"),
      cluster("WrapperLte", "outlier_detection: {max_ejection_percent: 200}",
              "outlier_detection.max_ejection_percent", "must be at most 100"),
      cluster("CamelCase", "outlierDetection: {maxEjectionPercent: 200}",
              "outlierDetection.maxEjectionPercent", "must be at most 100"),
      cluster("DoubleRange", "preconnect_policy: {per_upstream_preconnect_ratio: 5}",
              "preconnect_policy.per_upstream_preconnect_ratio",
              "must be at least 1 and at most 3"),
      cluster("DoubleInAMessage", "common_lb_config: {healthy_panic_threshold: {value: 101}}",
              "common_lb_config.healthy_panic_threshold.value",
              "must be at least 0 and at most 100"),
      cluster("Uint64Lte", "maglev_lb_config: {table_size: 6000011}", "maglev_lb_config.table_size",
              "must be at most 5000011"),
      cluster("PlainNumber", "type: STRICT_DNS, " + dns(endpoint("70000")),
              "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address"
              ".port_value",
              "must be at most 65535"),
      cluster("EnumDefinedOnly", "dns_lookup_family: 77", "dns_lookup_family",
              "must be one of AUTO, V4_ONLY, V6_ONLY, V4_PREFERRED, ALL"),
      check("EnumNotIn", "http_health_check: {path: /, method: CONNECT}",
            ".http_health_check.method",
            "must be one of METHOD_UNSPECIFIED, GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, "
            "PATCH"),
      cluster("MapKey", "metadata: {filter_metadata: {'': {a: b}}}", "metadata.filter_metadata.",
              "must not be empty"),
      cluster("TextInAMessageOfAList",
              "transport_socket_matches: [{name: '', transport_socket: {name: x}}]",
              "transport_socket_matches[0].name", "must not be empty"),
      check("OneofRequired", "reuse_connection: true", "",
            "needs one of http_health_check, tcp_health_check, grpc_health_check, "
            "custom_health_check"),
      options("OneofWithOneChoice", "explicit_http_config: {}", ".explicit_http_config",
              "needs one of http_protocol_options, http2_protocol_options, http3_protocol_options"),
      options("InATypedConfig",
              "explicit_http_config: {http2_protocol_options: {max_concurrent_streams: 0}}",
              ".explicit_http_config.http2_protocol_options.max_concurrent_streams",
              "must be at least 1 and at most 2147483647"),
      options("StrictHeaderName",
              "explicit_http_config: {http_protocol_options: {}}, "
              "upstream_http_protocol_options: {override_auto_sni_header: 'a b'}",
              ".upstream_http_protocol_options.override_auto_sni_header",
              "is not the name of a header"),
      host("ItemsNotEmpty", "request_headers_to_remove: [a, '']", ".request_headers_to_remove[1]",
           "must not be empty"),
      host("EnumOfAHost", "require_tls: 9", ".require_tls",
           "must be one of NONE, EXTERNAL_ONLY, ALL"),
      bare("MessageRequired", "route: {cluster: '" + kCluster + "'}", "", "match is missing"),
      bare("ActionRequired", "match: {prefix: /}", "",
           "needs one of route, redirect, direct_response, filter_action, non_forwarding_action"),
      bare("RedirectCode", "match: {prefix: /}, redirect: {response_code: 7}",
           ".redirect.response_code",
           "must be one of MOVED_PERMANENTLY, FOUND, SEE_OTHER, TEMPORARY_REDIRECT, "
           "PERMANENT_REDIRECT"),
      bare("DirectResponse", "match: {prefix: /}, direct_response: {status: 99}",
           ".direct_response.status", "must be at least 200 and below 600"),
      match("EmptyText", "safe_regex: {regex: ''}", ".safe_regex.regex", "must not be empty"),
      match("MissingText", "safe_regex: {}", ".safe_regex", "regex is missing"),
      match("Pattern", "path_separated_prefix: /a/", ".path_separated_prefix",
            "must match ^[^?#]+[^?#/]$"),
      match("MinItems",
            "prefix: /, dynamic_metadata: [{filter: f, path: [], value: "
            "{present_match: true}}]",
            ".dynamic_metadata[0].path", "must have at least 1 element"),
      match("HeaderName", "prefix: /, headers: [{name: \"a\\n\"}]", ".headers[0].name",
            "must have no NUL, CR or LF in it"),
      match("NestedMessageRequired", "prefix: /, runtime_fraction: {runtime_key: x}",
            ".runtime_fraction", "default_value is missing"),
      match("AnyRequired", "path_match_policy: {name: x}", ".path_match_policy",
            "typed_config is missing"),
      action("MaxItems",
             "internal_redirect_policy: {redirect_response_codes: [301, 302, 303, 307, 308, 309]}",
             ".internal_redirect_policy.redirect_response_codes", "must have at most 5 elements"),
      action("Unique", "internal_redirect_policy: {response_headers_to_copy: [a, b, a]}",
             ".internal_redirect_policy.response_headers_to_copy[2]", "is there twice"),
      action("HeaderValue", "host_rewrite_literal: \"a\\n\"", ".host_rewrite_literal",
             "must have no NUL, CR or LF in it"),
      action("Uint32Gt", "hedge_policy: {initial_requests: 0}", ".hedge_policy.initial_requests",
             "must be at least 1"),
      action("NoLongerTaken",
             "rate_limits: [{actions: [{dynamic_metadata: {descriptor_key: a, metadata_key: {key: "
             "a, path: [{key: b}]}}}]}]",
             ".rate_limits[0].actions[0].dynamic_metadata",
             "Envoy does not take this field any more"),
      action("Prefix", "rate_limits: [{actions: [{remote_address: {}}], hits_addend: {format: x}}]",
             ".rate_limits[0].hits_addend.format", "must begin with '%'"),
      action("Suffix",
             "rate_limits: [{actions: [{remote_address: {}}], hits_addend: {format: '%x'}}]",
             ".rate_limits[0].hits_addend.format", "must end with '%'"),
      route(
          "MaxBytes",
          "request_headers_to_add: [{header: {key: a, value: '" + std::string(16385, 'a') + "'}}]",
          ".request_headers_to_add[0].header.value", "must have at most 16384 bytes"),
      filter("FaultWithoutADelay",
             "'@type': " + kFilters + "fault.v3.HTTPFault, delay: {percentage: {}}", ".delay",
             "needs one of fixed_delay, header_delay"),
      filter("FaultsStatus",
             "'@type': " + kFilters + "fault.v3.HTTPFault, abort: {http_status: 100}",
             ".abort.http_status", "must be at least 200 and below 600"),
  };
}

/// Refused by what Envoy demands beyond that.
inline std::vector<EnvoyConfig> refused_configs() {
  using namespace configs;
  const std::string fixed =
      "is a header that Envoy does not let anyone change (host, or a name with ':')";
  const std::string positive = "must be at least 0s and at most 9223372035s";
  const std::string percent = "has a % that begins no %COMMAND%; write %% for a percent sign";
  const std::string rewrites = "takes one of prefix_rewrite, regex_rewrite, path_rewrite_policy";
  const std::string twice = "is there twice";
  const std::string sum = "must have weights whose sum is at least 1 and at most 4294967295";
  const std::string of_routes =
      "can only be an HTTPFault or a CorsPolicy, or either in a FilterConfig";
  const std::string statuses = "must have 100 <= start < end <= 600";
  const std::string fault = "'@type': " + kFilters + "fault.v3.HTTPFault";
  const std::string wrapped = "'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig";
  const std::string hex = "must be bytes in hexadecimal";
  return {
      match("PathRegex", "safe_regex: {regex: '('}", ".safe_regex.regex",
            "is no regular expression: missing ): ("),
      match("HeaderRegex",
            "prefix: /, headers: [{name: a, string_match: {safe_regex: {regex: "
            "'['}}}]",
            ".headers[0].string_match.safe_regex.regex", "is no regular expression: missing ]: ["),
      match("DeprecatedHeaderRegex",
            "prefix: /, headers: [{name: a, safe_regex_match: {regex: '['}}]",
            ".headers[0].safe_regex_match.regex", "is no regular expression: missing ]: ["),
      match("QueryRegex",
            "prefix: /, query_parameters: [{name: a, string_match: {safe_regex: "
            "{regex: '*'}}}]",
            ".query_parameters[0].string_match.safe_regex.regex",
            "is no regular expression: no argument for repetition operator: *"),
      match("LargeRegex", "safe_regex: {regex: 'a{2000}'}", ".safe_regex.regex",
            "is no regular expression: invalid repetition size: {2000}"),
      action("RewriteRegex", "regex_rewrite: {pattern: {regex: '('}, substitution: b}",
             ".regex_rewrite.pattern.regex", "is no regular expression: missing ): ("),
      action("HashRegex",
             "hash_policy: [{header: {header_name: a, regex_rewrite: {pattern: "
             "{regex: '['}, substitution: a}}}]",
             ".hash_policy[0].header.regex_rewrite.pattern.regex",
             "is no regular expression: missing ]: ["),
      filter("CorsRegex",
             "'@type': " + kFilters +
                 "cors.v3.CorsPolicy, allow_origin_string_match: [{safe_regex: {regex: '['}}]",
             ".allow_origin_string_match[0].safe_regex.regex",
             "is no regular expression: missing ]: ["),
      cluster("NegativeDuration", "outlier_detection: {max_ejection_time_jitter: -1s}",
              "outlier_detection.max_ejection_time_jitter", positive),
      cluster("EndlessDuration", "connect_timeout: 10000000000s", "connect_timeout", positive),
      action("NegativeTimeout", "timeout: -1s", ".timeout", positive),
      action("EndlessTimeout", "timeout: 9223372036s", ".timeout", positive),
      options("NegativeIdleTimeout",
              "explicit_http_config: {http_protocol_options: {}}, common_http_protocol_options: "
              "{idle_timeout: -1s}",
              ".common_http_protocol_options.idle_timeout", positive),
      weighted("NoWeights", "{name: '" + kCluster + "', weight: 0}", ".clusters", sum),
      weighted("NoWeight", "{name: '" + kCluster + "'}", ".clusters", sum),
      weighted("OneWithoutWeight",
               "{name: '" + kCluster + "', weight: 1}, {name: '" + kCluster + "'}", ".clusters[1]",
               "weight is missing"),
      weighted(
          "TooMuchWeight",
          "{name: '" + kCluster + "', weight: 4294967295}, {name: '" + kCluster + "', weight: 1}",
          ".clusters", sum),
      weighted("HeadersOfACluster",
               "{name: '" + kCluster + "', weight: 1, request_headers_to_remove: [Host]}",
               ".clusters[0].request_headers_to_remove[0]", fixed),
      action("TwoRewrites",
             "prefix_rewrite: /a, regex_rewrite: {pattern: {regex: a}, substitution: b}", "",
             rewrites),
      action("UpgradeTwice",
             "upgrade_configs: [{upgrade_type: WebSocket}, {upgrade_type: websocket}]",
             ".upgrade_configs[1].upgrade_type", twice),
      action("ConnectConfig", "upgrade_configs: [{upgrade_type: websocket, connect_config: {}}]",
             ".upgrade_configs[0].connect_config", "is for CONNECT and CONNECT-UDP only"),
      action("BackOff", "retry_policy: {retry_back_off: {base_interval: 1s, max_interval: 0.5s}}",
             ".retry_policy.retry_back_off.max_interval", "must be at least the base_interval"),
      action("NoTypedConfig",
             "retry_policy: {retry_host_predicate: [{name: "
             "envoy.retry_host_predicates.previous_hosts}]}",
             ".retry_policy.retry_host_predicate[0]", "typed_config is missing"),
      action("NoType", "retry_policy: {retry_host_predicate: [{name: x, typed_config: {}}]}",
             ".retry_policy.retry_host_predicate[0].typed_config", "@type is missing"),
      route("PathAsAHeader", "request_headers_to_add: [{header: {key: ':path', value: a}}]",
            ".request_headers_to_add[0].header.key", fixed),
      route("HostAsAHeader", "response_headers_to_add: [{header: {key: HOST, value: a}}]",
            ".response_headers_to_add[0].header.key", fixed),
      route("HostRemoved", "request_headers_to_remove: [a, host]", ".request_headers_to_remove[1]",
            fixed),
      host("StatusRemoved", "response_headers_to_remove: [':status']",
           ".response_headers_to_remove[0]", fixed),
      routes("HostRemovedFromAll",
             "virtual_hosts: [{name: r, domains: ['*']}], request_headers_to_remove: [host]",
             "request_headers_to_remove[0]", fixed),
      route("Percent", "request_headers_to_add: [{header: {key: a, value: '100%'}}]",
            ".request_headers_to_add[0].header.value", percent),
      route("OpenCommand", "request_headers_to_add: [{header: {key: a, value: '%REQ(b%'}}]",
            ".request_headers_to_add[0].header.value", percent),
      route("OddPercents", "request_headers_to_add: [{header: {key: a, value: '%%%'}}]",
            ".request_headers_to_add[0].header.value", percent),
      route("LowerCaseCommand", "request_headers_to_add: [{header: {key: a, value: '%req(b)%'}}]",
            ".request_headers_to_add[0].header.value", percent),
      route("NoLength", "request_headers_to_add: [{header: {key: a, value: '%REQ(b):x%'}}]",
            ".request_headers_to_add[0].header.value", percent),
      route(
          "AppendTwice",
          "request_headers_to_add: [{append: true, append_action: ADD_IF_ABSENT, header: {key: a, "
          "value: b}}]",
          ".request_headers_to_add[0].append", "cannot stand beside append_action"),
      filter("NoFilter", "'@type': type.googleapis.com/envoy.config.route.v3.RouteMatch, prefix: /",
             "", of_routes),
      filter("FilterOfNoRoute", "'@type': " + kFilters + "router.v3.Router", "", of_routes),
      filter("NoFilterInAFilterConfig",
             wrapped + ", config: {'@type': type.googleapis.com/envoy.config.route.v3.RouteMatch, "
                       "prefix: /}",
             "", of_routes),
      filter("EmptyFilterConfig", wrapped, "", "needs config or disabled"),
      cluster("Ejection", "outlier_detection: {max_ejection_time: 10s}",
              "outlier_detection.max_ejection_time",
              "must be at least the base_ejection_time, 30s"),
      cluster("Maglev", "lb_policy: MAGLEV, maglev_lb_config: {table_size: 100}",
              "maglev_lb_config.table_size", "must be a prime number"),
      cluster("Ring", "lb_policy: RING_HASH, ring_hash_lb_config: {maximum_ring_size: 1000}",
              "ring_hash_lb_config",
              "must have a maximum_ring_size of at least the minimum_ring_size, 1024"),
      cluster("ProvidedByWhom", "lb_policy: CLUSTER_PROVIDED", "lb_policy",
              "CLUSTER_PROVIDED is for type ORIGINAL_DST only"),
      cluster("OriginalDestination", "type: ORIGINAL_DST", "type",
              "ORIGINAL_DST needs lb_policy CLUSTER_PROVIDED"),
      cluster("NoPolicy", "lb_policy: LOAD_BALANCING_POLICY_CONFIG", "lb_policy",
              "needs load_balancing_policy, which is not supported"),
      cluster("Policies", "load_balancing_policy: {policies: []}", "load_balancing_policy",
              "is not supported; use lb_policy"),
      cluster("NoSocket", "transport_socket: {name: envoy.transport_sockets.tls}",
              "transport_socket", "typed_config is missing"),
      cluster("OptionsOfAnotherName",
              "typed_extension_protocol_options: {x: {'@type': type.googleapis.com/" +
                  kHttpOptions + ", explicit_http_config: {http_protocol_options: {}}}}",
              "typed_extension_protocol_options.x",
              "can only be HttpProtocolOptions, under " + kHttpOptions),
      cluster("LogicalDns", "type: LOGICAL_DNS, " + dns(endpoint("1") + ", " + endpoint("2")),
              "load_assignment", "must have exactly one endpoint with type LOGICAL_DNS"),
      check("Hexadecimal", "tcp_health_check: {receive: [{text: abc}]}",
            ".tcp_health_check.receive[0].text", hex),
      check("Statuses", "http_health_check: {path: /, expected_statuses: [{start: 300, end: 200}]}",
            ".http_health_check.expected_statuses[0]", statuses),
      check("RetriableStatuses",
            "http_health_check: {path: /, retriable_statuses: [{start: 99, end: 200}]}",
            ".http_health_check.retriable_statuses[0]", statuses),
      check("HostRemovedFromACheck",
            "http_health_check: {path: /, request_headers_to_remove: [host]}",
            ".http_health_check.request_headers_to_remove[0]", fixed),
  };
}

/// Near those, and good.
inline std::vector<EnvoyConfig> good_configs() {
  using namespace configs;
  const std::string fault = "'@type': " + kFilters + "fault.v3.HTTPFault";
  const std::string wrapped = "'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig";
  return {
      cluster("Nothing", "respect_dns_ttl: false"),
      cluster("Bounds",
              "connect_timeout: 0.000000001s, outlier_detection: {max_ejection_percent: "
              "100, base_ejection_time: 20s, max_ejection_time: 20s}"),
      cluster("Maglev", "lb_policy: MAGLEV, maglev_lb_config: {table_size: 5000011}"),
      cluster("Ring", "lb_policy: RING_HASH, ring_hash_lb_config: {maximum_ring_size: 1024}"),
      cluster("LogicalDns", "type: LOGICAL_DNS, " + dns(endpoint("65535"))),
      cluster("OriginalDestination", "type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED"),
      cluster("Tls",
              "transport_socket: {name: tls, typed_config: {'@type': "
              "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, "
              "sni: a}}"),
      check("Check",
            "http_health_check: {path: /, expected_statuses: [{start: 100, end: 600}], "
            "receive: [{text: AbcD}]}"),
      options("Http2",
              "explicit_http_config: {http2_protocol_options: {max_concurrent_streams: "
              "1}}, common_http_protocol_options: {idle_timeout: 0s}"),
      routes("DuplicateNames",
             "virtual_hosts: [{name: r, domains: ['*'], routes: [{name: a, match: {prefix: ''}, "
             "redirect: {}}, {name: a, match: {prefix: /}, direct_response: {status: 599}}]}]"),
      match("Regex", "safe_regex: {regex: '/a(b|c)*'}"),
      match("NameWithASpace", "prefix: /, headers: [{name: 'a b'}]"),
      match("ReversedRange", "prefix: /, headers: [{name: a, range_match: {start: 5, end: 1}}]"),
      action("Durations", "timeout: 0s, idle_timeout: 9223372035.9s"),
      action("Rewrite", "regex_rewrite: {pattern: {regex: '^a(.*)'}, substitution: \"\\\\2\"}"),
      action("BackOff",
             "retry_policy: {num_retries: 0, retry_back_off: {base_interval: 1s, "
             "max_interval: 1s}}"),
      action("Connect", "upgrade_configs: [{upgrade_type: connect, connect_config: {}}]"),
      action("Predicate",
             "retry_policy: {retry_host_predicate: [{name: x, typed_config: {'@type': "
             "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3."
             "PreviousHostsPredicate}}]}"),
      weighted("Weights", "{name: '" + kCluster + "', weight: 4294967295}, {name: '" + kCluster +
                              "', weight: 0}"),
      route("Commands",
            "request_headers_to_add: [{header: {key: hostile, value: '100%%, %REQ(a%b):5%, "
            "%START_TIME(%Y%f)%%PROTOCOL%'}}]"),
      filter("Fault", fault + ", delay: {fixed_delay: 0.1s, percentage: {numerator: 1}}"),
      filter("Cors", "'@type': " + kFilters + "cors.v3.CorsPolicy"),
      filter("Disabled", wrapped + ", disabled: true"),
      filter("Wrapped", wrapped + ", config: {" + fault + "}"),
  };
}

}  // namespace lazymesh::registry
