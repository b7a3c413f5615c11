#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lazy-controller/publish/xds/messages.h"

/// Discovery requests and responses as bytes. Responses are put together from bytes that exist
/// already (docs/adr/0002-xds-responses-by-slices.md). Pure.
namespace lazymesh::publish::xds {

/// Some bytes of a message and what keeps them alive.
struct Piece {
  std::shared_ptr<const std::string> owner;
  std::string_view bytes;
};

/// The response as a sequence of bytes: first the fields of the response itself, then the
/// resources.
std::vector<Piece> encode(Variant variant, const Response& response);

/// A request; of its node only the little that is needed is kept. kInvalidArgument for what is no
/// such message.
Result<Request> parse_request(Variant variant, std::string_view bytes);

/// `type.googleapis.com/…` of a served type; kNotFound, naming it, for any other.
Result<ResourceType> parse_type_url(std::string_view url);
/// `cds`, `eds`, `lds`, `rds`.
std::string_view short_name(ResourceType type);

/// A `resources` field of a DeltaDiscoveryResponse: name, version and the message in an Any; its
/// tail is a `resources` field of a DiscoveryResponse, since that too has number 2.
struct Framed {
  std::string wire;
  std::size_t state_of_the_world = 0;
  std::size_t body = 0;
};
Framed frame(ResourceType type, std::string_view name, std::uint64_t version,
             std::string_view body);

}  // namespace lazymesh::publish::xds
