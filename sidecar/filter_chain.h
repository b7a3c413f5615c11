#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace envoy::config::listener::v3 {
class FilterChain;
class Listener;
}  // namespace envoy::config::listener::v3

/// The network filters of a sidecar's listeners.
namespace lazymesh::sidecar {

/// HTTP from the application: routed by Host and original port (kOutboundRoutes).
void add_outbound_http(bool observed, envoy::config::listener::v3::FilterChain& chain);
/// HTTP to the application: as it came, with x-forwarded-for naming the peer. HTTP/1.0 without a
/// Host is given `default_host`, without which Envoy would refuse it.
void add_inbound_http(const std::string& default_host,
                      envoy::config::listener::v3::FilterChain& chain);
/// Bytes to a cluster, for as long as both ends like.
void add_tcp(std::string_view cluster, bool observed,
             envoy::config::listener::v3::FilterChain& chain);

/// Where the connection was going before iptables redirected it. Must come before inspect_http():
/// an inspection that gives up skips the listener filters after it, the one that use_original_dst
/// appends by itself included.
void restore_original_destination(envoy::config::listener::v3::Listener& listener);
/// Find out whether a connection's first bytes are HTTP/1 or HTTP/2, whatever its port; a
/// connection that stays silent (a server-first protocol) is taken as TCP after 100 ms.
void inspect_http(envoy::config::listener::v3::Listener& listener);
/// Match what inspect_http() found to be HTTP.
void match_http(envoy::config::listener::v3::FilterChain& chain);
/// Close a connection to the sidecar's own port: its original destination is the sidecar itself, so
/// passing it on would never end.
void add_blackhole(std::uint16_t own_port, envoy::config::listener::v3::Listener& listener);

}  // namespace lazymesh::sidecar
