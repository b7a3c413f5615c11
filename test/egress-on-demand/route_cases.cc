#include "test/egress-on-demand/route_cases.h"

namespace lazymesh::test {
namespace {

// One virtual host for everything with these routes.
std::string with_routes(const std::string& routes, const std::string& more = "") {
  return R"({"name": "r", )" + more +
         R"("virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [)" + routes + "]}]}";
}

std::string host(const std::string& domains, const std::string& cluster) {
  return R"({"name": ")" + cluster + R"(", "domains": [)" + domains +
         R"(], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": ")" + cluster +
         R"("}}]})";
}

std::vector<RouteCase> make_cases() {
  std::vector<RouteCase> cases;

  const std::string domains = host(R"("*")", "any") + "," + host(R"("a.example")", "exact") + "," +
                              host(R"("*.example")", "suffix") + "," +
                              host(R"("*.b.example")", "longer") + "," +
                              host(R"("*-x.example")", "dash") + "," + host(R"("a.*")", "prefix") +
                              "," + host(R"("with.port:8080", "UPPER.example.org")", "port");
  cases.push_back({"Domains",
                   R"({"name": "r", "virtual_hosts": [)" + domains + "]}",
                   {
                       {"/", "a.example", {}, "GET", "exact /"},
                       {"/", "A.Example", {}, "GET", "exact /"},
                       {"/", "a.example:80", {}, "GET", "prefix /"},
                       {"/", "c.example", {}, "GET", "suffix /"},
                       {"/", "c.b.example", {}, "GET", "longer /"},
                       {"/", ".b.example", {}, "GET", "suffix /"},
                       {"/", "y-x.example", {}, "GET", "dash /"},
                       {"/", "-x.example", {}, "GET", "suffix /"},
                       {"/", "a.org", {}, "GET", "prefix /"},
                       {"/", "a.", {}, "GET", "any /"},
                       {"/", "with.port:8080", {}, "GET", "port /"},
                       {"/", "with.port", {}, "GET", "any /"},
                       {"/", "upper.example.org", {}, "GET", "port /"},
                       {"/", "other", {}, "GET", "any /"},
                   }});
  cases.push_back({"DomainsWithoutTheRequestsPort",
                   R"({"name": "r", "ignore_port_in_host_matching": true, "virtual_hosts": [)" +
                       host(R"("a.example")", "exact") + "," + host(R"("*.example")", "suffix") +
                       "," + host(R"("[::1]")", "six") + "]}",
                   {
                       {"/", "a.example:80", {}, "GET", "exact /"},
                       {"/", "b.example:8080", {}, "GET", "suffix /"},
                       {"/", "[::1]:80", {}, "GET", "six /"},
                       {"/", "[::1]", {}, "GET", "six /"},
                       {"/", "other:80", {}, "GET", "404"},
                   }});

  cases.push_back({"Paths",
                   with_routes(R"(
      {"match": {"path": "/exact"}, "route": {"cluster": "exact"}},
      {"match": {"path": "/Folded", "case_sensitive": false}, "route": {"cluster": "folded"}},
      {"match": {"path_separated_prefix": "/api"}, "route": {"cluster": "separated"}},
      {"match": {"path_separated_prefix": "/Low", "case_sensitive": false}, "route": {"cluster": "low"}},
      {"match": {"safe_regex": {"regex": "/id/[0-9]+"}}, "route": {"cluster": "regex"}},
      {"match": {"prefix": "/pre"}, "route": {"cluster": "first"}},
      {"match": {"prefix": "/prefix"}, "route": {"cluster": "second"}},
      {"match": {"prefix": "/CASE", "case_sensitive": false}, "route": {"cluster": "case"}}
    )"),
                   {
                       {"/exact", "a.example", {}, "GET", "exact /exact"},
                       {"/exact?q=1", "a.example", {}, "GET", "exact /exact?q=1"},
                       {"/exact/", "a.example", {}, "GET", "404"},
                       {"/EXACT", "a.example", {}, "GET", "404"},
                       {"/fOLDED", "a.example", {}, "GET", "folded /fOLDED"},
                       {"/api", "a.example", {}, "GET", "separated /api"},
                       {"/api?x", "a.example", {}, "GET", "separated /api?x"},
                       {"/api/v1", "a.example", {}, "GET", "separated /api/v1"},
                       {"/apiv1", "a.example", {}, "GET", "404"},
                       {"/LOW/x", "a.example", {}, "GET", "low /LOW/x"},
                       {"/id/42", "a.example", {}, "GET", "regex /id/42"},
                       {"/id/42?x=/id/a", "a.example", {}, "GET", "regex /id/42?x=/id/a"},
                       {"/id/42/more", "a.example", {}, "GET", "404"},
                       {"/prefix/x", "a.example", {}, "GET", "first /prefix/x"},
                       {"/x?/prefix", "a.example", {}, "GET", "404"},
                       {"/caseless", "a.example", {}, "GET", "case /caseless"},
                   }});
  cases.push_back({"PathParametersIgnored",
                   with_routes(R"(
      {"match": {"path": "/a"}, "route": {"cluster": "a"}},
      {"match": {"path_separated_prefix": "/b"}, "route": {"cluster": "b", "prefix_rewrite": "/c"}}
    )",
                               R"("ignore_path_parameters_in_path_matching": true, )"),
                   {
                       {"/a;v=1", "a.example", {}, "GET", "a /a;v=1"},
                       {"/a;v=1?q", "a.example", {}, "GET", "a /a;v=1?q"},
                       {"/b;v=1/x", "a.example", {}, "GET", "b /c;v=1/x"},
                   }});

  cases.push_back(
      {"Headers",
       with_routes(R"(
      {"match": {"prefix": "/exact", "headers": [{"name": "x-t", "exact_match": "v"}]}, "route": {"cluster": "exact"}},
      {"match": {"prefix": "/prefix", "headers": [{"name": "X-T", "prefix_match": "v"}]}, "route": {"cluster": "prefix"}},
      {"match": {"prefix": "/suffix", "headers": [{"name": "x-t", "suffix_match": "v"}]}, "route": {"cluster": "suffix"}},
      {"match": {"prefix": "/contains", "headers": [{"name": "x-t", "contains_match": "v"}]}, "route": {"cluster": "contains"}},
      {"match": {"prefix": "/regex", "headers": [{"name": "x-t", "safe_regex_match": {"regex": "v[0-9]"}}]}, "route": {"cluster": "regex"}},
      {"match": {"prefix": "/range", "headers": [{"name": "x-t", "range_match": {"start": "-1", "end": "10"}}]}, "route": {"cluster": "range"}},
      {"match": {"prefix": "/present", "headers": [{"name": "x-t", "present_match": true}]}, "route": {"cluster": "present"}},
      {"match": {"prefix": "/absent", "headers": [{"name": "x-t", "present_match": false}]}, "route": {"cluster": "absent"}},
      {"match": {"prefix": "/bare", "headers": [{"name": "x-t"}]}, "route": {"cluster": "bare"}},
      {"match": {"prefix": "/not-present", "headers": [{"name": "x-t", "present_match": true, "invert_match": true}]}, "route": {"cluster": "not-present"}},
      {"match": {"prefix": "/not-exact", "headers": [{"name": "x-t", "exact_match": "v", "invert_match": true}]}, "route": {"cluster": "not-exact"}},
      {"match": {"prefix": "/not-range", "headers": [{"name": "x-t", "range_match": {"start": "1", "end": "10"}, "invert_match": true}]}, "route": {"cluster": "not-range"}},
      {"match": {"prefix": "/empty", "headers": [{"name": "x-t", "exact_match": "v", "invert_match": true, "treat_missing_header_as_empty": true}]}, "route": {"cluster": "empty"}},
      {"match": {"prefix": "/string", "headers": [{"name": "x-t", "string_match": {"exact": "Vv", "ignore_case": true}}]}, "route": {"cluster": "string"}},
      {"match": {"prefix": "/s-prefix", "headers": [{"name": "x-t", "string_match": {"prefix": "Vv", "ignore_case": true}}]}, "route": {"cluster": "s-prefix"}},
      {"match": {"prefix": "/s-suffix", "headers": [{"name": "x-t", "string_match": {"suffix": "v"}}]}, "route": {"cluster": "s-suffix"}},
      {"match": {"prefix": "/s-contains", "headers": [{"name": "x-t", "string_match": {"contains": "v", "ignore_case": true}}]}, "route": {"cluster": "s-contains"}},
      {"match": {"prefix": "/s-regex", "headers": [{"name": "x-t", "string_match": {"safe_regex": {"regex": "v+"}}}]}, "route": {"cluster": "s-regex"}},
      {"match": {"prefix": "/both", "headers": [{"name": "x-t", "exact_match": "v"}, {"name": "x-t-2", "exact_match": "w"}]}, "route": {"cluster": "both"}},
      {"match": {"prefix": "/method", "headers": [{"name": ":method", "exact_match": "POST"}]}, "route": {"cluster": "post"}},
      {"match": {"prefix": "/method", "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]}, "route": {"cluster": "get"}},
      {"match": {"prefix": "/authority", "headers": [{"name": ":authority", "exact_match": "a.example"}]}, "route": {"cluster": "authority"}},
      {"match": {"prefix": "/scheme", "headers": [{"name": ":scheme", "exact_match": "http"}]}, "route": {"cluster": "scheme"}},
      {"match": {"prefix": "/path", "headers": [{"name": ":path", "suffix_match": "?q=1"}]}, "route": {"cluster": "path"}}
    )"),
       {
           {"/exact", "a.example", {{"x-t", "v"}}, "GET", "exact /exact x-t=v"},
           {"/exact", "a.example", {{"X-T", "v"}}, "GET", "exact /exact x-t=v"},
           {"/exact", "a.example", {{"x-t", "V"}}, "GET", "404"},
           {"/exact", "a.example", {}, "GET", "404"},
           {"/exact", "a.example", {{"x-t", "v"}, {"x-t", "w"}}, "GET", "exact /exact x-t=v x-t=w"},
           {"/exact", "a.example", {{"x-t", "w"}, {"x-t", "v"}}, "GET", "exact /exact x-t=w x-t=v"},
           {"/not-exact", "a.example", {{"x-t", "w"}, {"x-t", "v"}}, "GET", "404"},
           {"/not-exact",
            "a.example",
            {{"x-t", "w"}, {"x-t", "u"}},
            "GET",
            "not-exact /not-exact x-t=w x-t=u"},
           {"/s-regex",
            "a.example",
            {{"x-t", "v"}, {"x-t", "w"}},
            "GET",
            "s-regex /s-regex x-t=v x-t=w"},
           {"/string",
            "a.example",
            {{"x-t", "vv"}, {"x-t", "w"}},
            "GET",
            "string /string x-t=vv x-t=w"},
           {"/string", "a.example", {{"x-t", "vv,w"}}, "GET", "404"},
           {"/suffix",
            "a.example",
            {{"x-t", "v"}, {"x-t", "w"}},
            "GET",
            "suffix /suffix x-t=v x-t=w"},
           {"/suffix",
            "a.example",
            {{"x-t", "w"}, {"x-t", "v"}},
            "GET",
            "suffix /suffix x-t=w x-t=v"},
           {"/range", "a.example", {{"x-t", "5"}, {"x-t", "6"}}, "GET", "range /range x-t=5 x-t=6"},
           {"/range",
            "a.example",
            {{"x-t", "5"}, {"x-t", "60"}},
            "GET",
            "range /range x-t=5 x-t=60"},
           {"/scheme", "a.example", {{"x-forwarded-proto", "https"}}, "GET", "404"},
           {"/empty", "a.example", {{"x-t", ""}}, "GET", "empty /empty x-t="},
           {"/present", "a.example", {{"x-t", ""}}, "GET", "present /present x-t="},
           {"/prefix", "a.example", {{"x-t", "vw"}}, "GET", "prefix /prefix x-t=vw"},
           {"/prefix", "a.example", {{"x-t", "wv"}}, "GET", "404"},
           {"/suffix", "a.example", {{"x-t", "wv"}}, "GET", "suffix /suffix x-t=wv"},
           {"/suffix", "a.example", {{"x-t", "vw"}}, "GET", "404"},
           {"/contains", "a.example", {{"x-t", "wvw"}}, "GET", "contains /contains x-t=wvw"},
           {"/contains", "a.example", {{"x-t", "w"}}, "GET", "404"},
           {"/regex", "a.example", {{"x-t", "v1"}}, "GET", "regex /regex x-t=v1"},
           {"/regex", "a.example", {{"x-t", "v12"}}, "GET", "404"},
           {"/range", "a.example", {{"x-t", "-1"}}, "GET", "range /range x-t=-1"},
           {"/range", "a.example", {{"x-t", "10"}}, "GET", "404"},
           {"/range", "a.example", {{"x-t", "9"}}, "GET", "range /range x-t=9"},
           {"/range", "a.example", {{"x-t", "x"}}, "GET", "404"},
           {"/range", "a.example", {{"x-t", "1.5"}}, "GET", "404"},
           {"/present", "a.example", {{"x-t", "any"}}, "GET", "present /present x-t=any"},
           {"/present", "a.example", {}, "GET", "404"},
           {"/absent", "a.example", {}, "GET", "absent /absent"},
           {"/absent", "a.example", {{"x-t", "any"}}, "GET", "404"},
           {"/bare", "a.example", {{"x-t", "any"}}, "GET", "bare /bare x-t=any"},
           {"/bare", "a.example", {}, "GET", "404"},
           {"/not-present", "a.example", {}, "GET", "not-present /not-present"},
           {"/not-present", "a.example", {{"x-t", "any"}}, "GET", "404"},
           {"/not-exact", "a.example", {{"x-t", "w"}}, "GET", "not-exact /not-exact x-t=w"},
           {"/not-exact", "a.example", {{"x-t", "v"}}, "GET", "404"},
           {"/not-exact", "a.example", {}, "GET", "404"},
           {"/not-range", "a.example", {{"x-t", "w"}}, "GET", "not-range /not-range x-t=w"},
           {"/not-range", "a.example", {{"x-t", "5"}}, "GET", "404"},
           {"/empty", "a.example", {}, "GET", "empty /empty"},
           {"/empty", "a.example", {{"x-t", "v"}}, "GET", "404"},
           {"/string", "a.example", {{"x-t", "vV"}}, "GET", "string /string x-t=vV"},
           {"/s-prefix", "a.example", {{"x-t", "vVx"}}, "GET", "s-prefix /s-prefix x-t=vVx"},
           {"/s-suffix", "a.example", {{"x-t", "xv"}}, "GET", "s-suffix /s-suffix x-t=xv"},
           {"/s-contains", "a.example", {{"x-t", "xVx"}}, "GET", "s-contains /s-contains x-t=xVx"},
           {"/s-regex", "a.example", {{"x-t", "vvv"}}, "GET", "s-regex /s-regex x-t=vvv"},
           {"/s-regex", "a.example", {{"x-t", "vw"}}, "GET", "404"},
           {"/both",
            "a.example",
            {{"x-t", "v"}, {"x-t-2", "w"}},
            "GET",
            "both /both x-t=v x-t-2=w"},
           {"/both", "a.example", {{"x-t", "v"}}, "GET", "404"},
           {"/method", "a.example", {}, "GET", "get /method"},
           {"/method", "a.example", {}, "POST", "post /method"},
           {"/method", "a.example", {}, "PUT", "404"},
           {"/authority", "a.example", {}, "GET", "authority /authority"},
           {"/authority", "A.example", {}, "GET", "404"},
           {"/scheme", "a.example", {}, "GET", "scheme /scheme"},
           {"/path?q=1", "a.example", {}, "GET", "path /path?q=1"},
       }});

  cases.push_back({"QueryParameters",
                   with_routes(R"(
      {"match": {"prefix": "/exact", "query_parameters": [{"name": "q", "string_match": {"exact": "v"}}]}, "route": {"cluster": "exact"}},
      {"match": {"prefix": "/prefix", "query_parameters": [{"name": "q", "string_match": {"prefix": "v"}}]}, "route": {"cluster": "prefix"}},
      {"match": {"prefix": "/present", "query_parameters": [{"name": "q", "present_match": true}]}, "route": {"cluster": "present"}},
      {"match": {"prefix": "/absent", "query_parameters": [{"name": "q", "present_match": false}]}, "route": {"cluster": "absent"}},
      {"match": {"prefix": "/bare", "query_parameters": [{"name": "q"}]}, "route": {"cluster": "bare"}},
      {"match": {"prefix": "/two", "query_parameters": [{"name": "q"}, {"name": "r", "string_match": {"exact": "1"}}]}, "route": {"cluster": "two"}}
    )"),
                   {
                       {"/exact?q=v", "a.example", {}, "GET", "exact /exact?q=v"},
                       {"/exact?q=V", "a.example", {}, "GET", "404"},
                       {"/exact?r=1&q=v", "a.example", {}, "GET", "exact /exact?r=1&q=v"},
                       {"/exact?q=w&q=v", "a.example", {}, "GET", "404"},
                       {"/exact?q=v&q=w", "a.example", {}, "GET", "exact /exact?q=v&q=w"},
                       {"/exact?q=%76", "a.example", {}, "GET", "404"},
                       {"/exact?qq=v", "a.example", {}, "GET", "404"},
                       {"/exact", "a.example", {}, "GET", "404"},
                       {"/prefix?q=vw", "a.example", {}, "GET", "prefix /prefix?q=vw"},
                       {"/present?q", "a.example", {}, "GET", "present /present?q"},
                       {"/present?q=", "a.example", {}, "GET", "present /present?q="},
                       {"/present?r", "a.example", {}, "GET", "404"},
                       {"/absent?r", "a.example", {}, "GET", "absent /absent?r"},
                       {"/absent?q", "a.example", {}, "GET", "404"},
                       {"/bare?q=1", "a.example", {}, "GET", "bare /bare?q=1"},
                       {"/bare", "a.example", {}, "GET", "404"},
                       {"/two?q&r=1", "a.example", {}, "GET", "two /two?q&r=1"},
                       {"/two?r=1", "a.example", {}, "GET", "404"},
                   }});

  cases.push_back(
      {"FractionsAndGrpc",
       with_routes(R"(
      {"match": {"prefix": "/never", "runtime_fraction": {"default_value": {"numerator": 0, "denominator": "HUNDRED"}, "runtime_key": "k"}}, "route": {"cluster": "never"}},
      {"match": {"prefix": "/always", "runtime_fraction": {"default_value": {"numerator": 10000, "denominator": "TEN_THOUSAND"}}}, "route": {"cluster": "always"}},
      {"match": {"prefix": "/grpc", "grpc": {}}, "route": {"cluster": "grpc"}},
      {"match": {"prefix": "/"}, "route": {"cluster": "rest"}}
    )"),
       {
           {"/never", "a.example", {}, "GET", "rest /never"},
           {"/always", "a.example", {}, "GET", "always /always"},
           {"/grpc", "a.example", {{"content-type", "application/grpc"}}, "POST", "grpc /grpc"},
           {"/grpc",
            "a.example",
            {{"content-type", "application/grpc+proto"}},
            "POST",
            "grpc /grpc"},
           {"/grpc", "a.example", {{"content-type", "application/grpc-web"}}, "POST", "rest /grpc"},
           {"/grpc", "a.example", {{"content-type", "application/grpcx"}}, "POST", "rest /grpc"},
           {"/grpc", "a.example", {}, "POST", "rest /grpc"},
       }});

  cases.push_back({"WeightedClustersByAHeader",
                   with_routes(R"(
      {"match": {"prefix": "/"}, "route": {"weighted_clusters": {"header_name": "x-t-random", "clusters": [
        {"name": "one", "weight": 10}, {"name": "none", "weight": 0}, {"name": "two", "weight": 90,
         "host_rewrite_literal": "two.example",
         "request_headers_to_add": [{"header": {"key": "x-t-two", "value": "2"}}],
         "response_headers_to_add": [{"header": {"key": "x-r-two", "value": "2"}}]}]}}}
    )"),
                   {
                       {"/", "a.example", {{"x-t-random", "0"}}, "GET", "one / x-t-random=0"},
                       {"/", "a.example", {{"x-t-random", "9"}}, "GET", "one / x-t-random=9"},
                       {"/",
                        "a.example",
                        {{"x-t-random", "10"}},
                        "GET",
                        "two / host=two.example x-t-random=10 x-t-two=2 <x-r-two=2"},
                       {"/",
                        "a.example",
                        {{"x-t-random", "199"}},
                        "GET",
                        "two / host=two.example x-t-random=199 x-t-two=2 <x-r-two=2"},
                       {"/", "a.example", {{"x-t-random", "200"}}, "GET", "one / x-t-random=200"},
                   }});

  cases.push_back(
      {"Rewrites",
       with_routes(R"(
      {"match": {"prefix": "/p/"}, "route": {"cluster": "c", "prefix_rewrite": "/q/"}},
      {"match": {"prefix": "/P2", "case_sensitive": false}, "route": {"cluster": "c", "prefix_rewrite": "/q2"}},
      {"match": {"path": "/path"}, "route": {"cluster": "c", "prefix_rewrite": "/new"}},
      {"match": {"path_separated_prefix": "/s"}, "route": {"cluster": "c", "prefix_rewrite": "/t"}},
      {"match": {"safe_regex": {"regex": "/re/.*"}}, "route": {"cluster": "c", "prefix_rewrite": "/whole"}},
      {"match": {"prefix": "/x/"}, "route": {"cluster": "c", "regex_rewrite": {"pattern": {"regex": "/x/([^/]+)(/.*)?$"}, "substitution": "/y\\2/\\1"}}},
      {"match": {"prefix": "/many"}, "route": {"cluster": "c", "regex_rewrite": {"pattern": {"regex": "a"}, "substitution": "bb"}}},
      {"match": {"prefix": "/host"}, "route": {"cluster": "c", "host_rewrite_literal": "b.example"}},
      {"match": {"prefix": "/by-header"}, "route": {"cluster": "c", "host_rewrite_header": "X-T-Host"}},
      {"match": {"prefix": "/by-path"}, "route": {"cluster": "c", "host_rewrite_path_regex": {"pattern": {"regex": "^/by-path/([^/]+).*$"}, "substitution": "\\1.example"}}}
    )"),
       {
           {"/p/a/b?q=1", "a.example", {}, "GET", "c /q/a/b?q=1"},
           {"/p2x", "a.example", {}, "GET", "c /q2x"},
           {"/path?q", "a.example", {}, "GET", "c /new?q"},
           {"/s", "a.example", {}, "GET", "c /t"},
           {"/s/x?y", "a.example", {}, "GET", "c /t/x?y"},
           {"/re/a?b", "a.example", {}, "GET", "c /whole?b"},
           {"/x/one/two?q=/x/", "a.example", {}, "GET", "c /y/two/one?q=/x/"},
           {"/x/one", "a.example", {}, "GET", "c /y/one"},
           {"/many/a/a?a", "a.example", {}, "GET", "c /mbbny/bb/bb?a"},
           {"/host", "a.example", {}, "GET", "c /host host=b.example"},
           {"/by-header",
            "a.example",
            {{"x-t-host", "c.example"}},
            "GET",
            "c /by-header host=c.example x-t-host=c.example"},
           {"/by-header", "a.example", {}, "GET", "c /by-header"},
           {"/by-path/d/e?f", "a.example", {}, "GET", "c /by-path/d/e?f host=d.example"},
       }});

  cases.push_back({"Timeouts",
                   with_routes(R"(
      {"match": {"path": "/default"}, "route": {"cluster": "c"}},
      {"match": {"path": "/none"}, "route": {"cluster": "c", "timeout": "0s"}},
      {"match": {"path": "/short"}, "route": {"cluster": "c", "timeout": "1.500s"}}
    )"),
                   {
                       {"/default", "a.example", {}, "GET", "c /default"},
                       {"/none", "a.example", {}, "GET", "c /none timeout=0"},
                       {"/short", "a.example", {}, "GET", "c /short timeout=1500"},
                   }});

  cases.push_back(
      {"Redirects",
       with_routes(R"(
      {"match": {"prefix": "/https"}, "redirect": {"https_redirect": true}},
      {"match": {"prefix": "/scheme"}, "redirect": {"scheme_redirect": "ftp"}},
      {"match": {"prefix": "/host"}, "redirect": {"host_redirect": "b.example", "response_code": "FOUND"}},
      {"match": {"prefix": "/port"}, "redirect": {"port_redirect": 8443, "response_code": "SEE_OTHER"}},
      {"match": {"prefix": "/to-path"}, "redirect": {"path_redirect": "/new", "response_code": "TEMPORARY_REDIRECT"}},
      {"match": {"prefix": "/to-query"}, "redirect": {"path_redirect": "/new?own=1", "response_code": "PERMANENT_REDIRECT"}},
      {"match": {"prefix": "/strip"}, "redirect": {"host_redirect": "b.example", "strip_query": true}},
      {"match": {"prefix": "/q-strip"}, "redirect": {"path_redirect": "/new?own=1", "strip_query": true}},
      {"match": {"prefix": "/prefix/"}, "redirect": {"prefix_rewrite": "/other/"}},
      {"match": {"prefix": "/p-strip"}, "redirect": {"prefix_rewrite": "/other", "strip_query": true}},
      {"match": {"prefix": "/regex"}, "redirect": {"regex_rewrite": {"pattern": {"regex": "^/regex/(.*)$"}, "substitution": "/xeger/\\1"}}},
      {"match": {"prefix": "/all"}, "redirect": {"https_redirect": true, "host_redirect": "b.example", "port_redirect": 9443, "path_redirect": "/new"}},
      {"match": {"prefix": "/headers"}, "redirect": {"host_redirect": "b.example"},
       "response_headers_to_add": [{"header": {"key": "x-r-a", "value": "1"}}]}
    )"),
       {
           {"/https?q", "a.example", {}, "GET", "301 -> https://a.example/https?q"},
           {"/https",
            "a.example:80",
            {{"x-forwarded-proto", "https"}},
            "GET",
            "301 -> https://a.example:80/https"},
           {"/https",
            "a.example:443",
            {{"x-forwarded-proto", "https"}},
            "GET",
            "301 -> https://a.example:443/https"},
           {"/scheme",
            "a.example:443",
            {{"x-forwarded-proto", "https"}},
            "GET",
            "301 -> ftp://a.example/scheme"},
           {"/scheme",
            "a.example:443",
            {{"x-forwarded-proto", "HTTPS"}},
            "GET",
            "301 -> ftp://a.example/scheme"},
           {"/scheme",
            "a.example:443",
            {{"x-forwarded-proto", "foo"}},
            "GET",
            "301 -> ftp://a.example:443/scheme"},
           {"/host",
            "a.example:443",
            {{"x-forwarded-proto", "https"}},
            "GET",
            "302 -> https://b.example/host"},
           {"/https", "a.example:80", {}, "GET", "301 -> https://a.example/https"},
           {"/https", "a.example:8080", {}, "GET", "301 -> https://a.example:8080/https"},
           {"/scheme", "a.example", {}, "GET", "301 -> ftp://a.example/scheme"},
           {"/host?q=1", "a.example:80", {}, "GET", "302 -> http://b.example/host?q=1"},
           {"/port", "a.example:80", {}, "GET", "303 -> http://a.example:8443/port"},
           {"/port", "[::1]:80", {}, "GET", "303 -> http://[::1]:8443/port"},
           {"/port", "[::1]", {}, "GET", "303 -> http://[::1]:8443/port"},
           {"/to-path/x?q=1", "a.example", {}, "GET", "307 -> http://a.example/new?q=1"},
           {"/to-query?q=1", "a.example", {}, "GET", "308 -> http://a.example/new?own=1"},
           {"/strip?q=1", "a.example", {}, "GET", "301 -> http://b.example/strip"},
           {"/q-strip?q=1", "a.example", {}, "GET", "301 -> http://a.example/new?own=1"},
           {"/prefix/x?q", "a.example", {}, "GET", "301 -> http://a.example/other/x?q"},
           {"/p-strip/x?q", "a.example", {}, "GET", "301 -> http://a.example/other/x"},
           {"/regex/x?q", "a.example", {}, "GET", "301 -> http://a.example/xeger/x?q"},
           {"/all?q", "a.example:80", {}, "GET", "301 -> https://b.example:9443/new?q"},
           {"/headers", "a.example", {}, "GET", "301 -> http://b.example/headers <x-r-a=1"},
       }});

  cases.push_back({"DirectResponses",
                   with_routes(R"(
      {"match": {"path": "/teapot"}, "direct_response": {"status": 418, "body": {"inline_string": "short and stout"}},
       "response_headers_to_add": [{"header": {"key": "x-r-a", "value": "1"}}]},
      {"match": {"path": "/bytes"}, "direct_response": {"status": 200, "body": {"inline_bytes": "YWJj"}}},
      {"match": {"path": "/empty"}, "direct_response": {"status": 204}}
    )"),
                   {
                       {"/teapot", "a.example", {}, "GET", "418 short and stout <x-r-a=1"},
                       {"/bytes", "a.example", {}, "GET", "200 abc"},
                       {"/empty", "a.example", {}, "GET", "204 "},
                   }});

  const std::string levels =
      R"({"name": "r", MORE
        "request_headers_to_remove": ["x-t-gone-c"], "response_headers_to_remove": ["x-r-up"],
        "request_headers_to_add": [{"header": {"key": "x-t-level", "value": "c"}}, {"header": {"key": "x-t-over", "value": "c"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
        "response_headers_to_add": [{"header": {"key": "x-r-level", "value": "c"}}],
        "virtual_hosts": [{"name": "all", "domains": ["*"],
          "request_headers_to_remove": ["x-t-gone-v"],
          "request_headers_to_add": [{"header": {"key": "x-t-level", "value": "v"}}, {"header": {"key": "x-t-over", "value": "v"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
          "response_headers_to_add": [{"header": {"key": "x-r-level", "value": "v"}}],
          "routes": [{"match": {"prefix": "/"},
            "request_headers_to_remove": ["x-t-gone-r", "x-t-swap"],
            "request_headers_to_add": [{"header": {"key": "x-t-swap", "value": "new"}}, {"header": {"key": "x-t-level", "value": "r"}}, {"header": {"key": "x-t-over", "value": "r"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
            "response_headers_to_add": [{"header": {"key": "x-r-level", "value": "r"}}],
            "route": {"weighted_clusters": {"clusters": [{"name": "c", "weight": 1,
              "request_headers_to_add": [{"header": {"key": "x-t-level", "value": "w"}}],
              "request_headers_to_remove": ["x-t-gone-w"],
              "response_headers_to_add": [{"header": {"key": "x-r-level", "value": "w"}}]}]}}}]}]})";
  const auto with = [&](const std::string& more) {
    auto text = levels;
    return text.replace(text.find("MORE"), 4, more);
  };
  const std::vector<std::pair<std::string, std::string>> given{
      {"x-t-gone-c", "1"}, {"x-t-gone-v", "1"}, {"x-t-gone-r", "1"},
      {"x-t-gone-w", "1"}, {"x-t-swap", "old"}, {"x-t-over", "old"}};
  cases.push_back({"HeadersAtEachLevelTheMostSpecificFirst",
                   with(""),
                   {{"/", "a.example", given, "GET",
                     "c / x-t-level=w x-t-level=r x-t-level=v x-t-level=c x-t-over=c x-t-swap=new "
                     "<x-r-level=w <x-r-level=r <x-r-level=v <x-r-level=c"}}});
  cases.push_back({"HeadersAtEachLevelTheMostSpecificLast",
                   with(R"("most_specific_header_mutations_wins": true, )"),
                   {{"/", "a.example", given, "GET",
                     "c / x-t-level=w x-t-level=c x-t-level=v x-t-level=r x-t-over=r x-t-swap=new "
                     "<x-r-level=w <x-r-level=c <x-r-level=v <x-r-level=r"}}});

  cases.push_back(
      {"HeaderActions",
       with_routes(R"(
      {"match": {"prefix": "/"}, "route": {"cluster": "c"}, "request_headers_to_add": [
        {"header": {"key": "x-t-append", "value": "new"}},
        {"header": {"key": "x-t-append-old", "value": "new"}, "append": true},
        {"header": {"key": "x-t-over-old", "value": "new"}, "append": false},
        {"header": {"key": "x-t-if-absent", "value": "new"}, "append_action": "ADD_IF_ABSENT"},
        {"header": {"key": "x-t-if-present", "value": "new"}, "append_action": "OVERWRITE_IF_EXISTS"},
        {"header": {"key": "x-t-empty", "value": ""}},
        {"header": {"key": "x-t-kept-empty", "value": ""}, "keep_empty_value": true},
        {"header": {"key": "x-t-percent", "value": "100%%"}},
        {"header": {"key": "x-t-copy", "value": "<%REQ(x-in)%>"}},
        {"header": {"key": "x-t-other", "value": "%REQ(x-none?x-in)%"}},
        {"header": {"key": "x-t-cut", "value": "%REQ(x-in):2%"}},
        {"header": {"key": "x-t-missing", "value": "%REQ(x-none)%"}},
        {"header": {"key": "x-t-path", "value": "%REQ(:PATH)%"}}
      ]}
    )"),
       {{"/p",
         "a.example",
         {{"x-t-append", "old"},
          {"x-t-append-old", "old"},
          {"x-t-over-old", "old"},
          {"x-t-if-absent", "old"},
          {"x-in", "value"}},
         "GET",
         "c /p x-t-append=old x-t-append=new x-t-append-old=old x-t-append-old=new "
         "x-t-copy=<value> "
         "x-t-cut=va x-t-if-absent=old x-t-kept-empty= x-t-other=value x-t-over-old=new "
         "x-t-path=/p x-t-percent=100%"},
        {"/",
         "a.example",
         {{"x-t-if-present", "old"}},
         "GET",
         "c / x-t-append=new x-t-append-old=new x-t-copy=<> x-t-if-absent=new x-t-if-present=new "
         "x-t-kept-empty= x-t-over-old=new x-t-path=/ x-t-percent=100%"}}});
  return cases;
}

}  // namespace

const std::vector<RouteCase>& route_cases() {
  static const auto cases = make_cases();
  return cases;
}

}  // namespace lazymesh::test
