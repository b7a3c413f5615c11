#include "sidecar/upstream.h"

#include <limits>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"

#include "sidecar/messages.h"

namespace lazymesh::sidecar {

void no_limits(envoy::config::cluster::v3::CircuitBreakers& into) {
  constexpr auto kMost = std::numeric_limits<std::uint32_t>::max();
  auto& threshold = *into.add_thresholds();
  threshold.mutable_max_connections()->set_value(kMost);
  threshold.mutable_max_pending_requests()->set_value(kMost);
  threshold.mutable_max_requests()->set_value(kMost);
  threshold.mutable_max_retries()->set_value(kMost);
  threshold.set_track_remaining(true);
}

void as_downstream(envoy::extensions::upstreams::http::v3::HttpProtocolOptions& options) {
  auto& config = *options.mutable_use_downstream_protocol_config();
  keep_header_case(*config.mutable_http_protocol_options());
  config.mutable_http2_protocol_options();
}

void always_http2(envoy::extensions::upstreams::http::v3::HttpProtocolOptions& options) {
  options.mutable_explicit_http_config()->mutable_http2_protocol_options();
}

void set_http_options(const envoy::extensions::upstreams::http::v3::HttpProtocolOptions& options,
                      envoy::config::cluster::v3::Cluster& cluster) {
  pack(options, (*cluster.mutable_typed_extension_protocol_options())
                    ["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]);
}

}  // namespace lazymesh::sidecar
