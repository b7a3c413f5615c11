#include "lazy-controller/publish/xds/name.h"

#include <cassert>

#include "sidecar/resource.h"

namespace lazymesh::publish::xds {

Names::~Names() { assert(nodes_.empty()); }

Name Names::intern(std::string_view text) {
  if (const auto found = nodes_.find(text); found != nodes_.end()) return Name(*found);
  auto* node = new Node{this, sidecar::content_hash(text), 0, std::string(text)};
  nodes_.insert(node);
  return Name(node);
}

Name Names::find(std::string_view text) const {
  const auto found = nodes_.find(text);
  return found == nodes_.end() ? Name() : Name(*found);
}

void Names::forget(Node* node) {
  nodes_.erase(node);
  delete node;
}

}  // namespace lazymesh::publish::xds
