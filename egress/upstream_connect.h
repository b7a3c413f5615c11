#pragma once

#include <chrono>
#include <span>

#include "egress/downstream.h"
#include "egress/upstreams.h"

namespace lazymesh::egress {

/// Where a request or a connection goes: one of a cluster's endpoints, or the one that the original
/// destination is.
struct UpstreamTarget {
  const Cluster* cluster = nullptr;
  EndpointPtr original;
  std::chrono::milliseconds connect_timeout{0};
};

/// By the destination's way of discovery. kPermissionDenied where the original destination is an
/// address that is never passed through to; kNotFound if there is no cluster.
Result<UpstreamTarget> target_of(Downstream& down, const LoopDestination& destination,
                                 const Cluster* cluster);

/// One that was not tried. kUnavailable if there is no endpoint, kNotFound if all were tried;
/// kPermissionDenied if it is this egress.
Result<EndpointPtr> choose_endpoint(Loop& loop, const UpstreamTarget& target,
                                    std::span<const EndpointPtr> tried);

/// A new connection. kDeadlineExceeded, or kUnavailable (also when the downstream is cut).
Awaitable<Result<UpstreamConnectionPtr>> connect_upstream(Downstream& down,
                                                          const EndpointPtr& endpoint,
                                                          std::chrono::milliseconds timeout);

}  // namespace lazymesh::egress
