#include "egress/on_demand/messages.h"

#include <utility>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "lazymesh/v1/resolver.pb.h"

namespace lazymesh::egress {
namespace {

constexpr int kInvalidArgument = 3;  // google.rpc.Code

v1::Query to_message(const Key& key) {
  v1::Query query;
  if (const auto* caller = std::get_if<CallerKey>(&key)) {
    auto& message = *query.mutable_caller();
    message.set_peer_address(caller->peer.to_string());
    message.set_source_address(caller->source.to_string());
    if (!caller->bound.is_unspecified()) message.set_bound_address(caller->bound.to_string());
    return query;
  }
  const auto& destination = std::get<DestinationKey>(key);
  auto& message = *query.mutable_destination();
  message.set_caller_namespace(destination.caller_namespace);
  message.set_host(destination.host);
  if (destination.host.empty()) message.set_address(destination.address.to_string());
  message.set_port(destination.port);
  return query;
}

Result<IpAddress> address_of(const std::string& text) {
  return text.empty() ? IpAddress{} : IpAddress::parse(text);
}

Result<Key> key_of(const v1::Query& query) {
  if (query.has_caller()) {
    const auto& message = query.caller();
    const auto peer = address_of(message.peer_address());
    const auto source = address_of(message.source_address());
    const auto bound = address_of(message.bound_address());
    if (peer && source && bound) return CallerKey{*peer, *source, *bound};
  } else if (query.has_destination()) {
    const auto& message = query.destination();
    const auto address = address_of(message.address());
    if (address && message.port() <= 0xffff) {
      return DestinationKey{message.caller_namespace(), message.host(), *address,
                            static_cast<std::uint16_t>(message.port())};
    }
  }
  return fail(Code::kInvalidArgument, "a resolution of '" + query.ShortDebugString() + "'",
              Origin::kControlPlane);
}

mesh::Protocol protocol_of(v1::Protocol protocol) {
  switch (protocol) {
    case v1::TLS:
      return mesh::Protocol::kTls;
    case v1::HTTP:
      return mesh::Protocol::kHttp;
    case v1::HTTP2:
      return mesh::Protocol::kHttp2;
    case v1::GRPC:
      return mesh::Protocol::kGrpc;
    default:
      break;
  }
  return mesh::Protocol::kTcp;
}

Discovery discovery_of(v1::Discovery discovery) {
  switch (discovery) {
    case v1::DNS:
      return Discovery::kDns;
    case v1::ORIGINAL_DESTINATION:
      return Discovery::kOriginalDestination;
    default:
      break;
  }
  return Discovery::kEds;
}

}  // namespace

v1::ResolveRequest to_message(const ResolverRequest& request) {
  v1::ResolveRequest message;
  for (const auto& key : request.subscribe) *message.add_subscribe() = to_message(key);
  for (const auto& key : request.unsubscribe) *message.add_unsubscribe() = to_message(key);
  return message;
}

Result<std::pair<Key, Resolution>> from_message(const v1::Resolution& message) {
  auto key = key_of(message.query());
  if (!key) return tl::unexpected(std::move(key.error()));
  switch (message.answer_case()) {
    case v1::Resolution::kCaller:
      return std::pair<Key, Resolution>(
          std::move(*key),
          mesh::WorkloadId{message.caller().namespace_(), message.caller().workload()});
    case v1::Resolution::kDestination: {
      const auto& answer = message.destination();
      ResolvedDestination resolved;
      resolved.host = answer.host();
      resolved.port = static_cast<std::uint16_t>(answer.port());
      resolved.protocol = protocol_of(answer.protocol());
      resolved.cluster = answer.cluster();
      resolved.route_configuration = answer.route_configuration();
      resolved.namespace_ = answer.namespace_();
      resolved.discovery = discovery_of(answer.discovery());
      return std::pair<Key, Resolution>(std::move(*key), std::move(resolved));
    }
    case v1::Resolution::kNotFound:
      return std::pair<Key, Resolution>(std::move(*key),
                                        ResolvedNothing{message.not_found().reason()});
    default:
      break;
  }
  return fail(Code::kInvalidArgument, "a resolution without an answer", Origin::kControlPlane);
}

envoy::service::discovery::v3::DiscoveryRequest to_message(const AdsRequest& request,
                                                           const std::string& node_id,
                                                           const std::string& name_space) {
  envoy::service::discovery::v3::DiscoveryRequest message;
  if (!node_id.empty()) {
    auto& node = *message.mutable_node();
    node.set_id(node_id);
    node.set_user_agent_name("lazymesh-egress");
    auto& metadata = *node.mutable_metadata()->mutable_fields();
    metadata["GENERATOR"].set_string_value("grpc");
    metadata["NAMESPACE"].set_string_value(name_space);
  }
  message.set_type_url(std::string(type_url(request.type)));
  for (const auto& name : request.names) message.add_resource_names(name);
  message.set_version_info(request.version);
  message.set_response_nonce(request.nonce);
  if (!request.error.empty()) {
    message.mutable_error_detail()->set_code(kInvalidArgument);
    message.mutable_error_detail()->set_message(request.error);
  }
  return message;
}

}  // namespace lazymesh::egress
