#pragma once

#include <chrono>
#include <string_view>

#include "base/ip.h"

namespace google::protobuf {
class Any;
class Duration;
class Message;
}  // namespace google::protobuf
namespace envoy::config::core::v3 {
class Address;
class ConfigSource;
class Http1ProtocolOptions;
}  // namespace envoy::config::core::v3

/// Small pieces that many Envoy messages are made of.
namespace lazymesh::sidecar {

/// Put a message into an Any, deterministically (Any::PackFrom leaves maps in any order).
void pack(const google::protobuf::Message& message, google::protobuf::Any& into);

void set(std::chrono::milliseconds value, google::protobuf::Duration& into);
void set(const SocketAddress& address, envoy::config::core::v3::Address& into);

/// The resource comes over the aggregated stream; whoever waits for it goes on without it after
/// `initial_fetch_timeout` (zero: waits for ever).
void from_ads(std::chrono::milliseconds initial_fetch_timeout,
              envoy::config::core::v3::ConfigSource& into);

/// Header names and the reason phrase leave as they came. Needed on both sides of a proxy.
void keep_header_case(envoy::config::core::v3::Http1ProtocolOptions& options);

/// Append one length-delimited field to a serialized message. A message is the concatenation of its
/// fields, so this adds an element to a repeated field without parsing
/// (https://protobuf.dev/programming-guides/encoding).
void append_field(int number, std::string_view bytes, std::string& message);

}  // namespace lazymesh::sidecar
