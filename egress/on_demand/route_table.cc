#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>

#include "envoy/config/route/v3/route.pb.h"

#include "egress/on_demand/field_audit.h"
#include "egress/on_demand/header_change.h"
#include "egress/on_demand/redirect.h"
#include "egress/on_demand/request_match.h"
#include "egress/on_demand/routing.h"

namespace lazymesh::egress {
namespace {

namespace route = envoy::config::route::v3;

constexpr std::chrono::milliseconds kDefaultTimeout{15'000};  // RouteAction.timeout
constexpr std::size_t kDefaultMaxBody = 4096;                 // max_direct_response_body_size_bytes

// What a level of the configuration does to the headers of both directions.
struct HeaderChanges {
  HeaderChange request;
  HeaderChange response;
};

template <class Level>
Result<HeaderChanges> header_changes(const Level& level, std::string path, FieldAudit& audit) {
  auto request =
      HeaderChange::compile(level.request_headers_to_add(), level.request_headers_to_remove(),
                            path + ".request_headers_to_add", audit);
  if (!request) return tl::unexpected(std::move(request.error()));
  auto response =
      HeaderChange::compile(level.response_headers_to_add(), level.response_headers_to_remove(),
                            path + ".response_headers_to_add", audit);
  if (!response) return tl::unexpected(std::move(response.error()));
  return HeaderChanges{std::move(*request), std::move(*response)};
}

struct WeightedCluster {
  std::string name;
  std::uint64_t until = 0;  // the sum of weights up to and with this one
  HeaderChanges headers;
  std::string host_rewrite;
};

// What a route does with a request that it matches.
struct Action {
  enum class Kind { kForward, kRedirect, kRespond };
  Kind kind = Kind::kForward;
  // kForward
  std::vector<WeightedCluster> clusters;
  std::string random_header;  // draws among them where present
  std::optional<std::string> prefix_rewrite;
  RegexRewrite regex_rewrite;
  std::string host_rewrite;
  std::string host_rewrite_header;
  RegexRewrite host_rewrite_path;
  std::optional<std::chrono::milliseconds> timeout;
  // kRedirect
  Redirect redirect;
  // kRespond
  std::uint32_t status = 0;
  std::string body;
};

struct Route {
  std::string name;
  RequestMatch match;
  Action action;
  HeaderChanges headers;
};

struct VirtualHost {
  HeaderChanges headers;
  std::vector<Route> routes;
};

// Reads one RouteConfiguration. An action that cannot be taken at all is answered 503: to forward
// would be a guess.
class Compiler {
 public:
  Compiler(const route::RouteConfiguration& configuration, FieldAudit& audit)
      : configuration_(configuration), audit_(audit) {}

  Result<VirtualHost> virtual_host(const route::VirtualHost& message) {
    audit_.fields(
        message, "virtual_host",
        {"name", "domains", "routes", "request_headers_to_add", "request_headers_to_remove",
         "response_headers_to_add", "response_headers_to_remove", "metadata"});
    auto headers = header_changes(message, "virtual_host", audit_);
    if (!headers) return tl::unexpected(std::move(headers.error()));
    VirtualHost host{std::move(*headers), {}};
    for (const auto& each : message.routes()) {
      auto compiled = one_route(each);
      if (!compiled) {
        return tl::unexpected(
            std::move(compiled.error()).within("route '" + each.name() + "' of " + message.name()));
      }
      host.routes.push_back(std::move(*compiled));
    }
    return host;
  }

 private:
  Result<Route> one_route(const route::Route& message) {
    audit_.fields(message, "route",
                  {"name", "match", "route", "redirect", "direct_response", "filter_action",
                   "non_forwarding_action", "metadata", "decorator", "tracing", "stat_prefix",
                   "request_headers_to_add", "request_headers_to_remove", "response_headers_to_add",
                   "response_headers_to_remove"});
    auto match = RequestMatch::compile(
        message.match(), configuration_.ignore_path_parameters_in_path_matching(), audit_);
    if (!match) return tl::unexpected(std::move(match.error()));
    auto headers = header_changes(message, "route", audit_);
    if (!headers) return tl::unexpected(std::move(headers.error()));
    auto action = action_of(message);
    if (!action) return tl::unexpected(std::move(action.error()));
    return Route{message.name(), std::move(*match), std::move(*action), std::move(*headers)};
  }

  Result<Action> action_of(const route::Route& message) {
    switch (message.action_case()) {
      case route::Route::kRoute:
        return forward(message.route());
      case route::Route::kRedirect:
        return redirect(message.redirect());
      case route::Route::kDirectResponse:
        return respond(message.direct_response());
      case route::Route::kFilterAction:
        return refuse("route.filter_action");
      case route::Route::kNonForwardingAction:
        return refuse("route.non_forwarding_action");
      default:
        break;
    }
    return fail(Code::kInvalidArgument, "no action");
  }

  Action refuse(std::string path) {
    Action action;
    action.kind = Action::Kind::kRespond;
    action.status = 503;
    action.body = "lazymesh-egress: " + path + " is not supported\n";
    audit_.add(std::move(path));
    return action;
  }

  Result<Action> redirect(const route::RedirectAction& message) {
    audit_.fields(
        message, "route.redirect",
        {"https_redirect", "scheme_redirect", "host_redirect", "port_redirect", "path_redirect",
         "prefix_rewrite", "regex_rewrite", "response_code", "strip_query"});
    auto compiled = Redirect::compile(message);
    if (!compiled) return tl::unexpected(std::move(compiled.error()));
    Action action;
    action.kind = Action::Kind::kRedirect;
    action.redirect = std::move(*compiled);
    return action;
  }

  Result<Action> respond(const route::DirectResponseAction& message) {
    audit_.fields(message, "route.direct_response", {"status", "body"});
    Action action;
    action.kind = Action::Kind::kRespond;
    action.status = message.status();
    if (action.status < 200 || action.status > 599) {
      return fail(Code::kInvalidArgument, "direct_response: status must be in 200..599");
    }
    using Source = envoy::config::core::v3::DataSource;
    switch (message.body().specifier_case()) {
      case Source::kInlineString:
        action.body = message.body().inline_string();
        break;
      case Source::kInlineBytes:
        action.body = message.body().inline_bytes();
        break;
      case Source::SPECIFIER_NOT_SET:
        break;
      default:
        return refuse("route.direct_response.body");
    }
    const std::size_t most = configuration_.has_max_direct_response_body_size_bytes()
                                 ? configuration_.max_direct_response_body_size_bytes().value()
                                 : kDefaultMaxBody;
    if (action.body.size() > most) {
      return fail(Code::kInvalidArgument, "direct_response: a body of " +
                                              std::to_string(action.body.size()) +
                                              " bytes, more than " + std::to_string(most));
    }
    return action;
  }

  Result<Action> forward(const route::RouteAction& message) {
    audit_.fields(
        message, "route.route",
        {"cluster", "cluster_header", "weighted_clusters", "cluster_specifier_plugin",
         "inline_cluster_specifier_plugin", "prefix_rewrite", "regex_rewrite",
         "host_rewrite_literal", "host_rewrite_header", "host_rewrite_path_regex", "timeout"});
    Action action;
    switch (message.cluster_specifier_case()) {
      case route::RouteAction::kCluster:
        action.clusters.push_back({message.cluster(), 1, {}, {}});
        break;
      case route::RouteAction::kWeightedClusters: {
        auto weighted = weighted_clusters(message.weighted_clusters(), action);
        if (!weighted) return tl::unexpected(std::move(weighted.error()));
        if (action.kind != Action::Kind::kForward) return action;
        break;
      }
      case route::RouteAction::kClusterHeader:
        return refuse("route.route.cluster_header");
      case route::RouteAction::kClusterSpecifierPlugin:
        return refuse("route.route.cluster_specifier_plugin");
      case route::RouteAction::kInlineClusterSpecifierPlugin:
        return refuse("route.route.inline_cluster_specifier_plugin");
      default:
        return fail(Code::kInvalidArgument, "no cluster");
    }
    if (!message.prefix_rewrite().empty()) action.prefix_rewrite = message.prefix_rewrite();
    if (message.has_regex_rewrite()) {
      auto rewrite = RegexRewrite::compile(message.regex_rewrite());
      if (!rewrite) return tl::unexpected(std::move(rewrite.error()));
      action.regex_rewrite = std::move(*rewrite);
    }
    action.host_rewrite = message.host_rewrite_literal();
    action.host_rewrite_header = absl::AsciiStrToLower(message.host_rewrite_header());
    if (message.has_host_rewrite_path_regex()) {
      auto rewrite = RegexRewrite::compile(message.host_rewrite_path_regex());
      if (!rewrite) return tl::unexpected(std::move(rewrite.error()));
      action.host_rewrite_path = std::move(*rewrite);
    }
    action.timeout = kDefaultTimeout;
    if (message.has_timeout()) {
      action.timeout = std::chrono::seconds(message.timeout().seconds()) +
                       std::chrono::milliseconds(message.timeout().nanos() / 1'000'000);
    }
    if (action.timeout->count() <= 0) action.timeout.reset();
    return action;
  }

  Result<void> weighted_clusters(const route::WeightedCluster& message, Action& action) {
    audit_.fields(message, "route.route.weighted_clusters",
                  {"clusters", "total_weight", "runtime_key_prefix", "header_name"});
    action.random_header = absl::AsciiStrToLower(message.header_name());
    std::uint64_t until = 0;
    for (const auto& each : message.clusters()) {
      audit_.fields(each, "route.route.weighted_clusters.clusters",
                    {"name", "cluster_header", "weight", "request_headers_to_add",
                     "request_headers_to_remove", "response_headers_to_add",
                     "response_headers_to_remove", "host_rewrite_literal"});
      if (each.name().empty()) {
        action = refuse("route.route.weighted_clusters.clusters.cluster_header");
        return {};
      }
      auto headers = header_changes(each, "route.route.weighted_clusters.clusters", audit_);
      if (!headers) return tl::unexpected(std::move(headers.error()));
      until += each.weight().value();
      action.clusters.push_back(
          {each.name(), until, std::move(*headers), each.host_rewrite_literal()});
    }
    if (until == 0) return fail(Code::kInvalidArgument, "weighted_clusters: no weight above 0");
    return {};
  }

  const route::RouteConfiguration& configuration_;
  FieldAudit& audit_;
};

// The virtual hosts by domain, searched as Envoy does: exact, then `*suffix`, then `prefix*`, the
// longest first, then `*`.
class Domains {
 public:
  Result<void> add(std::string_view pattern, std::size_t host) {
    auto domain = absl::AsciiStrToLower(std::string(pattern));
    bool added = false;
    if (domain == "*") {
      added = !any_;
      any_ = host;
    } else if (domain.starts_with('*')) {
      domain.erase(0, 1);
      added = suffixes_[domain.size()].emplace(domain, host).second;
    } else if (domain.ends_with('*')) {
      domain.pop_back();
      added = prefixes_[domain.size()].emplace(domain, host).second;
    } else {
      added = exact_.emplace(domain, host).second;
    }
    if (!added) {
      return fail(Code::kInvalidArgument, "domain '" + std::string(pattern) + "' appears twice");
    }
    return {};
  }

  std::optional<std::size_t> find(std::string_view host) const {
    if (const auto found = exact_.find(host); found != exact_.end()) return found->second;
    for (const auto& [length, hosts] : suffixes_) {
      if (length >= host.size()) continue;  // the star stands for at least one character
      const auto found = hosts.find(host.substr(host.size() - length));
      if (found != hosts.end()) return found->second;
    }
    for (const auto& [length, hosts] : prefixes_) {
      if (length >= host.size()) continue;
      const auto found = hosts.find(host.substr(0, length));
      if (found != hosts.end()) return found->second;
    }
    return any_;
  }

 private:
  using Hosts = std::map<std::string, std::size_t, std::less<>>;
  Hosts exact_;
  std::map<std::size_t, Hosts, std::greater<>> suffixes_;
  std::map<std::size_t, Hosts, std::greater<>> prefixes_;
  std::optional<std::size_t> any_;
};

std::string_view without_port(std::string_view host) {
  const auto colon = host.rfind(':');
  const auto bracket = host.rfind(']');
  const bool in_address = bracket != std::string_view::npos && bracket > colon;
  return colon == std::string_view::npos || in_address ? host : host.substr(0, colon);
}

class CompiledTable final : public RouteTable {
 public:
  static Result<std::shared_ptr<const RouteTable>> compile(
      const route::RouteConfiguration& configuration, FieldAudit& audit) {
    audit.fields(configuration, "route_configuration",
                 {"name", "virtual_hosts", "response_headers_to_add", "response_headers_to_remove",
                  "request_headers_to_add", "request_headers_to_remove",
                  "most_specific_header_mutations_wins", "validate_clusters",
                  "max_direct_response_body_size_bytes", "ignore_port_in_host_matching",
                  "ignore_path_parameters_in_path_matching", "metadata"});
    auto table = std::make_shared<CompiledTable>();
    auto headers = header_changes(configuration, "route_configuration", audit);
    if (!headers) return tl::unexpected(std::move(headers.error()));
    table->headers_ = std::move(*headers);
    table->most_specific_last_ = configuration.most_specific_header_mutations_wins();
    table->ignore_port_ = configuration.ignore_port_in_host_matching();
    Compiler compiler(configuration, audit);
    for (const auto& message : configuration.virtual_hosts()) {
      auto host = compiler.virtual_host(message);
      if (!host) return tl::unexpected(std::move(host.error()));
      for (const auto& domain : message.domains()) {
        if (auto added = table->domains_.add(domain, table->hosts_.size()); !added) {
          return tl::unexpected(std::move(added.error()));
        }
      }
      table->hosts_.push_back(std::move(*host));
    }
    table->index_clusters();
    return table;
  }

  std::optional<RouteDecision> match(const RequestView& request,
                                     std::uint64_t random) const override {
    auto host = absl::AsciiStrToLower(std::string(request.authority));
    const auto found = domains_.find(ignore_port_ ? without_port(host) : std::string_view(host));
    if (!found) return std::nullopt;
    const auto& virtual_host = hosts_[*found];
    for (const auto& each : virtual_host.routes) {
      if (each.match.match(request, random)) return decide(virtual_host, each, request, random);
    }
    return std::nullopt;
  }

  const std::vector<std::string>& clusters() const override { return clusters_; }

 private:
  void index_clusters() {
    std::set<std::string> names;
    for (const auto& host : hosts_) {
      for (const auto& each : host.routes) {
        for (const auto& cluster : each.action.clusters) names.insert(cluster.name);
      }
    }
    clusters_.assign(names.begin(), names.end());
  }

  RouteDecision decide(const VirtualHost& host, const Route& chosen, const RequestView& request,
                       std::uint64_t random) const {
    RouteDecision decision;
    decision.name = chosen.name;
    const auto& action = chosen.action;
    const WeightedCluster* cluster = nullptr;
    switch (action.kind) {
      case Action::Kind::kRedirect:
        decision.status = action.redirect.status();
        decision.location = action.redirect.location(request, chosen.match);
        break;
      case Action::Kind::kRespond:
        decision.status = action.status;
        decision.body = action.body;
        break;
      case Action::Kind::kForward:
        cluster = &draw(action, request, random);
        decision.cluster = cluster->name;
        decision.timeout = action.timeout;
        rewrite(decision, *cluster, chosen, request);
        break;
    }
    const auto change = [&](const HeaderChanges& changes) {
      changes.request.append_to(decision.request_headers, request);
      changes.response.append_to(decision.response_headers, request);
    };
    // The order of the levels is a setting, but a weighted cluster's changes are always the first.
    if (cluster) change(cluster->headers);
    change(most_specific_last_ ? headers_ : chosen.headers);
    change(host.headers);
    change(most_specific_last_ ? chosen.headers : headers_);
    return decision;
  }

  static const WeightedCluster& draw(const Action& action, const RequestView& request,
                                     std::uint64_t random) {
    if (!action.random_header.empty()) {
      std::uint64_t given = 0;
      const auto header = header_of(request, action.random_header);
      if (header && absl::SimpleAtoi(*header, &given)) random = given;
    }
    const auto drawn = random % action.clusters.back().until;
    return *std::upper_bound(
        action.clusters.begin(), action.clusters.end(), drawn,
        [](std::uint64_t value, const WeightedCluster& each) { return value < each.until; });
  }

  static void rewrite(RouteDecision& decision, const WeightedCluster& cluster, const Route& chosen,
                      const RequestView& request) {
    const auto& action = chosen.action;
    const auto bare = without_query(request.path);
    const auto query = request.path.substr(bare.size());
    if (action.prefix_rewrite) {
      const auto compared = chosen.match.compared(request.path);
      decision.path = *action.prefix_rewrite;
      decision.path->append(bare.substr(chosen.match.path().matched_length(compared)));
      decision.path->append(query);
    } else if (action.regex_rewrite.regex) {
      decision.path = action.regex_rewrite.apply(bare).append(query);
    }
    if (!cluster.host_rewrite.empty()) {
      decision.authority = cluster.host_rewrite;
    } else if (!action.host_rewrite.empty()) {
      decision.authority = action.host_rewrite;
    } else if (!action.host_rewrite_header.empty()) {
      auto value = header_of(request, action.host_rewrite_header);
      if (value && !value->empty()) decision.authority = std::move(*value);
    } else if (action.host_rewrite_path.regex) {
      decision.authority = action.host_rewrite_path.apply(bare);
    }
  }

  Domains domains_;
  std::vector<VirtualHost> hosts_;
  HeaderChanges headers_;
  bool most_specific_last_ = false;
  bool ignore_port_ = false;
  std::vector<std::string> clusters_;
};

}  // namespace

Result<std::shared_ptr<const RouteTable>> RouteTable::compile(
    const route::RouteConfiguration& configuration, std::vector<std::string>& unsupported) {
  FieldAudit audit;
  auto table = CompiledTable::compile(configuration, audit);
  unsupported = audit.take();
  if (!table) {
    return tl::unexpected(
        std::move(table.error()).within("RouteConfiguration '" + configuration.name() + "'"));
  }
  return table;
}

}  // namespace lazymesh::egress
