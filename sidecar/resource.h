#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace google::protobuf {
class Message;
}

namespace lazymesh::sidecar {

/// The xDS resource types that Lazymesh serves, in the order in which additions are made (removals
/// go in reverse).
enum class ResourceType : std::uint8_t { kCluster, kEndpoints, kListener, kRoutes };
inline constexpr std::array kResourceTypes = {ResourceType::kCluster, ResourceType::kEndpoints,
                                              ResourceType::kListener, ResourceType::kRoutes};

/// `type.googleapis.com/envoy.config.cluster.v3.Cluster` and so on.
std::string_view type_url(ResourceType type);

/// One xDS resource, ready to be sent: made once, shared by all subscribers, immutable, safe from
/// any thread.
struct Resource {
  ResourceType type;
  std::string name;
  std::uint64_t
      version;       ///< a hash of the body: the same content has the same version in every process
  std::string body;  ///< the message, serialized deterministically (maps in key order)
};
using ResourcePtr = std::shared_ptr<const Resource>;

/// Serialize deterministically and take the version from the bytes.
ResourcePtr make_resource(ResourceType type, std::string name,
                          const google::protobuf::Message& message);
ResourcePtr make_resource(ResourceType type, std::string name, std::string body);

/// A version as it goes over the wire: 16 hexadecimal digits.
std::string version_text(std::uint64_t version);

/// Deterministic serialization.
std::string serialize(const google::protobuf::Message& message);

/// A 64-bit hash of bytes that is the same in every process and release (XXH3, whose output its
/// authors froze).
std::uint64_t content_hash(std::string_view bytes);

}  // namespace lazymesh::sidecar
