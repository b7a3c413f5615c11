#pragma once

namespace lazymesh::registry {

/// Links the messages that a user may put into a `typed_config` (google.protobuf.Any) of routes and
/// clusters into the program, so that their names are known when YAML is turned into messages.
void link_known_types();

}  // namespace lazymesh::registry
