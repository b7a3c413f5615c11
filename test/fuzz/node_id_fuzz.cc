#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sidecar/configuration.h"

// A node id comes from whoever connects. What is taken for one names a workload by the bytes that
// are there, and naming that workload again says the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazymesh;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto id = sidecar::parse_node_id(text);
  if (!id) return 0;
  if (text.find("~" + id->name + "." + id->namespace_ + "~") == text.npos) std::abort();
  const auto again = sidecar::parse_node_id(sidecar::node_id({*id, {}, "", {}}, "x"));
  if (!again || *again != *id) std::abort();
  return 0;
}
