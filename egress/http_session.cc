#include <string_view>

#include "egress/downstream.h"
#include "egress/exchange.h"
#include "egress/http1/head_parser.h"
#include "egress/loop.h"

namespace lazymesh::egress {
namespace {

enum class HeadState { kComplete, kEnded, kTimeout, kBad };

/// Wait for the complete head of a request.
Awaitable<HeadState> read_head(Downstream& down, http1::HeadScanner& scanner) {
  const auto& limits = down.loop.limits();
  bool begun = false;
  (void)down.take_timeout();  // what it was for is over
  for (;;) {
    if (!down.in.empty()) {
      const auto state = scanner.scan(down.in.data(), limits.http1);
      if (state == http1::HeadScanner::State::kComplete) {
        down.clear();
        co_return HeadState::kComplete;
      }
      if (state == http1::HeadScanner::State::kBad) co_return HeadState::kBad;
      if (!begun) down.set(down.loop.now() + limits.head_time);
      begun = true;
    } else {
      down.idle = true;
      down.idle_since = down.loop.now();
      down.set(down.idle_since + limits.idle_time);
    }
    IoState state;
    while ((state = down.read()) == IoState::kBlocked) {
      co_await down.sleep();
      if (down.is_cut()) co_return HeadState::kEnded;
      if (down.take_timeout()) co_return begun ? HeadState::kTimeout : HeadState::kEnded;
    }
    down.idle = false;
    if (state != IoState::kDone) co_return HeadState::kEnded;
  }
}

/// A request that cannot even be parsed is answered without the machinery of an exchange.
void refuse(Downstream& down, http1::ParseError error) {
  const std::string body = std::string(error.reason) + "\n";
  const std::string head =
      "HTTP/1.1 " + std::to_string(error.status) + " " +
      std::string(http1::reason_phrase(error.status)) +
      "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\nConnection: close\r\n\r\n";
  const std::array<std::string_view, 2> pieces{head, body};
  (void)down.stream->write(pieces);  // a full socket here is a client that does not read
  down.linger = true;
  down.loop.stats.requests[error.status / 100].add(1);
}

Awaitable<bool> serve_request(Downstream& down, std::size_t head_length) {
  auto memory = down.loop.exchanges.take();
  bool keep = false;
  {
    Exchange exchange(down, *memory, head_length);
    keep = co_await exchange.run();
  }
  down.loop.exchanges.give_back(std::move(memory));
  co_return keep;
}

}  // namespace

Awaitable<> serve_http(Downstream& down) {
  bool keep = true;
  while (keep && !down.is_cut()) {
    http1::HeadScanner scanner;
    switch (co_await read_head(down, scanner)) {
      case HeadState::kComplete:
        keep = co_await serve_request(down, scanner.length());
        if (keep && ++down.in_a_row >= down.loop.limits().requests_in_a_row) {
          down.wakeup.notify();  // the other connections have their turn
          co_await down.sleep();
        }
        break;
      case HeadState::kBad:
        refuse(down, scanner.error());
        co_return;
      case HeadState::kTimeout:
        refuse(down, {408, "the request's header did not arrive in time"});
        co_return;
      case HeadState::kEnded:
        co_return;
    }
  }
}

}  // namespace lazymesh::egress
