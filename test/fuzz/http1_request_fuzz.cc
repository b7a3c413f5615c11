// Everything that a request's bytes go through: the sniffer, the head, the target, the body, and
// what is sent on, which must parse again to the same request.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "egress/http1/authority.h"
#include "egress/http1/body_decoder.h"
#include "egress/http1/head_parser.h"
#include "egress/http1/serializer.h"
#include "egress/sniffer.h"

namespace {

using namespace lazymesh::egress;

void check(bool holds) {
  if (!holds) std::abort();
}

/// Scan in two pieces, as the bytes may come.
http1::HeadScanner::State scan(http1::HeadScanner& scanner, std::string_view input) {
  const auto state = scanner.scan(input.substr(0, input.size() / 2), {});
  return state == http1::HeadScanner::State::kIncomplete ? scanner.scan(input, {}) : state;
}

void decode_body(const http1::RequestHead& head, std::string_view input) {
  http1::BodyDecoder whole(head, {});
  std::string body;
  for (std::size_t taken = 0;;) {
    const auto step = whole.step(input.substr(taken));
    taken += step.consumed;
    check(taken <= input.size());
    body += step.data;
    if (step.state != http1::BodyDecoder::State::kData) break;
  }
  // Byte by byte it is the same.
  http1::BodyDecoder slow(head, {});
  std::string again;
  for (const char& c : input) {
    auto step = slow.step({&c, 1});
    again += step.data;
    if (step.state == http1::BodyDecoder::State::kEnd && step.consumed == 0) break;
    if (step.state == http1::BodyDecoder::State::kBad) break;
  }
  check(body == again);
  check(whole.done() == slow.done());
}

void forward(const http1::RequestHead& head) {
  http1::Framing framing;
  framing.chunked = head.body == http1::BodyKind::kChunked;
  std::string out;
  http1::append_request_head(out, head, head.target, head.host ? "" : "host", framing);
  http1::HeadScanner scanner;
  http1::RequestHead sent;
  const http1::Limits roomy{out.size(), 1000};
  check(scanner.scan(out, roomy) == http1::HeadScanner::State::kComplete);
  check(scanner.length() == out.size());
  check(!http1::parse_request_head(out, roomy, sent));
  check(sent.method == head.method && sent.target == head.target && sent.body == head.body);
  check(sent.content_length == head.content_length || sent.body != http1::BodyKind::kLength);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  (void)sniff(input);
  http1::HeadScanner scanner;
  if (scan(scanner, input) != http1::HeadScanner::State::kComplete) return 0;
  http1::RequestHead head;
  if (http1::parse_request_head(input.substr(0, scanner.length()), {}, head)) return 0;
  if (const auto target = http1::parse_target(head.method, head.target)) {
    (void)http1::host_of(target->authority.value_or(head.host.value_or("")));
  }
  decode_body(head, input.substr(scanner.length()));
  forward(head);
  return 0;
}
