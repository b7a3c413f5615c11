#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "mesh/registry.h"

namespace lazymesh::registry {

inline constexpr std::size_t kMaxMeshFileBytes = 256 * 1024 * 1024;

/// Read a mesh file (docs/mesh-file.md). What did not change is shared with `previous`. Errors read
/// "mesh.yaml:12:5: services[3].ports[0].number: 70000 is not a port (1 to 65535)". No I/O, any
/// thread.
Result<std::shared_ptr<const mesh::Registry>> load_mesh(std::string_view yaml,
                                                        std::string_view file_name,
                                                        const mesh::Registry& previous);

}  // namespace lazymesh::registry
