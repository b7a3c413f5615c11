#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "als/observation.h"
#include "als/sender.h"

namespace envoy::data::accesslog::v3 {
class HTTPAccessLogEntry;
class TCPAccessLogEntry;
}  // namespace envoy::data::accesslog::v3
namespace envoy::service::accesslog::v3 {
class StreamAccessLogsMessage;
class StreamAccessLogsMessage_Identifier;
}  // namespace envoy::service::accesslog::v3

/// Access log entries in Envoy's messages (envoy/data/accesslog/v3/accesslog.proto), both ways.
/// Pure functions; any thread.
namespace lazymesh::als {

/// The longest string that goes into an entry; longer ones are cut.
inline constexpr std::size_t kMaxFieldBytes = 4096;
/// The longest authority or cluster name that is believed: a DNS name (RFC 1035, 2.3.4: 255 bytes)
/// with room for what surrounds it. Longer ones are taken for none.
inline constexpr std::size_t kMaxNameBytes = 512;

/// Fill an empty message from an entry. What is not UTF-8 is replaced, since a message with such a
/// string is refused whole by its receiver.
void to_proto(const AccessLogEntry& entry, envoy::data::accesslog::v3::HTTPAccessLogEntry& proto);
void to_proto(const AccessLogEntry& entry, envoy::data::accesslog::v3::TCPAccessLogEntry& proto);

/// What matters to learning. Takes anything: what is missing or senseless is left out.
Observation to_observation(const envoy::data::accesslog::v3::HTTPAccessLogEntry& proto);
Observation to_observation(const envoy::data::accesslog::v3::TCPAccessLogEntry& proto);

/// The entries of a message, at most `max_entries`.
std::vector<Observation> to_observations(
    const envoy::service::accesslog::v3::StreamAccessLogsMessage& message, std::size_t max_entries);
/// How many entries a message has.
std::size_t entries_of(const envoy::service::accesslog::v3::StreamAccessLogsMessage& message);

/// The little of an identifier that is kept: a node is 60 KB with its metadata.
Reporter to_reporter(
    const IpAddress& peer,
    const envoy::service::accesslog::v3::StreamAccessLogsMessage_Identifier& identifier);

/// `text`, cut to kMaxFieldBytes, with every byte that is not part of valid UTF-8 (RFC 3629)
/// replaced by `!`, as Envoy does.
std::string printable_utf8(std::string_view text);

}  // namespace lazymesh::als
