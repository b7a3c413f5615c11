#pragma once

#include <string>
#include <vector>

#include "lazy-controller/publish/xds/publisher.h"
#include "mesh/types.h"

namespace lazymesh::api {

/// The controller's admin pages as JSON text. Pure.

/// `/sidecars`: every connected xDS client, what it holds and what it refused, in Envoy's own
/// words.
std::string sidecars_page(const std::vector<publish::xds::ClientStatus>& clients);

/// `/dependencies`: the learned graph.
std::string dependencies_page(const std::vector<mesh::Dependency>& dependencies);

}  // namespace lazymesh::api
