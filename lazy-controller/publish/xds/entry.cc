#include "lazy-controller/publish/xds/entry.h"

#include <utility>

#include "lazy-controller/publish/xds/wire.h"

namespace lazymesh::publish::xds {

EntryPtr make_entry(Names& names, const sidecar::Resource& resource, bool has_endpoints,
                    bool is_checked) {
  const auto version = resource.version == 0 ? 1 : resource.version;
  auto framed = frame(resource.type, resource.name, version, resource.body);
  return std::make_shared<const Entry>(
      Entry{resource.type, names.intern(resource.name), version,
            std::make_shared<const std::string>(std::move(framed.wire)), framed.state_of_the_world,
            framed.body, has_endpoints, is_checked});
}

}  // namespace lazymesh::publish::xds
