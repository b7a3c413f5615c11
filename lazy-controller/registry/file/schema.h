#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lazy-controller/registry/file/decoder.h"
#include "lazy-controller/registry/file/envoy_text.h"
#include "mesh/registry.h"

/// Which keys a mesh file has and what becomes of each: one table a mapping (docs/mesh-file.md and
/// docs/mesh.schema.json say the same to people and editors).
namespace lazymesh::registry {

/// A service as it is written, with what can be checked only when the whole file is read.
struct ServiceDraft {
  mesh::Service service;
  std::vector<RouteTarget> targets;
};

mesh::MeshSettings read_settings(Decoder& decoder, const Value& value);
mesh::Namespace read_namespace(Decoder& decoder, const Value& value);
ServiceDraft read_service(Decoder& decoder, const Value& value);
mesh::Workload read_workload(Decoder& decoder, const Value& value);

/// The keys of the file itself.
inline constexpr std::string_view kSections[] = {"settings", "namespaces", "services", "workloads"};

/// Every mapping of ours by its name in docs/mesh.schema.json ("port"), with its keys; those that
/// must be there end with `!`. For the test that keeps the two the same.
std::vector<std::pair<std::string, std::vector<std::string>>> known_keys();

}  // namespace lazymesh::registry
