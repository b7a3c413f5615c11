// What a peer sends as StreamAccessLogsMessage, and what a caller's request may put into an entry
// of ours.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "envoy/service/accesslog/v3/als.pb.h"

#include "als/convert.h"

namespace {

using envoy::service::accesslog::v3::StreamAccessLogsMessage;
using namespace lazymesh;

constexpr std::size_t kMaxEntries = 64;

void require(bool holds) {
  if (!holds) std::abort();
}

void receive(std::string_view bytes) {
  StreamAccessLogsMessage message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const auto reporter = als::to_reporter({}, message.identifier());
  require(reporter.node_id.size() <= als::kMaxNameBytes);
  const auto seen = als::to_observations(message, kMaxEntries);
  require(seen.size() <= kMaxEntries && seen.size() <= als::entries_of(message));
  for (const auto& each : seen) {
    require(each.authority.size() <= als::kMaxNameBytes);
    require(each.upstream_cluster.size() <= als::kMaxNameBytes);
  }
}

void send(std::string_view bytes) {
  als::AccessLogEntry entry;
  const auto half = bytes.substr(0, bytes.size() / 2);
  entry.authority = bytes;
  entry.path = half;
  entry.method = half;
  entry.response_flag = half;
  entry.user_agent = bytes.substr(half.size());
  StreamAccessLogsMessage message;
  als::to_proto(entry, *message.mutable_http_logs()->add_log_entry());
  StreamAccessLogsMessage received;
  require(received.ParseFromString(message.SerializeAsString()));
  require(als::to_observations(received, kMaxEntries).size() == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  receive(bytes);
  send(bytes);
  return 0;
}
