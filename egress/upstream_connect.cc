#include "egress/upstream_connect.h"

#include <algorithm>

#include "egress/loop.h"

namespace lazymesh::egress {

Result<UpstreamTarget> target_of(Downstream& down, const LoopDestination& destination,
                                 const Cluster* cluster) {
  if (cluster == nullptr) {
    return fail(Code::kNotFound, "the cluster of the destination is not known");
  }
  UpstreamTarget target{cluster, nullptr, cluster->connect_timeout()};
  if (destination.snapshot->discovery == Discovery::kOriginalDestination) {
    if (is_forbidden_original_destination(down.destination.ip)) {
      return fail(Code::kPermissionDenied, "the original destination " +
                                               down.destination.to_string() +
                                               " is an address that is never passed through to");
    }
    target.original = down.loop.upstreams.endpoint(cluster->name(), down.destination);
  }
  return target;
}

Result<EndpointPtr> choose_endpoint(Loop& loop, const UpstreamTarget& target,
                                    std::span<const EndpointPtr> tried) {
  auto endpoint = target.original ? target.original : target.cluster->pick(loop.random, tried);
  if (!endpoint) {
    return fail(Code::kUnavailable, target.cluster->name() + " has no healthy endpoint",
                Origin::kUpstream);
  }
  if (std::find(tried.begin(), tried.end(), endpoint) != tried.end()) {
    return fail(Code::kNotFound, target.cluster->name() + " has no other endpoint");
  }
  if (loop.is_own(endpoint->address())) {
    return fail(Code::kPermissionDenied,
                "the endpoint " + endpoint->address().to_string() + " is this egress itself");
  }
  return endpoint;
}

Awaitable<Result<UpstreamConnectionPtr>> connect_upstream(Downstream& down,
                                                          const EndpointPtr& endpoint,
                                                          std::chrono::milliseconds timeout) {
  auto& loop = down.loop;
  const auto& from = loop.config().bind_upstream;
  auto stream = Stream::connect(loop.executor(), endpoint->address(), from ? &*from : nullptr);
  if (!stream) co_return tl::unexpected(std::move(stream.error()));
  if (!(*stream)->writable()) {
    (*stream)->listen(&down.wakeup);
    (*stream)->wait_writable();
    down.set(loop.now() + timeout);
    while (!(*stream)->writable()) {
      co_await down.sleep();
      if (down.take_timeout() || down.is_cut()) {
        (*stream)->close();
        co_return fail(Code::kDeadlineExceeded,
                       "connect to " + endpoint->address().to_string() + ": timed out",
                       Origin::kUpstream, Retry::kSafe);
      }
    }
    down.clear();
    if (auto connected = (*stream)->connected(); !connected) {
      (*stream)->close();
      co_return tl::unexpected(
          std::move(connected.error()).within("connect to " + endpoint->address().to_string()));
    }
  }
  co_return loop.upstreams.adopt(std::move(*stream), endpoint);
}

}  // namespace lazymesh::egress
