#pragma once

#include <string>
#include <string_view>

#include "als/sender.h"

namespace lazymesh::als::test {

inline SocketAddress address(std::string_view text) { return SocketAddress::parse(text).value(); }

/// A request that was served.
inline AccessLogEntry http_entry(std::string authority = "reviews:9080") {
  AccessLogEntry entry;
  entry.downstream_direct_remote_address = address("10.1.0.1:40000");
  entry.downstream_remote_address = address("10.1.0.1:50000");
  entry.downstream_local_address = address("10.96.0.5:9080");
  entry.upstream_remote_address = address("10.1.0.5:9080");
  entry.upstream_cluster = "outbound|9080||reviews.shop.svc.cluster.local";
  entry.route_name = "default";
  entry.start_time = WallTime{} + std::chrono::nanoseconds(1'700'000'000'123'456'789);
  entry.duration = std::chrono::milliseconds(1250);
  entry.method = "POST";
  entry.authority = std::move(authority);
  entry.path = "/reviews/1?full=yes";
  entry.user_agent = "curl/8";
  entry.request_id = "7f1c";
  entry.protocol = "HTTP/1.1";
  entry.response_code = 201;
  entry.response_code_details = "via_upstream";
  entry.request_bytes = 3;
  entry.response_bytes = 5;
  return entry;
}

inline AccessLogEntry tcp_entry() {
  AccessLogEntry entry;
  entry.http = false;
  entry.downstream_direct_remote_address = address("[fd00::1]:40000");
  entry.downstream_remote_address = address("[fd00::2]:50000");
  entry.downstream_local_address = address("[fd00::99]:3306");
  entry.upstream_remote_address = address("[fd00::5]:3306");
  entry.upstream_cluster = "outbound|3306||db.shop.svc.cluster.local";
  entry.request_bytes = 3;
  entry.response_bytes = 5;
  return entry;
}

}  // namespace lazymesh::als::test
