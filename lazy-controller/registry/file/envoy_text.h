#pragma once

#include <string>
#include <vector>

#include "lazy-controller/registry/file/yaml_stream.h"
#include "mesh/types.h"

namespace lazymesh::registry {

/// A cluster that a service's routes send requests to, and where it is written.
struct RouteTarget {
  std::string cluster;
  Mark mark;
  std::string path;
};

/// A RouteConfiguration written as YAML with Envoy's field names (either spelling), as serialized
/// bytes, deterministic. Refused: what is not in Envoy's API, what only Lazymesh decides, and what
/// would send requests to a cluster that cannot be known in advance. Fills `targets`, each once.
std::string read_routes(const Value& value, Problems& problems, std::vector<RouteTarget>& targets);

/// Whether the virtual host of the service's routes is for a name of the service, or for all.
bool routes_apply_to(const mesh::Service& service);

/// The same as read_routes() for a Cluster: what it says is merged over what Lazymesh would send.
std::string read_cluster(const Value& value, Problems& problems);

}  // namespace lazymesh::registry
