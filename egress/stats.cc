#include "egress/stats.h"

#include <string>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace lazymesh::egress {
namespace {

using prometheus::Counter;

/// A counter of the registry and where the loops keep their part of it.
struct Folded {
  Counter* counter;
  const Count& (*part)(const LoopStats&);
  std::uint64_t seen = 0;
};

/// Seconds: a known controller answers in milliseconds, and gives up after five seconds.
const prometheus::Histogram::BucketBoundaries waits{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
                                                    0.1,    0.2,   0.5,   1,     2,    5};

}  // namespace

struct Metrics::Children {
  std::vector<Folded> counters;
  prometheus::Gauge* connections = nullptr;
  prometheus::Gauge* upstream_connections = nullptr;
  prometheus::Histogram* first_request = nullptr;
};

Metrics::Metrics(prometheus::Registry& registry) : children_(std::make_unique<Children>()) {
  const auto family = [&](const char* name, const char* help) -> prometheus::Family<Counter>& {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  };
  const auto fold_into = [&](Counter& counter, const Count& (*part)(const LoopStats&)) {
    children_->counters.push_back({&counter, part});
  };
  auto& requests = family("lazymesh_egress_requests_total",
                          "HTTP requests by the class of the response's code; none: not answered.");
  fold_into(requests.Add({{"code", "none"}}),
            [](const LoopStats& s) -> const Count& { return s.requests[0]; });
  fold_into(requests.Add({{"code", "1xx"}}),
            [](const LoopStats& s) -> const Count& { return s.requests[1]; });
  fold_into(requests.Add({{"code", "2xx"}}),
            [](const LoopStats& s) -> const Count& { return s.requests[2]; });
  fold_into(requests.Add({{"code", "3xx"}}),
            [](const LoopStats& s) -> const Count& { return s.requests[3]; });
  fold_into(requests.Add({{"code", "4xx"}}),
            [](const LoopStats& s) -> const Count& { return s.requests[4]; });
  fold_into(requests.Add({{"code", "5xx"}}),
            [](const LoopStats& s) -> const Count& { return s.requests[5]; });
  fold_into(family("lazymesh_egress_connections_total", "Downstream connections accepted.").Add({}),
            [](const LoopStats& s) -> const Count& { return s.connections_accepted; });
  auto& refused = family("lazymesh_egress_connections_refused_total",
                         "Downstream connections closed before they were served.");
  fold_into(refused.Add({{"reason", "limit"}}),
            [](const LoopStats& s) -> const Count& { return s.refused_limit; });
  fold_into(refused.Add({{"reason", "proxy_header"}}),
            [](const LoopStats& s) -> const Count& { return s.refused_proxy_header; });
  fold_into(family("lazymesh_egress_destinations_refused_total",
                   "Requests and connections whose destination is never forwarded to.")
                .Add({}),
            [](const LoopStats& s) -> const Count& { return s.refused_destination; });
  fold_into(family("lazymesh_egress_callers_refused_total",
                   "Requests and connections whose caller is no known workload.")
                .Add({}),
            [](const LoopStats& s) -> const Count& { return s.refused_callers; });
  fold_into(
      family("lazymesh_egress_tcp_connections_total", "Connections carried as bytes.").Add({}),
      [](const LoopStats& s) -> const Count& { return s.tcp_connections; });
  fold_into(family("lazymesh_egress_unknown_hosts_total",
                   "Requests and connections to what the registry does not have.")
                .Add({}),
            [](const LoopStats& s) -> const Count& { return s.unknown_hosts; });
  fold_into(family("lazymesh_egress_unanswered_total",
                   "Requests and connections for which the controller gave no answer in time.")
                .Add({}),
            [](const LoopStats& s) -> const Count& { return s.unanswered; });
  fold_into(family("lazymesh_egress_waiting_overflow_total",
                   "Requests refused because too many waited for the controller already.")
                .Add({}),
            [](const LoopStats& s) -> const Count& { return s.waiting_overflow; });
  fold_into(family("lazymesh_egress_stalled_total",
                   "Requests that did not move for too long before all of them was sent.")
                .Add({}),
            [](const LoopStats& s) -> const Count& { return s.stalled; });
  auto& upstream = family("lazymesh_egress_upstream_connections_total",
                          "Upstream connections by how connecting ended.");
  fold_into(upstream.Add({{"result", "connected"}}),
            [](const LoopStats& s) -> const Count& { return s.upstream_opened; });
  fold_into(upstream.Add({{"result", "failed"}}),
            [](const LoopStats& s) -> const Count& { return s.upstream_failed; });
  fold_into(family("lazymesh_egress_upstream_reused_total",
                   "Requests sent over a pooled upstream connection.")
                .Add({}),
            [](const LoopStats& s) -> const Count& { return s.upstream_reused; });
  fold_into(family("lazymesh_egress_upstream_retries_total",
                   "Requests sent again because a pooled connection had died.")
                .Add({}),
            [](const LoopStats& s) -> const Count& { return s.upstream_retries; });
  auto& bytes = family("lazymesh_egress_bytes_total", "Body bytes (HTTP) and all bytes (TCP).");
  fold_into(bytes.Add({{"direction", "request"}}),
            [](const LoopStats& s) -> const Count& { return s.request_bytes; });
  fold_into(bytes.Add({{"direction", "response"}}),
            [](const LoopStats& s) -> const Count& { return s.response_bytes; });
  children_->connections = &prometheus::BuildGauge()
                                .Name("lazymesh_egress_connections")
                                .Help("Downstream connections open now.")
                                .Register(registry)
                                .Add({});
  children_->upstream_connections = &prometheus::BuildGauge()
                                         .Name("lazymesh_egress_upstream_connections")
                                         .Help("Upstream connections open now, pooled or in use.")
                                         .Register(registry)
                                         .Add({});
  children_->first_request =
      &prometheus::BuildHistogram()
           .Name("lazymesh_egress_first_request_wait_seconds")
           .Help("How long requests waited until their destination was known.")
           .Register(registry)
           .Add({}, waits);
}

Metrics::~Metrics() = default;

LoopStats& Metrics::add_loop() { return *loops_.emplace_back(std::make_unique<LoopStats>()); }

void Metrics::fold() {
  for (auto& each : children_->counters) {
    std::uint64_t sum = 0;
    for (const auto& loop : loops_) sum += each.part(*loop).value();
    each.counter->Increment(static_cast<double>(sum - each.seen));
    each.seen = sum;
  }
  std::uint64_t connections = 0;
  std::uint64_t upstream = 0;
  for (const auto& loop : loops_) {
    // The ends first: what ends in between is counted as still there.
    const auto ended = loop->connections_closed.value();
    connections += loop->connections_accepted.value() - ended;
    const auto upstream_ended = loop->upstream_closed.value();
    upstream += loop->upstream_opened.value() - upstream_ended;
  }
  children_->connections->Set(static_cast<double>(connections));
  children_->upstream_connections->Set(static_cast<double>(upstream));
}

void Metrics::observe_first_request(double seconds) { children_->first_request->Observe(seconds); }

}  // namespace lazymesh::egress
