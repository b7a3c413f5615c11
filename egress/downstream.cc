#include "egress/downstream.h"

#include <utility>

#include "egress/loop.h"
#include "egress/proxy_protocol.h"
#include "egress/sniffer.h"

namespace lazymesh::egress {
namespace {

/// How long, and for how many bytes, a closed connection is read on, so that the last response is
/// not lost to a reset (RFC 9112, 9.6).
constexpr std::chrono::seconds kLingerTime{1};
constexpr std::size_t kLingerBytes = 1024 * 1024;

enum class Content { kNone, kHttp, kTcp };

/// The header that every connection has to begin with. False: refused.
Awaitable<bool> read_proxy_header(Downstream& down) {
  down.set(down.loop.now() + down.loop.limits().proxy_header_time);
  for (;;) {
    const auto result = parse_proxy_header(down.in.data());
    if (result.state == ProxyHeaderResult::State::kBad) co_return false;
    if (result.state == ProxyHeaderResult::State::kComplete) {
      if (!result.header.local) {
        down.source = result.header.source;
        down.destination = result.header.destination;
      }
      down.in.consume(result.length);
      co_return true;
    }
    IoState state;
    while ((state = down.read()) == IoState::kBlocked) {
      co_await down.sleep();
      if (down.is_cut() || down.take_timeout()) co_return false;
    }
    if (state != IoState::kDone) co_return false;
  }
}

/// What the client sends first decides, if it sends something soon.
Awaitable<Content> sniff_content(Downstream& down) {
  down.set(down.loop.now() + down.loop.limits().sniff_time);
  for (;;) {
    if (!down.in.empty()) {
      const auto sniffed = sniff(down.in.data());
      if (sniffed == Sniffed::kHttp1) co_return Content::kHttp;
      if (sniffed == Sniffed::kOther) co_return Content::kTcp;
    }
    IoState state;
    while ((state = down.read()) == IoState::kBlocked) {
      co_await down.sleep();
      if (down.is_cut()) co_return Content::kNone;
      if (down.take_timeout()) co_return Content::kTcp;
    }
    if (state != IoState::kDone) co_return down.in.empty() ? Content::kNone : Content::kTcp;
  }
}

Awaitable<> linger(Downstream& down) {
  down.stream->shutdown_send();
  down.set(down.loop.now() + kLingerTime);
  std::size_t bytes = 0;
  while (bytes < kLingerBytes) {
    down.in.release();
    const auto state = down.read();
    if (state == IoState::kBlocked) {
      co_await down.sleep();
      if (down.is_cut() || down.take_timeout()) co_return;
      continue;
    }
    if (state != IoState::kDone) co_return;
    bytes += down.in.data().size();
  }
}

/// Wait until an entry, which `look_up` gives and gives anew when it is stale, has an answer.
template <class Ptr, class LookUp>
Awaitable<Result<Ptr>> await_answer(Downstream& down, std::shared_ptr<Entry<Ptr>>& entry,
                                    const LookUp& look_up) {
  auto& directory = down.loop.directory;
  down.set(down.loop.now() + down.loop.limits().answer_time);
  if (!entry || entry->stale) entry = look_up();
  while (entry && !entry->answer) {
    if (!directory.wait(*entry, down.wakeup)) {
      down.clear();
      co_return fail(Code::kResourceExhausted, "too many requests wait for the controller");
    }
    bool given_up = false;
    while (!entry->answer && !entry->stale && !given_up) {
      co_await down.sleep();
      given_up = down.is_cut() || down.take_timeout();
    }
    if (given_up && !entry->answer && !entry->stale) {
      directory.stop_waiting(*entry, down.wakeup);
      co_return fail(Code::kDeadlineExceeded, "the controller gave no answer in time",
                     Origin::kControlPlane);
    }
    if (!entry->answer) entry = look_up();
  }
  down.clear();
  if (!entry)
    co_return fail(Code::kResourceExhausted, "too many callers or destinations are in use");
  co_return *entry->answer;
}

}  // namespace

Downstream::Downstream(Loop& owner, Socket socket)
    : Deadline(owner.wheel), loop(owner), stream(std::make_shared<Stream>(std::move(socket))) {
  stream->listen(&wakeup);
  peer = source = stream->remote_address();
  destination = stream->local_address();
  loop.add(*this);
}

Downstream::~Downstream() {
  stream->close();
  loop.stats.connections_closed.add(1);
  loop.remove(*this);
}

IoState Downstream::read() {
  if (!stream->readable()) {
    stream->wait_readable();
    return IoState::kBlocked;
  }
  if (!in) in = loop.buffers.take(BufferPool::Size::kSmall);
  if (!loop.buffers.make_space(in)) return IoState::kFailed;
  const auto result = stream->read(in);
  if (in.empty()) in.release();
  if (result.state == IoState::kBlocked) stream->wait_readable();
  return result.state;
}

void Downstream::cut() {
  cut_ = true;
  wakeup.notify();
}

void Downstream::expired() {
  timed_out_ = true;
  wakeup.notify();
}

void Downstream::look_up_caller() {
  if (caller && !caller->stale) return;
  caller = loop.directory.caller(caller_key(peer.ip, source.ip, destination.ip));
}

CallerKey caller_key(const IpAddress& peer, const IpAddress& source, const IpAddress& destination) {
  const bool bound = peer.is_loopback() && destination.is_loopback();
  return {peer, source, bound ? destination : IpAddress{}};
}

Awaitable<> serve(std::shared_ptr<Downstream> connection) {
  Downstream& down = *connection;
  if (!co_await read_proxy_header(down)) {
    down.loop.stats.refused_proxy_header.add(1);
    co_return;
  }
  down.look_up_caller();  // while the client has its time to speak
  const auto content = co_await sniff_content(down);
  down.clear();
  if (content == Content::kHttp) co_await serve_http(down);
  if (content == Content::kTcp) co_await serve_tcp(down);
  if (down.linger && !down.is_cut()) co_await linger(down);
}

Awaitable<Result<CallerPtr>> await_caller(Downstream& down) {
  const auto look_up = [&down] {
    down.look_up_caller();
    return down.caller;
  };
  auto result = co_await await_answer(down, down.caller, look_up);
  co_return result;
}

Awaitable<Result<LoopDestinationPtr>> await_destination(Downstream& down,
                                                        const DestinationView& key,
                                                        DestinationEntryPtr& entry) {
  const auto start = down.loop.now();
  const bool waits = !entry || !entry->answer || entry->stale;
  const auto look_up = [&down, &key] { return down.loop.directory.destination(key); };
  auto result = co_await await_answer(down, entry, look_up);
  if (waits) {
    down.loop.metrics().observe_first_request(
        std::chrono::duration<double>(down.loop.now() - start).count());
  }
  co_return result;
}

}  // namespace lazymesh::egress
