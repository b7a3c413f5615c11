// The first bytes of every connection.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "egress/proxy_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using lazymesh::egress::parse_proxy_header;
  using State = lazymesh::egress::ProxyHeaderResult::State;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto result = parse_proxy_header(input);
  if (result.state == State::kComplete) {
    if (result.length > input.size() || result.length == 0) std::abort();
    // One byte less is not yet a header, and more changes nothing.
    if (parse_proxy_header(input.substr(0, result.length)).state != State::kComplete) std::abort();
    if (parse_proxy_header(input.substr(0, result.length - 1)).state == State::kComplete) {
      std::abort();
    }
  }
  return 0;
}
