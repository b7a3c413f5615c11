#include "sidecar/user_parts.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "envoy/config/route/v3/route.pb.h"

namespace lazymesh::sidecar {
namespace {

using envoy::config::route::v3::RouteConfiguration;
using envoy::config::route::v3::VirtualHost;

// `reviews`, `reviews.shop`, …, up to the whole host, with or without a port.
bool names(std::string_view domain, const mesh::Service& service) {
  const std::string_view host = service.host;
  const auto name = domain.substr(0, domain.find(':'));
  if (name.empty() || name.size() > host.size()) return false;
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == static_cast<unsigned char>(b);
  };
  if (!std::equal(name.begin(), name.end(), host.begin(), same)) return false;
  if (name.size() == host.size()) return true;
  const bool in_cluster = host.find("." + service.namespace_ + ".svc.") != host.npos;
  return in_cluster && host[name.size()] == '.';
}

bool any_domain(const VirtualHost& host, auto&& predicate) {
  return std::any_of(host.domains().begin(), host.domains().end(), predicate);
}

const VirtualHost* choose(const RouteConfiguration& routes, const mesh::Service& service) {
  const VirtualHost* catch_all = nullptr;
  for (const auto& host : routes.virtual_hosts()) {
    if (any_domain(host, [&](const auto& domain) { return names(domain, service); })) return &host;
    if (catch_all == nullptr && any_domain(host, [](const auto& d) { return d == "*"; })) {
      catch_all = &host;
    }
  }
  return catch_all;
}

// Envoy applies a virtual host's header operations before the route configuration's, so these come
// last.
void bring_in(const RouteConfiguration& routes, VirtualHost& host) {
  host.mutable_request_headers_to_add()->MergeFrom(routes.request_headers_to_add());
  host.mutable_request_headers_to_remove()->MergeFrom(routes.request_headers_to_remove());
  host.mutable_response_headers_to_add()->MergeFrom(routes.response_headers_to_add());
  host.mutable_response_headers_to_remove()->MergeFrom(routes.response_headers_to_remove());
  if (host.request_mirror_policies().empty()) {
    host.mutable_request_mirror_policies()->CopyFrom(routes.request_mirror_policies());
  }
  for (const auto& [filter, config] : routes.typed_per_filter_config()) {
    host.mutable_typed_per_filter_config()->insert({filter, config});  // keeps what is there
  }
}

}  // namespace

bool user_virtual_host(const mesh::Service& service, VirtualHost& virtual_host) {
  RouteConfiguration routes;
  if (service.routes.empty() || !routes.ParseFromString(service.routes)) return false;
  const auto* chosen = choose(routes, service);
  if (chosen == nullptr) return false;
  virtual_host = *chosen;
  bring_in(routes, virtual_host);
  return true;
}

}  // namespace lazymesh::sidecar
