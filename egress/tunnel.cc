#include "egress/tunnel.h"

namespace lazymesh::egress {
namespace {

http1::BodyDecoder until_close() {
  http1::MessageHead head;
  head.body = http1::BodyKind::kUntilClose;
  return http1::BodyDecoder(head, {});
}

}  // namespace

Awaitable<TunnelEnd> tunnel(Downstream& down, Stream& upstream, Pump& to_upstream,
                            Pump& to_downstream) {
  using State = Pump::State;
  to_upstream.begin(until_close(), false);
  to_downstream.begin(until_close(), false);
  bool up_ended = false;
  bool down_ended = false;
  while (!up_ended || !down_ended) {
    bool again = false;
    if (!up_ended) {
      const auto state = to_upstream.step(*down.stream, upstream);
      if (state == State::kSourceFailed) co_return TunnelEnd::kDownstreamFailed;
      if (state == State::kSinkFailed) co_return TunnelEnd::kUpstreamFailed;
      again = state == State::kAgain;
      up_ended = state == State::kEnded;
      if (up_ended) upstream.shutdown_send();
    }
    if (!down_ended) {
      const auto state = to_downstream.step(upstream, *down.stream);
      if (state == State::kSourceFailed) co_return TunnelEnd::kUpstreamFailed;
      if (state == State::kSinkFailed) co_return TunnelEnd::kDownstreamFailed;
      again = again || state == State::kAgain;
      down_ended = state == State::kEnded;
      if (down_ended) down.stream->shutdown_send();
    }
    if (up_ended && down_ended) break;
    if (again) down.wakeup.notify();  // the other connections have their turn
    // A side that has said goodbye is not read any more, but it may still break.
    if (up_ended) down.stream->wait_broken();
    if (down_ended) upstream.wait_broken();
    co_await down.sleep();
    if (down.is_cut()) co_return TunnelEnd::kCut;
    if (up_ended && down.stream->broken()) co_return TunnelEnd::kDownstreamFailed;
    if (down_ended && upstream.broken()) co_return TunnelEnd::kUpstreamFailed;
  }
  co_return TunnelEnd::kBothClosed;
}

}  // namespace lazymesh::egress
