#include <set>

#include "envoy/config/listener/v3/listener.pb.h"

#include "sidecar/configuration.h"
#include "sidecar/fallback.h"
#include "sidecar/filter_chain.h"
#include "sidecar/messages.h"

namespace lazymesh::sidecar {
namespace {

using envoy::config::core::v3::TrafficDirection;
using envoy::config::listener::v3::Listener;

bool observed(const Subject& subject) { return subject.mode == mesh::LazyMode::kObserve; }

ResourcePtr finish(const Listener& listener) {
  return make_resource(ResourceType::kListener, listener.name(), listener);
}

// All addresses, of the family that the workload has.
IpAddress any_address(const mesh::Workload& workload) {
  const bool v6 = !workload.addresses.empty() && !workload.addresses.front().is_v4();
  return v6 ? IpAddress::v6({}) : IpAddress::v4({});
}

// What is next to the workload (its node's metadata service among it) is another thing seen from
// the egress, so it is never sent there.
void keep_link_local_direct(const Subject& subject, Listener& listener) {
  auto& chain = *listener.add_filter_chains();
  chain.set_name("link-local");
  const auto add = [&](const std::string& prefix, std::uint32_t bits) {
    auto& range = *chain.mutable_filter_chain_match()->add_prefix_ranges();
    range.set_address_prefix(prefix);
    range.mutable_prefix_len()->set_value(bits);
  };
  add("169.254.0.0", 16);  // RFC 3927
  add("fe80::", 10);       // RFC 4291, 2.5.6
  add_tcp(kPassthroughCluster, observed(subject), chain);
}

// Where iptables sends what the application sends. Connections with a listener of their own address
// are handed to it; the rest is treated here, by what it is and not by its port.
ResourcePtr virtual_outbound(const Subject& subject) {
  Listener listener;
  listener.set_name("virtualOutbound");
  listener.set_traffic_direction(TrafficDirection::OUTBOUND);
  set({any_address(subject.workload), kOutboundPort}, *listener.mutable_address());
  restore_original_destination(listener);
  listener.mutable_use_original_dst()->set_value(true);  // hand over
  inspect_http(listener);
  add_blackhole(kOutboundPort, listener);
  const auto fallback = fallback_of(subject);
  const bool any = subject.registry.settings().outbound == mesh::OutboundPolicy::kAllowAny;
  if (fallback == Fallback::kEgress && any) keep_link_local_direct(subject, listener);
  auto& http = *listener.add_filter_chains();
  http.set_name("http");
  match_http(http);
  add_outbound_http(observed(subject), http);
  auto& rest = *listener.mutable_default_filter_chain();
  if (fallback == Fallback::kRefuse) {
    // TCP services have listeners of their own, so this is HTTP that is late or refused as such.
    rest.set_name("late-http");
    add_outbound_http(observed(subject), rest);
  } else {
    rest.set_name("tcp");
    add_tcp(fallback == Fallback::kEgress ? kEgressCluster : kPassthroughCluster, observed(subject),
            rest);
  }
  return finish(listener);
}

// Where iptables sends what comes to the application. It is not handed on by its original
// destination, which is the application itself.
ResourcePtr virtual_inbound(const Subject& subject) {
  Listener listener;
  listener.set_name("virtualInbound");
  listener.set_traffic_direction(TrafficDirection::INBOUND);
  set({any_address(subject.workload), kInboundPort}, *listener.mutable_address());
  restore_original_destination(listener);
  inspect_http(listener);
  add_blackhole(kInboundPort, listener);
  auto& http = *listener.add_filter_chains();
  http.set_name("http");
  match_http(http);
  const auto& addresses = subject.workload.addresses;
  add_inbound_http(addresses.empty() ? "localhost" : addresses.front().to_string(), http);
  auto& tcp = *listener.mutable_default_filter_chain();
  tcp.set_name("tcp");
  add_tcp(kInboundCluster, false, tcp);
  return finish(listener);
}

std::string name_of(const SocketAddress& address) {
  return address.ip.to_string() + "_" + std::to_string(address.port);
}

// A listener without a socket: takes the connections that were going to this address.
ResourcePtr tcp_listener(const Subject& subject, const SocketAddress& address,
                         std::string_view cluster) {
  Listener listener;
  listener.set_name(name_of(address));
  listener.set_traffic_direction(TrafficDirection::OUTBOUND);
  set(address, *listener.mutable_address());
  listener.mutable_bind_to_port()->set_value(false);
  add_tcp(cluster, observed(subject), *listener.add_filter_chains());
  return finish(listener);
}

// A TCP service is known by its addresses. Where it has none of its own (headless), the application
// chose one of its endpoints and must reach that one.
void add_tcp_listeners(const Subject& subject, const mesh::Service& service,
                       std::set<SocketAddress>& taken, std::vector<ResourcePtr>& listeners) {
  const auto add = [&](const SocketAddress& address, std::string_view cluster) {
    if (taken.insert(address).second) listeners.push_back(tcp_listener(subject, address, cluster));
  };
  for (const auto& port : service.ports) {
    if (mesh::is_http(port.protocol)) continue;
    for (const auto& vip : service.vips) {
      add({vip, port.number}, mesh::cluster_name(service.host, port.number));
    }
    if (!service.vips.empty()) continue;
    for (const auto& endpoint : service.endpoints) {
      if (endpoint.service_port == port.number) add(endpoint.address, kPassthroughCluster);
    }
  }
}

// Every HTTP port that any service has which the workload may see, known to it or not.
std::set<std::uint16_t> http_ports(const Subject& subject) {
  std::set<std::uint16_t> ports;
  for (const auto& service : subject.registry.services()) {
    if (!service->visible_from(subject.workload.id.namespace_)) continue;
    for (const auto& port : service->ports) {
      if (mesh::is_http(port.protocol)) ports.insert(port.number);
    }
  }
  return ports;
}

ResourcePtr bound_listener(const Subject& subject, std::uint16_t port) {
  const SocketAddress address{subject.workload.addresses.front(), port};
  Listener listener;
  listener.set_name(name_of(address));
  listener.set_traffic_direction(TrafficDirection::OUTBOUND);
  set(address, *listener.mutable_address());
  // Whoever else wants this address is refused, or we are.
  listener.mutable_enable_reuse_port()->set_value(false);
  add_outbound_http(observed(subject), *listener.add_filter_chains());
  return finish(listener);
}

}  // namespace

std::vector<ResourcePtr> listeners(const Subject& subject,
                                   std::span<const mesh::ServicePtr> services) {
  std::vector<ResourcePtr> result;
  if (subject.registry.settings().shape == mesh::SidecarShape::kBound) {
    if (subject.workload.addresses.empty()) return result;
    for (const auto port : http_ports(subject)) result.push_back(bound_listener(subject, port));
    return result;
  }
  result.push_back(virtual_outbound(subject));
  result.push_back(virtual_inbound(subject));
  std::set<SocketAddress> taken;
  for (const auto& service : services) add_tcp_listeners(subject, *service, taken, result);
  return result;
}

}  // namespace lazymesh::sidecar
