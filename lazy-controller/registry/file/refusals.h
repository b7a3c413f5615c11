#pragma once

#include "lazy-controller/registry/file/yaml_stream.h"

namespace google::protobuf {
class Message;
}

namespace lazymesh::registry {

/// Refuse a message, not what is in it, that Envoy refuses although its API's constraints allow it.
/// Each rule was tried on a real Envoy, and a test tries it again.
void check_refusals(const google::protobuf::Message& message, const Value& value,
                    Problems& problems);

}  // namespace lazymesh::registry
