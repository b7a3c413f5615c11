// What an upstream's bytes go through: the head, the body, and what is sent on.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "egress/http1/body_decoder.h"
#include "egress/http1/head_parser.h"
#include "egress/http1/serializer.h"

namespace {

using namespace lazymesh::egress;

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  http1::HeadScanner scanner;
  if (scanner.scan(input, {}) != http1::HeadScanner::State::kComplete) return 0;
  http1::ResponseHead head;
  if (http1::parse_response_head(input.substr(0, scanner.length()), {}, "GET", head)) return 0;
  http1::BodyDecoder decoder(head, {});
  std::string out;
  http1::Framing framing;
  framing.chunked =
      head.body == http1::BodyKind::kChunked || head.body == http1::BodyKind::kUntilClose;
  framing.drop_length = head.status < 200 || head.status == 204;
  http1::append_response_head(out, head, 1, framing);
  auto rest = input.substr(scanner.length());
  for (;;) {
    const auto step = decoder.step(rest);
    rest.remove_prefix(step.consumed);
    if (step.state != http1::BodyDecoder::State::kData) break;
  }
  std::string last;
  http1::append_last_chunk(last, decoder.trailers());
  http1::HeadScanner again;
  http1::ResponseHead sent;
  const http1::Limits roomy{out.size(), 1000};
  check(again.scan(out, roomy) == http1::HeadScanner::State::kComplete);
  check(!http1::parse_response_head(out, roomy, "GET", sent));
  check(sent.status == head.status && sent.reason == head.reason);
  return 0;
}
