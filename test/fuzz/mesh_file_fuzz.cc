// A mesh file of any bytes is read or refused with its place, and read again is shared.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lazy-controller/registry/file/loader.h"

namespace {

using lazymesh::mesh::Registry;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view yaml(reinterpret_cast<const char*>(data), size);
  const auto first = lazymesh::registry::load_mesh(yaml, "mesh.yaml", *Registry::empty());
  if (!first) {
    require(first.error().message.starts_with("mesh.yaml:"));
    return 0;
  }
  const auto second = lazymesh::registry::load_mesh(yaml, "mesh.yaml", **first);
  require(second.has_value());
  require((*first)->services() == (*second)->services());
  require((*first)->workloads() == (*second)->workloads());
  for (const auto& service : (*first)->services()) {
    for (const auto& name : (*first)->names_of(*service, service->namespace_)) {
      const auto meant = (*first)->resolve(name, service->namespace_);
      require(meant == service || !service->visible_from(service->namespace_));
    }
  }
  return 0;
}
