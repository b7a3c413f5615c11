#include "lazy-controller/publish/xds/wire.h"

#include <charconv>

#include "envoy/service/discovery/v3/discovery.pb.h"

namespace lazymesh::publish::xds {
namespace {

using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;
using DiscoveryResource = envoy::service::discovery::v3::Resource;
using google::protobuf::Any;

// https://protobuf.dev/programming-guides/encoding: a length-delimited field is a tag, a length and
// the bytes, both numbers in base 128. All numbers here are below 16, so that a tag is one byte.
constexpr char tag(int number) { return static_cast<char>(number << 3 | 2); }

void append_length(std::size_t length, std::string& out) {
  while (length >= 0x80) {
    out.push_back(static_cast<char>((length & 0x7f) | 0x80));
    length >>= 7;
  }
  out.push_back(static_cast<char>(length));
}

std::size_t size_of_length(std::size_t length) {
  std::size_t size = 1;
  while (length >>= 7) ++size;
  return size;
}

std::size_t size_of_field(std::size_t length) { return 1 + size_of_length(length) + length; }

void open_field(int number, std::size_t length, std::string& out) {
  out.push_back(tag(number));
  append_length(length, out);
}

void append_field(int number, std::string_view bytes, std::string& out) {
  open_field(number, bytes.size(), out);
  out.append(bytes);
}

static_assert(DeltaDiscoveryResponse::kResourcesFieldNumber == 2 &&
              DiscoveryResource::kResourceFieldNumber == 2 &&
              DiscoveryResponse::kResourcesFieldNumber == 2);
constexpr int kResource = 2;

// A version that is not one of ours is a version that we do not have.
std::uint64_t parse_version(std::string_view text) {
  std::uint64_t version = 0;
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, version, 16);
  return parsed.ec == std::errc() && parsed.ptr == end && version != 0 ? version : 1;
}

template <class Message>
std::optional<Node> parse_node(const Message& message) {
  if (!message.has_node()) return std::nullopt;
  Node node{message.node().id()};
  const auto& fields = message.node().metadata().fields();
  if (const auto generator = fields.find("GENERATOR"); generator != fields.end()) {
    node.by_name = generator->second.string_value() == "grpc";
  }
  return node;
}

template <class Message>
Result<Request> parse_common(const Message& message) {
  auto type = parse_type_url(message.type_url());
  Request request;
  request.node = parse_node(message);
  if (!type) {
    request.unserved = std::move(type.error().message);
    return request;
  }
  request.type = *type;
  request.nonce = message.response_nonce();
  if (message.has_error_detail()) request.error = message.error_detail().message();
  return request;
}

void take(google::protobuf::RepeatedPtrField<std::string>& from, std::vector<std::string>& into) {
  into.reserve(static_cast<std::size_t>(from.size()));
  for (auto& name : from) into.push_back(std::move(name));
}

Result<Request> parse_delta(std::string_view bytes) {
  DeltaDiscoveryRequest message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(Code::kInvalidArgument, "not a DeltaDiscoveryRequest", Origin::kDownstream);
  }
  auto request = parse_common(message);
  if (!request) return request;
  take(*message.mutable_resource_names_subscribe(), request->names);
  take(*message.mutable_resource_names_unsubscribe(), request->unsubscribe);
  request->initial_versions.reserve(message.initial_resource_versions().size());
  for (const auto& [name, version] : message.initial_resource_versions()) {
    request->initial_versions.emplace_back(name, parse_version(version));
  }
  return request;
}

Result<Request> parse_state_of_the_world(std::string_view bytes) {
  DiscoveryRequest message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(Code::kInvalidArgument, "not a DiscoveryRequest", Origin::kDownstream);
  }
  auto request = parse_common(message);
  if (!request) return request;
  take(*message.mutable_resource_names(), request->names);
  request->version = message.version_info();
  return request;
}

std::string encode_head(Variant variant, const Response& response) {
  const auto version = sidecar::version_text(response.version);
  const auto nonce = std::to_string(response.nonce);
  const auto url = type_url(response.type);
  std::string head;
  if (variant == Variant::kStateOfTheWorld) {
    append_field(DiscoveryResponse::kVersionInfoFieldNumber, version, head);
    append_field(DiscoveryResponse::kTypeUrlFieldNumber, url, head);
    append_field(DiscoveryResponse::kNonceFieldNumber, nonce, head);
    return head;
  }
  append_field(DeltaDiscoveryResponse::kSystemVersionInfoFieldNumber, version, head);
  append_field(DeltaDiscoveryResponse::kTypeUrlFieldNumber, url, head);
  append_field(DeltaDiscoveryResponse::kNonceFieldNumber, nonce, head);
  for (const auto& name : response.removed) {
    append_field(DeltaDiscoveryResponse::kRemovedResourcesFieldNumber, name.text(), head);
  }
  return head;
}

}  // namespace

std::string_view cut(std::string_view text, std::size_t length) {
  if (text.size() <= length) return text;
  const auto continues = [&] { return (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80; };
  while (length > 0 && continues()) --length;
  return text.substr(0, length);
}

std::vector<Piece> encode(Variant variant, const Response& response) {
  std::vector<Piece> pieces;
  pieces.reserve(1 + response.resources.size());
  const auto head = std::make_shared<const std::string>(encode_head(variant, response));
  pieces.push_back({head, *head});
  for (const auto& entry : response.resources) {
    std::string_view bytes = *entry->wire;
    if (variant == Variant::kStateOfTheWorld) bytes.remove_prefix(entry->state_of_the_world);
    pieces.push_back({entry->wire, bytes});
  }
  return pieces;
}

Result<Request> parse_request(Variant variant, std::string_view bytes) {
  return variant == Variant::kDelta ? parse_delta(bytes) : parse_state_of_the_world(bytes);
}

Result<ResourceType> parse_type_url(std::string_view url) {
  for (const auto type : sidecar::kResourceTypes) {
    if (type_url(type) == url) return type;
  }
  constexpr std::size_t kShown = 200;
  return fail(Code::kNotFound,
              "resource type '" + std::string(url.substr(0, kShown)) +
                  "' is not served here; only clusters, endpoints, listeners and routes are",
              Origin::kDownstream);
}

std::string_view short_name(ResourceType type) {
  switch (type) {
    case ResourceType::kCluster:
      return "cds";
    case ResourceType::kEndpoints:
      return "eds";
    case ResourceType::kListener:
      return "lds";
    case ResourceType::kRoutes:
      return "rds";
  }
  return {};
}

Framed frame(ResourceType type, std::string_view name, std::uint64_t version,
             std::string_view body) {
  const auto url = type_url(type);
  const auto digits = sidecar::version_text(version);
  const auto any = size_of_field(url.size()) + size_of_field(body.size());
  const auto resource =
      size_of_field(name.size()) + size_of_field(digits.size()) + size_of_field(any);

  Framed framed;
  auto& out = framed.wire;
  out.reserve(size_of_field(resource));
  open_field(kResource, resource, out);
  append_field(DiscoveryResource::kNameFieldNumber, name, out);
  append_field(DiscoveryResource::kVersionFieldNumber, digits, out);
  framed.state_of_the_world = out.size();
  open_field(kResource, any, out);
  append_field(Any::kTypeUrlFieldNumber, url, out);
  open_field(Any::kValueFieldNumber, body.size(), out);
  framed.body = out.size();
  out.append(body);
  return framed;
}

}  // namespace lazymesh::publish::xds
