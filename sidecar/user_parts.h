#pragma once

#include <optional>

#include "mesh/types.h"

namespace envoy::config::route::v3 {
class VirtualHost;
}

namespace lazymesh::sidecar {

/// The virtual host of the user's routes that requests to the service use, whatever name of it they
/// carry: the first that has a name of the service among its domains, else the first for `*`. What
/// the route configuration around it says of headers, mirrors and filters is brought into it.
/// Nullopt-like: false, if there is none.
bool user_virtual_host(const mesh::Service& service,
                       envoy::config::route::v3::VirtualHost& virtual_host);

}  // namespace lazymesh::sidecar
