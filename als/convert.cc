#include "als/convert.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "envoy/data/accesslog/v3/accesslog.pb.h"
#include "envoy/service/accesslog/v3/als.pb.h"

namespace lazymesh::als {
namespace {

namespace core = envoy::config::core::v3;
namespace data = envoy::data::accesslog::v3;
using envoy::service::accesslog::v3::StreamAccessLogsMessage;

// Envoy's short response flags (its access log documentation, %RESPONSE_FLAGS%) and the field that
// each sets.
struct Flag {
  std::string_view name;
  void (data::ResponseFlags::*set)(bool);
};
constexpr Flag kFlags[] = {
    {"LH", &data::ResponseFlags::set_failed_local_healthcheck},
    {"UH", &data::ResponseFlags::set_no_healthy_upstream},
    {"UT", &data::ResponseFlags::set_upstream_request_timeout},
    {"LR", &data::ResponseFlags::set_local_reset},
    {"UR", &data::ResponseFlags::set_upstream_remote_reset},
    {"UF", &data::ResponseFlags::set_upstream_connection_failure},
    {"UC", &data::ResponseFlags::set_upstream_connection_termination},
    {"UO", &data::ResponseFlags::set_upstream_overflow},
    {"NR", &data::ResponseFlags::set_no_route_found},
    {"DI", &data::ResponseFlags::set_delay_injected},
    {"FI", &data::ResponseFlags::set_fault_injected},
    {"RL", &data::ResponseFlags::set_rate_limited},
    {"RLSE", &data::ResponseFlags::set_rate_limit_service_error},
    {"DC", &data::ResponseFlags::set_downstream_connection_termination},
    {"URX", &data::ResponseFlags::set_upstream_retry_limit_exceeded},
    {"SI", &data::ResponseFlags::set_stream_idle_timeout},
    {"IH", &data::ResponseFlags::set_invalid_envoy_request_headers},
    {"DPE", &data::ResponseFlags::set_downstream_protocol_error},
    {"UMSDR", &data::ResponseFlags::set_upstream_max_stream_duration_reached},
    {"RFCF", &data::ResponseFlags::set_response_from_cache_filter},
    {"NFCF", &data::ResponseFlags::set_no_filter_config_found},
    {"DT", &data::ResponseFlags::set_duration_timeout},
    {"UPE", &data::ResponseFlags::set_upstream_protocol_error},
    {"NC", &data::ResponseFlags::set_no_cluster_found},
    {"OM", &data::ResponseFlags::set_overload_manager},
    {"DF", &data::ResponseFlags::set_dns_resolution_failure},
    {"DR", &data::ResponseFlags::set_downstream_remote_reset},
};

void set_address(const SocketAddress& address, core::Address& proto) {
  auto& socket = *proto.mutable_socket_address();
  socket.set_address(address.ip.to_string());
  socket.set_port_value(address.port);
}

std::optional<SocketAddress> address_of(bool present, const core::Address& proto) {
  if (!present || !proto.has_socket_address()) return std::nullopt;
  const auto& socket = proto.socket_address();
  if (socket.port_value() > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
  const auto ip = IpAddress::parse(socket.address());
  if (!ip) return std::nullopt;
  return SocketAddress{*ip, static_cast<std::uint16_t>(socket.port_value())};
}

template <class Proto>
void set_nanoseconds(std::chrono::nanoseconds value, Proto& proto) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(value);
  proto.set_seconds(seconds.count());
  proto.set_nanos(static_cast<std::int32_t>((value - seconds).count()));
}

// The epoch for what no WallTime can say.
WallTime time_of(const google::protobuf::Timestamp& proto) {
  constexpr std::int64_t kMaxSeconds = std::numeric_limits<std::int64_t>::max() / 1'000'000'000 - 1;
  if (proto.seconds() < 0 || proto.seconds() > kMaxSeconds || proto.nanos() < 0 ||
      proto.nanos() > 999'999'999) {
    return {};
  }
  return WallTime{} +
         std::chrono::duration_cast<WallTime::duration>(std::chrono::seconds(proto.seconds()) +
                                                        std::chrono::nanoseconds(proto.nanos()));
}

data::AccessLogType type_of(const AccessLogEntry& entry) {
  if (entry.moment == AccessLogEntry::Moment::kEnd) {
    return entry.http ? data::DownstreamEnd : data::TcpConnectionEnd;
  }
  return entry.http ? data::UpstreamPoolReady : data::TcpUpstreamConnected;
}

// Whether an entry of this type stands for a whole request or connection. NotSet is what Envoys say
// that know no types: they log at the end only.
bool is_end(const data::AccessLogCommon& common) {
  switch (common.access_log_type()) {
    case data::NotSet:
    case data::DownstreamEnd:
    case data::TcpConnectionEnd:
    case data::UdpSessionEnd:
      return true;
    default:
      return false;
  }
}

data::HTTPAccessLogEntry::HTTPVersion version_of(std::string_view protocol) {
  if (protocol == "HTTP/1.0") return data::HTTPAccessLogEntry::HTTP10;
  if (protocol == "HTTP/1.1") return data::HTTPAccessLogEntry::HTTP11;
  if (protocol == "HTTP/2") return data::HTTPAccessLogEntry::HTTP2;
  if (protocol == "HTTP/3") return data::HTTPAccessLogEntry::HTTP3;
  return data::HTTPAccessLogEntry::PROTOCOL_UNSPECIFIED;
}

void set_common(const AccessLogEntry& entry, data::AccessLogCommon& common) {
  set_address(entry.downstream_direct_remote_address,
              *common.mutable_downstream_direct_remote_address());
  set_address(entry.downstream_remote_address, *common.mutable_downstream_remote_address());
  set_address(entry.downstream_local_address, *common.mutable_downstream_local_address());
  if (entry.upstream_remote_address) {
    set_address(*entry.upstream_remote_address, *common.mutable_upstream_remote_address());
  }
  common.set_upstream_cluster(printable_utf8(entry.upstream_cluster));
  common.set_route_name(printable_utf8(entry.route_name));
  set_nanoseconds(entry.start_time.time_since_epoch(), *common.mutable_start_time());
  common.set_access_log_type(type_of(entry));
  if (entry.moment == AccessLogEntry::Moment::kEnd) {
    const auto duration = std::max(entry.duration, std::chrono::nanoseconds(0));
    set_nanoseconds(duration, *common.mutable_duration());
    set_nanoseconds(duration, *common.mutable_time_to_last_downstream_tx_byte());
  }
  const auto flag = std::find_if(std::begin(kFlags), std::end(kFlags), [&](const Flag& candidate) {
    return candidate.name == entry.response_flag;
  });
  if (flag != std::end(kFlags)) (common.mutable_response_flags()->*flag->set)(true);
}

// An X.509 SVID has exactly one URI SAN (SPIFFE X509-SVID, 2): a certificate with several says
// nothing.
std::string spiffe_id_of(const data::TLSProperties& tls) {
  const std::string* id = nullptr;
  for (const auto& san : tls.peer_certificate_properties().subject_alt_name()) {
    if (!san.has_uri()) continue;
    if (id != nullptr) return {};
    id = &san.uri();
  }
  if (id == nullptr || !id->starts_with("spiffe://") || id->size() > kMaxFieldBytes) return {};
  return *id;
}

std::string name_of(const std::string& text) {
  return text.size() > kMaxNameBytes ? std::string() : text;
}

// Envoy names the upstream as soon as it has chosen one: some flags say that it came to nothing.
bool reached_upstream(const data::AccessLogCommon& common) {
  const auto& flags = common.response_flags();
  return common.has_upstream_remote_address() && !flags.upstream_connection_failure() &&
         !flags.no_healthy_upstream() && !flags.upstream_overflow() && !flags.no_route_found() &&
         !flags.no_cluster_found() && !flags.dns_resolution_failure();
}

Observation common_of(const data::AccessLogCommon& common) {
  Observation seen;
  seen.ended = is_end(common);
  seen.peer = address_of(common.has_downstream_direct_remote_address(),
                         common.downstream_direct_remote_address());
  seen.source =
      address_of(common.has_downstream_remote_address(), common.downstream_remote_address());
  seen.destination =
      address_of(common.has_downstream_local_address(), common.downstream_local_address());
  seen.source_identity = spiffe_id_of(common.tls_properties());
  seen.upstream_cluster = name_of(common.upstream_cluster());
  seen.reached_upstream = reached_upstream(common);
  seen.start = time_of(common.start_time());
  return seen;
}

// The length of the UTF-8 character that `text` begins with (RFC 3629, 4), 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                             : first >= 0xe0 && first <= 0xef ? 3
                             : first >= 0xf0 && first <= 0xf4 ? 4
                                                              : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second > 0x9f;
  const bool too_large = first == 0xf4 && second > 0x8f;
  return overlong || surrogate || too_large ? 0 : length;
}

}  // namespace

std::string printable_utf8(std::string_view text) {
  text = text.substr(0, kMaxFieldBytes);
  const auto first = std::find_if(text.begin(), text.end(),
                                  [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  std::string result(text.begin(), first);  // as a rule, all of it
  text.remove_prefix(result.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      result.push_back('!');
    } else {
      result.append(text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

void to_proto(const AccessLogEntry& entry, data::HTTPAccessLogEntry& proto) {
  set_common(entry, *proto.mutable_common_properties());
  proto.set_protocol_version(version_of(entry.protocol));
  auto& request = *proto.mutable_request();
  core::RequestMethod method = core::METHOD_UNSPECIFIED;
  if (core::RequestMethod_Parse(entry.method, &method)) request.set_request_method(method);
  request.set_authority(printable_utf8(entry.authority));
  request.set_path(printable_utf8(entry.path));
  request.set_user_agent(printable_utf8(entry.user_agent));
  request.set_request_id(printable_utf8(entry.request_id));
  request.set_request_body_bytes(entry.request_bytes);
  auto& response = *proto.mutable_response();
  if (entry.response_code != 0) response.mutable_response_code()->set_value(entry.response_code);
  response.set_response_code_details(printable_utf8(entry.response_code_details));
  response.set_response_body_bytes(entry.response_bytes);
}

void to_proto(const AccessLogEntry& entry, data::TCPAccessLogEntry& proto) {
  set_common(entry, *proto.mutable_common_properties());
  auto& connection = *proto.mutable_connection_properties();
  connection.set_received_bytes(entry.request_bytes);
  connection.set_sent_bytes(entry.response_bytes);
}

Observation to_observation(const data::HTTPAccessLogEntry& proto) {
  Observation seen = common_of(proto.common_properties());
  seen.http = true;
  seen.authority = name_of(proto.request().authority());
  seen.response_code = proto.response().response_code().value();
  return seen;
}

Observation to_observation(const data::TCPAccessLogEntry& proto) {
  Observation seen = common_of(proto.common_properties());
  seen.http = false;
  return seen;
}

std::size_t entries_of(const StreamAccessLogsMessage& message) {
  return static_cast<std::size_t>(message.http_logs().log_entry_size()) +
         static_cast<std::size_t>(message.tcp_logs().log_entry_size());
}

std::vector<Observation> to_observations(const StreamAccessLogsMessage& message,
                                         std::size_t max_entries) {
  std::vector<Observation> seen;
  seen.reserve(std::min(entries_of(message), max_entries));
  const auto append = [&](const auto& entries) {
    for (const auto& entry : entries) {
      if (seen.size() == max_entries) return;
      seen.push_back(to_observation(entry));
    }
  };
  append(message.http_logs().log_entry());
  append(message.tcp_logs().log_entry());
  return seen;
}

Reporter to_reporter(const IpAddress& peer, const StreamAccessLogsMessage::Identifier& identifier) {
  return {peer, name_of(identifier.node().id()), name_of(identifier.log_name())};
}

}  // namespace lazymesh::als
