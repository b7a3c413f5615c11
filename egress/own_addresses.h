#pragma once

#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace lazymesh::egress {

/// The addresses under which this egress listens. It never forwards to them: the request would come
/// back. (A loop over another egress ends there, since an egress takes no connection without a
/// PROXY header and sends none.)
class OwnAddresses {
 public:
  /// `listen` as bound; where that is the wildcard address, every address of the machine now.
  static Result<OwnAddresses> find(const SocketAddress& listen);

  bool contains(const SocketAddress& address) const;

 private:
  std::uint16_t port_ = 0;
  bool any_ = false;
  std::vector<IpAddress> addresses_;
};

/// Where a connection is never passed through to by its original destination alone: addresses that
/// mean the egress's own machine, link-local ones, metadata services, multicast.
bool is_forbidden_original_destination(const IpAddress& address);

}  // namespace lazymesh::egress
