#pragma once

#include "mesh/registry.h"

namespace lazymesh::v1 {
class Query;
class Resolution;
}  // namespace lazymesh::v1

namespace lazymesh::api {

/// What the registry answers to an egress's query (proto/lazymesh/v1/resolver.proto). Pure.
///
/// A caller is a workload only if the connection's peer and the PROXY protocol's source are both
/// its addresses; with bound sidecars, only where the mesh file trusts bound addresses, it is the
/// workload of the bound address. A destination must be visible from the caller's namespace;
/// outside the registry it is the original destination where the mesh allows any, else not found.
/// An endpoint's own address is answered as that very endpoint.
v1::Resolution resolve(const mesh::Registry& registry, const v1::Query& query);

}  // namespace lazymesh::api
