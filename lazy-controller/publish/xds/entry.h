#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "lazy-controller/publish/xds/name.h"
#include "sidecar/resource.h"

namespace lazymesh::publish::xds {

using sidecar::ResourceType;

/// One resource as it goes over the wire: encoded once, sent to all clients without being copied.
/// `wire` may be shared with any thread, the rest belongs to the control thread.
struct Entry {
  ResourceType type;
  Name name;
  std::uint64_t version;  ///< from the content, never 0
  /// A `resources` field of a DeltaDiscoveryResponse. From `state_of_the_world` on it is a
  /// `resources` field of a DiscoveryResponse (wire.h).
  std::shared_ptr<const std::string> wire;
  std::size_t state_of_the_world;
  std::size_t body;  ///< where in `wire` the message itself begins
  /// A cluster whose endpoints are discovered, under its own name.
  bool has_endpoints = false;
  /// A cluster that is not warm before its endpoints have been checked.
  bool is_checked = false;

  std::string_view message() const { return std::string_view(*wire).substr(body); }
};
using EntryPtr = std::shared_ptr<const Entry>;

/// The resource, encoded.
EntryPtr make_entry(Names& names, const sidecar::Resource& resource, bool has_endpoints = false,
                    bool is_checked = false);

}  // namespace lazymesh::publish::xds
