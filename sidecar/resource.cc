#include "sidecar/resource.h"

#include <cstdio>
#include <utility>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>
#include <xxhash.h>

namespace lazymesh::sidecar {

std::string_view type_url(ResourceType type) {
  switch (type) {
    case ResourceType::kCluster:
      return "type.googleapis.com/envoy.config.cluster.v3.Cluster";
    case ResourceType::kEndpoints:
      return "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
    case ResourceType::kListener:
      return "type.googleapis.com/envoy.config.listener.v3.Listener";
    case ResourceType::kRoutes:
      return "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
  }
  return {};
}

ResourcePtr make_resource(ResourceType type, std::string name,
                          const google::protobuf::Message& message) {
  return make_resource(type, std::move(name), serialize(message));
}

ResourcePtr make_resource(ResourceType type, std::string name, std::string body) {
  const auto version = content_hash(body);
  return std::make_shared<const Resource>(
      Resource{type, std::move(name), version, std::move(body)});
}

std::string version_text(std::uint64_t version) {
  char digits[17];
  std::snprintf(digits, sizeof(digits), "%016lx", version);
  return digits;
}

std::string serialize(const google::protobuf::Message& message) {
  std::string bytes;
  bytes.reserve(message.ByteSizeLong());
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

std::uint64_t content_hash(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace lazymesh::sidecar
