#include "sidecar/messages.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/wire_format_lite.h>

#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/core/v3/protocol.pb.h"
#include "envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.pb.h"

#include "sidecar/resource.h"

namespace lazymesh::sidecar {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

void pack(const google::protobuf::Message& message, google::protobuf::Any& into) {
  into.set_type_url("type.googleapis.com/" + message.GetDescriptor()->full_name());
  into.set_value(serialize(message));
}

void set(std::chrono::milliseconds value, google::protobuf::Duration& into) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(value);
  const std::chrono::nanoseconds rest = value - seconds;
  into.set_seconds(seconds.count());
  into.set_nanos(static_cast<std::int32_t>(rest.count()));
}

void set(const SocketAddress& address, envoy::config::core::v3::Address& into) {
  auto& socket = *into.mutable_socket_address();
  socket.set_address(address.ip.to_string());
  socket.set_port_value(address.port);
}

void from_ads(std::chrono::milliseconds initial_fetch_timeout,
              envoy::config::core::v3::ConfigSource& into) {
  into.mutable_ads();
  into.set_resource_api_version(envoy::config::core::v3::V3);
  set(initial_fetch_timeout, *into.mutable_initial_fetch_timeout());
}

void keep_header_case(envoy::config::core::v3::Http1ProtocolOptions& options) {
  envoy::extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig config;
  config.set_forward_reason_phrase(true);
  auto& formatter = *options.mutable_header_key_format()->mutable_stateful_formatter();
  formatter.set_name("preserve_case");
  pack(config, *formatter.mutable_typed_config());
}

void append_field(int number, std::string_view bytes, std::string& message) {
  std::array<std::uint8_t, 20> head{};  // two varints of at most 10 bytes
  auto* end = CodedOutputStream::WriteTagToArray(
      WireFormatLite::MakeTag(number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED), head.data());
  end = CodedOutputStream::WriteVarint64ToArray(bytes.size(), end);
  message.append(head.begin(), head.begin() + (end - head.data()));
  message.append(bytes);
}

}  // namespace lazymesh::sidecar
