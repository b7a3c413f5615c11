#pragma once

#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace lazymesh::egress {

/// Listening sockets that share one port, one an event loop, which the kernel spreads connections
/// over. They exclude every other socket that does not ask to share, so that a second copy of the
/// program is refused rather than given half of the connections: the first socket is bound alone,
/// and only then opened for the others. Owned file descriptors; non-blocking.
struct SharedListener {
  SocketAddress address;  ///< as bound
  std::vector<int> sockets;
};

/// kUnavailable, naming the address, if it is taken.
Result<SharedListener> listen_shared(const SocketAddress& address, unsigned count);

}  // namespace lazymesh::egress
