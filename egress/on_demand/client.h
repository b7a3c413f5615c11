#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/readiness.h"
#include "egress/on_demand/link.h"
#include "egress/on_demand/on_demand.h"

namespace prometheus {
class Registry;
}

namespace lazymesh::egress {

struct OnDemandOptions {
  std::string controller;  ///< HOST:PORT of Resolver and ADS
  std::string node_id;     ///< `egress~ADDRESS~NAME.NAMESPACE~NAMESPACE.svc.DOMAIN`
  /// Of a first answer to a loop; its requests wait at most so long for the control plane.
  std::chrono::milliseconds deadline{5'000};
  /// How long a destination is held up by clusters that its routes name and that do not come.
  std::chrono::milliseconds route_cluster_wait{1'000};
  /// What no request has used for so long is let go.
  std::chrono::milliseconds idle{std::chrono::minutes(10)};
  /// How long an unknown host is remembered as such (and watched for becoming known).
  std::chrono::milliseconds unknown_ttl{10'000};
  std::chrono::milliseconds dns_refresh{30'000};
  /// Known destinations, and as many callers; above it the least recently used are let go.
  std::size_t max_destinations = 10'000;
  /// Unknown hosts, and as many unknown callers; above it the oldest are forgotten.
  std::size_t max_unknown = 10'000;
  /// Keys without an answer yet; above it new ones fail at once.
  std::size_t max_pending = 10'000;
  /// Between attempts to reach the controller, each stream for itself.
  BackoffOptions backoff;
  /// A connection without an answer to a ping for so long is taken for broken.
  std::chrono::milliseconds keepalive_time{30'000};
  std::chrono::milliseconds keepalive_timeout{10'000};
  std::size_t max_response_bytes = 64 * 1024 * 1024;
};

/// The client with its own control thread, which begins to connect at once. Blocks `readiness`
/// until the controller has been reached. The references must outlive it. It is destroyed after the
/// loops have stopped asking; what it has posted to them may still run then.
std::unique_ptr<OnDemand> make_on_demand(OnDemandOptions options, const Clock& clock,
                                         Readiness& readiness, prometheus::Registry& metrics);

/// The admin page: streams, callers and destinations with what is known of each, and which fields
/// of their configuration are not honoured; at most 1,000 keys. Any thread but the client's own; it
/// waits for the control thread. `client` is one of make_on_demand()'s.
std::string on_demand_state_json(const OnDemand& client);

}  // namespace lazymesh::egress
