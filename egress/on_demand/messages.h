#pragma once

#include <string>

#include "egress/on_demand/table.h"

namespace envoy::service::discovery::v3 {
class DiscoveryRequest;
}
namespace lazymesh::v1 {
class ResolveRequest;
class Resolution;
}  // namespace lazymesh::v1

/// The table's words as messages of the wire, and back.
namespace lazymesh::egress {

v1::ResolveRequest to_message(const ResolverRequest& request);
/// kInvalidArgument for a resolution of something that we never ask.
Result<std::pair<Key, Resolution>> from_message(const v1::Resolution& message);

/// `node_id` and `name_space` (of the services that the stream is about) fill the node, which only
/// the first request of a stream carries; an empty `node_id` leaves it out.
envoy::service::discovery::v3::DiscoveryRequest to_message(const AdsRequest& request,
                                                           const std::string& node_id,
                                                           const std::string& name_space);

}  // namespace lazymesh::egress
