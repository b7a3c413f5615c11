#pragma once

#include "mesh/types.h"

namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class HttpConnectionManager;
}
namespace envoy::extensions::filters::network::tcp_proxy::v3 {
class TcpProxy;
}

namespace lazymesh::sidecar {

/// Tell the controller of every request or connection, so that it learns although nothing is
/// narrowed. The controller's cluster is in the bootstrap.
void report(envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager&
                manager);
void report(envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy& proxy);

}  // namespace lazymesh::sidecar
