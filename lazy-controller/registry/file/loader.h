#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "mesh/registry.h"

namespace lazymesh::registry {

/// Read a mesh file (docs/mesh-file.md). What did not change is shared with `previous`. Errors read
/// "mesh.yaml:12:5: services[3].ports[0].number: 70000 is not a port".
Result<std::shared_ptr<const mesh::Registry>> load_mesh(std::string_view yaml,
                                                        std::string_view file_name,
                                                        const mesh::Registry& previous);

}  // namespace lazymesh::registry
