#pragma once

namespace envoy::config::cluster::v3 {
class CircuitBreakers;
class Cluster;
}  // namespace envoy::config::cluster::v3
namespace envoy::extensions::upstreams::http::v3 {
class HttpProtocolOptions;
}

/// What clusters have in common.
namespace lazymesh::sidecar {

/// No limit of Envoy's own, as in Istio: requests that would be served without a sidecar are served
/// with one. What is in use is still counted.
void no_limits(envoy::config::cluster::v3::CircuitBreakers& into);

/// What goes upstream is of the version that came from downstream, HTTP/1 with its header case
/// kept, h2c as h2c.
void as_downstream(envoy::extensions::upstreams::http::v3::HttpProtocolOptions& options);
/// What goes upstream is always HTTP/2.
void always_http2(envoy::extensions::upstreams::http::v3::HttpProtocolOptions& options);

void set_http_options(const envoy::extensions::upstreams::http::v3::HttpProtocolOptions& options,
                      envoy::config::cluster::v3::Cluster& cluster);

}  // namespace lazymesh::sidecar
