#pragma once

#include "egress/downstream.h"
#include "egress/pump.h"

namespace lazymesh::egress {

enum class TunnelEnd {
  kBothClosed,        ///< each side has said goodbye
  kDownstreamFailed,  ///< reset
  kUpstreamFailed,
  kCut,
};

/// Carry bytes both ways until both sides have closed; what one side has closed stays open the
/// other way. `to_upstream` and `to_downstream` may have something to write already.
Awaitable<TunnelEnd> tunnel(Downstream& down, Stream& upstream, Pump& to_upstream,
                            Pump& to_downstream);

}  // namespace lazymesh::egress
