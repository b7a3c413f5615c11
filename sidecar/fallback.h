#pragma once

#include "sidecar/configuration.h"

namespace lazymesh::sidecar {

/// What becomes of traffic to what the sidecar does not know.
enum class Fallback {
  kEgress,       ///< lazy: to the egress, with its original source and destination
  kPassthrough,  ///< the whole mesh is known and any destination allowed: where it was going
  kRefuse,       ///< 502 for HTTP; what is no HTTP gets 400 and is closed
};

/// A bound sidecar has no original destination to pass anything through to.
Fallback fallback_of(const Subject& subject);

}  // namespace lazymesh::sidecar
