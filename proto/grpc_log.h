#pragma once

namespace lazymesh {

/// Make gRPC's own log lines ours, under "grpc: …": errors as warnings (gRPC calls an ordinary
/// broken connection an error), the rest as debug. Once, at start-up, after init_logging().
void adopt_grpc_log();

}  // namespace lazymesh
