#include "egress/exchange.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <absl/hash/hash.h>

#include "egress/loop.h"
#include "egress/tunnel.h"

namespace lazymesh::egress {
namespace {

constexpr std::string_view kResponseStart = "HTTP/1.";
constexpr unsigned kMaxInterim = 32;  // 1xx responses before a final one

bool is_idempotent(std::string_view method) {
  constexpr std::array<std::string_view, 6> kMethods = {"GET", "HEAD",   "OPTIONS",
                                                        "PUT", "DELETE", "TRACE"};
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

http1::HeaderEdit edit_of(HeaderOperation::Kind kind) {
  switch (kind) {
    case HeaderOperation::Kind::kAppend:
      return http1::HeaderEdit::kAppend;
    case HeaderOperation::Kind::kOverwrite:
      return http1::HeaderEdit::kOverwrite;
    case HeaderOperation::Kind::kOverwriteIfPresent:
      return http1::HeaderEdit::kOverwriteIfPresent;
    case HeaderOperation::Kind::kAddIfAbsent:
      return http1::HeaderEdit::kAddIfAbsent;
    default:
      return http1::HeaderEdit::kRemove;
  }
}

void edit(http1::MessageHead& head, const std::vector<HeaderOperation>& operations) {
  if (operations.empty()) return;
  std::vector<http1::EditLine> edits;
  edits.reserve(operations.size());
  for (const auto& each : operations) edits.push_back({edit_of(each.kind), each.name, each.value});
  http1::edit_headers(head, edits);
}

template <class Visit>
void for_each_value(const http1::MessageHead& head, std::string_view name, const Visit& visit) {
  for (const auto& line : head.headers) {
    if (http1::equals_ignoring_case(line.name, name)) visit(line.value);
  }
}

/// All values of a header, joined by commas, as matching wants them.
std::optional<std::string> header_value(const http1::MessageHead& head, std::string_view name) {
  std::optional<std::string> out;
  for_each_value(head, name, [&](std::string_view value) {
    if (out) {
      out->append(",").append(value);
    } else {
      out.emplace(value);
    }
  });
  return out;
}

}  // namespace

Exchange::Exchange(Downstream& down, ExchangeMemory& memory, std::size_t head_length)
    : down_(down),
      loop_(down.loop),
      request_(memory.request),
      response_(memory.response),
      head_length_(head_length),
      head_(std::move(down.in)),
      to_upstream_(memory.to_upstream),
      to_downstream_(memory.to_downstream),
      upwards_(loop_.buffers, down.in, to_upstream_),
      downwards_(loop_.buffers, from_upstream_, to_downstream_),
      start_(loop_.now()),
      wall_start_(loop_.wall_now()) {}

Exchange::~Exchange() {
  loop_.stats.requests[status_ / 100 < 6 ? status_ / 100 : 0].add(1);
  loop_.stats.request_bytes.add(upwards_.body_bytes());
  loop_.stats.response_bytes.add(downwards_.body_bytes());
  log(als::AccessLogEntry::Moment::kEnd);
  if (split_) return;
  head_.consume(head_length_);
  if (!head_.empty()) down_.in = std::move(head_);  // the next request
}

Awaitable<bool> Exchange::run() {
  // Each step leaves its reply in reply_ where the request ends there.
  if (!parse()) co_return co_await send_reply();
  const auto& known = down_.caller;
  const bool caller_known = known && !known->stale && known->answer && known->answer->has_value();
  if (caller_known) caller_ = **known->answer;
  if (!look_up_destination() && !co_await find_destination()) co_return co_await send_reply();
  Directory::touch(destination_->snapshot->last_used, destination_->used, start_);
  if (!route()) co_return co_await send_reply();
  co_return co_await forward();
}

bool Exchange::refuse(unsigned status, std::string reason, const char* flag) {
  reply_ = Reply{status, std::move(reason), flag, false, {}};
  return false;
}

/// No answer: what it is about does not exist, or the controller did not say.
bool Exchange::refuse(const Error& error, const char* what) {
  if (error.code == Code::kNotFound) {
    loop_.stats.unknown_hosts.add(1);
    return refuse(502, error.message, "NR");
  }
  loop_.stats.unanswered.add(1);
  return refuse(503, std::string(what) + " not resolved: " + error.message, "NFCF");
}

bool Exchange::refuse_and_close(unsigned status, std::string reason, const char* flag) {
  keep_alive_ = false;
  return refuse(status, std::move(reason), flag);
}

bool Exchange::parse() {
  const auto head = head_.data().substr(0, head_length_);
  if (const auto error = http1::parse_request_head(head, loop_.limits().http1, request_)) {
    request_.method = {};
    request_.target = {};
    request_.body = http1::BodyKind::kNone;
    return refuse_and_close(error.status, error.reason, "DPE");
  }
  keep_alive_ = request_.keep_alive;
  upwards_.begin(http1::BodyDecoder(request_, loop_.limits().http1),
                 request_.body == http1::BodyKind::kChunked);
  if (request_.body != http1::BodyKind::kNone) split_head_buffer();
  auto form = http1::parse_target(request_.method, request_.target);
  if (!form && request_.method == "CONNECT") {
    return refuse_and_close(405, "CONNECT is not served here", "NR");
  }
  if (!form) return refuse_and_close(400, "malformed request target", "DPE");
  target_form_ = std::move(*form);
  authority_ = target_form_.authority ? *target_form_.authority : request_.host.value_or("");
  if (authority_.empty()) return true;  // the original destination decides
  auto host = http1::host_of(authority_);
  if (!host) return refuse_and_close(400, "malformed Host", "DPE");
  host_ = std::move(*host);
  return true;
}

DestinationView Exchange::key() const {
  DestinationView key{caller_->workload.namespace_, host_, {}, down_.destination.port};
  if (host_.empty()) key.address = down_.destination.ip;
  return key;
}

/// The common case: everything is known, and nothing has to be waited for.
bool Exchange::look_up_destination() {
  if (!caller_) return false;
  entry_ = loop_.directory.destination(key());
  if (!entry_ || !entry_->answer || !entry_->answer->has_value()) return false;
  destination_ = **entry_->answer;
  return true;
}

Awaitable<bool> Exchange::find_destination() {
  if (!caller_) {
    auto caller = co_await await_caller(down_);
    if (!caller) {
      if (caller.error().code != Code::kNotFound) co_return refuse(caller.error(), "caller");
      loop_.stats.refused_callers.add(1);
      co_return refuse(403, "caller not known: " + caller.error().message, "NR");
    }
    caller_ = std::move(*caller);
    entry_ = loop_.directory.destination(key());
  }
  const auto wanted = key();
  auto destination = co_await await_destination(down_, wanted, entry_);
  if (!destination) co_return refuse(destination.error(), "destination");
  destination_ = std::move(*destination);
  co_return true;
}

bool Exchange::route() {
  cluster_ = destination_->cluster.get();
  if (const auto& routes = destination_->snapshot->routes) {
    const std::string_view path =
        target_form_.path.empty() ? request_.target : std::string_view(target_form_.path);
    const RequestView view{request_.method, authority_, path,
                           [this](std::string_view name) { return header_value(request_, name); },
                           [this](std::string_view name, const auto& visit) {
                             for_each_value(request_, name, visit);
                           }};
    decision_ = routes->match(view, loop_.random.next());
    if (!decision_) return refuse(404, "no route matches", "NR");
    if (decision_->status) {
      reply_ = Reply{*decision_->status, decision_->body, "", true, decision_->location};
      return false;
    }
    cluster_ = destination_->find_cluster(decision_->cluster);
    if (cluster_ == nullptr) {
      return refuse(503, "the route's cluster " + decision_->cluster + " is not known", "NC");
    }
    edit(request_, decision_->request_headers);
  }
  auto target = target_of(down_, *destination_, cluster_);
  if (!target) {
    loop_.stats.refused_destination.add(1);
    return refuse(502, target.error().message, "NC");
  }
  target_ = std::move(*target);
  return true;
}

void Exchange::write_reply() {
  using Connection = http1::Framing::Connection;
  const auto& reply = reply_;
  const bool has_body = reply.status >= 200 && reply.status != 204 && reply.status != 304;
  const std::string_view end = reply.of_route ? "" : "\n";
  const auto size = reply.body.size() + end.size();
  const auto length = std::to_string(size);
  const unsigned minor = request_.method.empty() ? 1 : request_.minor;
  http1::Framing framing;
  framing.connection = !keep_alive_ ? Connection::kClose
                       : minor == 0 ? Connection::kKeepAlive
                                    : Connection::kSilent;
  response_.status = reply.status;
  response_.reason = http1::reason_phrase(reply.status);
  response_.connection_names_others = false;
  auto& lines = response_.headers;
  lines.clear();
  if (!reply.location.empty()) lines.push_back({"Location", reply.location});
  if (has_body && size > 0) lines.push_back({"Content-Type", "text/plain"});
  if (has_body) lines.push_back({"Content-Length", length, http1::Field::kContentLength});
  if (decision_) edit(response_, decision_->response_headers);
  to_downstream_.clear();
  to_downstream_.text([&](std::string& out) {
    http1::append_response_head(out, response_, minor, framing);
    if (has_body && request_.method != "HEAD") out.append(reply.body).append(end);
  });
}

Awaitable<bool> Exchange::send_reply() {
  status_ = reply_.status;
  flag_ = reply_.flag;
  // What is not here yet of the request's body is not waited for.
  keep_alive_ = upwards_.discard() && keep_alive_ && !loop_.draining();
  write_reply();
  details_ = std::move(reply_.body);
  (void)down_.take_timeout();
  down_.set(loop_.now() + loop_.limits().head_time);
  Pump::State state;
  while ((state = downwards_.flush(*down_.stream)) == Pump::State::kBlocked) {
    co_await down_.sleep();
    if (down_.is_cut() || down_.take_timeout()) co_return false;
  }
  down_.clear();
  down_.linger = !keep_alive_;
  co_return state == Pump::State::kEnded&& keep_alive_;
}

Awaitable<bool> Exchange::forward() {
  bool resent = false;
  for (;;) {
    if (!reuse_upstream(resent) && !co_await connect(resent)) co_return co_await send_reply();
    report_first_use();
    const auto outcome = co_await transfer();
    if (outcome == Outcome::kComplete) co_return finish();
    if (outcome == Outcome::kResend) {
      loop_.stats.upstream_retries.add(1);
      resent = true;
      rewind();
      continue;
    }
    if (explain(outcome)) co_return co_await send_reply();
    if (ends_with_connection()) down_.stream->reset_on_close();
    co_return false;
  }
}

/// Whether the client takes the end of the connection for the end of the response, so that one that
/// broke off would look complete to it.
bool Exchange::ends_with_connection() const {
  return final_head_ && !upgraded_ && request_.minor == 0 &&
         (response_.body == http1::BodyKind::kChunked ||
          response_.body == http1::BodyKind::kUntilClose);
}

/// True if there is something to reply; else it is too late for that.
bool Exchange::explain(Outcome outcome) {
  switch (outcome) {
    case Outcome::kReset:
      refuse(503, "the upstream closed the connection before it answered", "UC");
      return true;
    case Outcome::kMalformed:
      refuse(502, std::string("malformed response: ") + bad_, "UPE");
      return true;
    case Outcome::kBadRequest:
      refuse_and_close(400, bad_, "DPE");
      return true;
    case Outcome::kTimeout:
      refuse(504, "the upstream did not answer in time", "UT");
      return true;
    case Outcome::kStalled:
      loop_.stats.stalled.add(1);
      if (to_upstream_.empty()) {
        refuse(408, "the request's body did not go on", "SI");
      } else {
        refuse(504, "the upstream did not take the request's body", "SI");
      }
      if (!final_head_) return true;
      flag_ = reply_.flag;
      details_ = std::move(reply_.body);
      return false;
    case Outcome::kTruncated:
      flag_ = "UC";
      details_ = "the upstream broke off its response";
      return false;
    case Outcome::kDownstreamGone:
      flag_ = down_.is_cut() ? "LR" : "DC";
      return false;
    default:
      return false;
  }
}

/// An idle connection to an endpoint of the first choice: the common case.
bool Exchange::reuse_upstream(bool fresh) {
  upstream_.reset();
  if (fresh) return false;
  const auto endpoint = choose_endpoint(loop_, target_, tried_);
  if (!endpoint) return false;  // connect() says why
  upstream_ = loop_.upstreams.reuse(**endpoint, !is_repeatable());
  if (!upstream_) return false;
  loop_.stats.upstream_reused.add(1);
  in_flight_ = InFlight(*endpoint);
  upstream_->stream().listen(&down_.wakeup);
  return true;
}

/// A connection to one of the endpoints, the other ones where the first cannot be reached.
Awaitable<bool> Exchange::connect(bool fresh) {
  Error last;
  while (tried_.size() < loop_.limits().connect_tries && !down_.is_cut()) {
    auto endpoint = choose_endpoint(loop_, target_, tried_);
    if (!endpoint && endpoint.error().code == Code::kNotFound) break;
    if (!endpoint && endpoint.error().code == Code::kUnavailable) {
      co_return refuse(503, endpoint.error().message, "UH");
    }
    if (!endpoint) {
      loop_.stats.refused_destination.add(1);
      co_return refuse(502, endpoint.error().message, "NC");
    }
    in_flight_ = InFlight(*endpoint);
    if (!fresh) upstream_ = loop_.upstreams.reuse(**endpoint, !is_repeatable());
    if (upstream_) {
      loop_.stats.upstream_reused.add(1);
    } else {
      auto connected = co_await connect_upstream(down_, *endpoint, target_.connect_timeout);
      if (!connected) {
        loop_.stats.upstream_failed.add(1);
        last = std::move(connected.error());
        tried_.push_back(std::move(*endpoint));
        continue;
      }
      upstream_ = std::move(*connected);
      upstream_->stream().give_up_after(loop_.limits().unacknowledged_time);
    }
    upstream_->stream().listen(&down_.wakeup);
    co_return true;
  }
  co_return refuse(503, std::move(last.message), "UF");
}

Awaitable<Exchange::Outcome> Exchange::transfer() {
  if (upwards_.written() == 0 && to_upstream_.empty()) write_request_head();
  for (;;) {
    bool again = false;
    if (!request_done_ && !sink_failed_) {
      if (const auto outcome = step_request(again)) co_return *outcome;
    }
    if (const auto outcome = step_response(again)) {
      if (*outcome != Outcome::kComplete || !upgraded_) co_return *outcome;
      break;
    }
    if (request_done_ && !again && watches_client_) {
      // Something from the client now is the next request, or its goodbye.
      if (!down_.stream->readable()) {
        down_.stream->wait_readable();
      } else if (down_.stream->peer_closed()) {
        co_return Outcome::kDownstreamGone;
      } else if (down_.stream->readable()) {
        watches_client_ = false;
      } else {
        down_.stream->wait_readable();
      }
    }
    if (again) down_.wakeup.notify();  // the other connections have their turn
    if (!request_done_) down_.set(loop_.now() + loop_.limits().upload_idle_time);
    co_await down_.sleep();
    if (down_.is_cut()) co_return Outcome::kDownstreamGone;
    if (!down_.take_timeout()) continue;
    if (!request_done_) co_return Outcome::kStalled;
    co_return final_head_ ? Outcome::kTruncated : Outcome::kTimeout;
  }
  down_.clear();
  upstream_->stream().give_up_after(std::chrono::milliseconds(0));
  split_head_buffer();
  const auto end = co_await tunnel(down_, upstream_->stream(), upwards_, downwards_);
  if (end == TunnelEnd::kUpstreamFailed) flag_ = "UC";
  if (end == TunnelEnd::kDownstreamFailed) flag_ = "DC";
  if (end == TunnelEnd::kCut) flag_ = "LR";
  co_return Outcome::kTunnelled;
}

std::optional<Exchange::Outcome> Exchange::step_request(bool& again) {
  switch (upwards_.step(*down_.stream, upstream_->stream())) {
    case Pump::State::kAgain:
      again = true;
      return std::nullopt;
    case Pump::State::kBlocked:
      return std::nullopt;
    case Pump::State::kEnded:
      request_done_ = true;
      down_.clear();
      if (decision_ && decision_->timeout && decision_->timeout->count() > 0) {
        down_.set(loop_.now() + *decision_->timeout);
      }
      return std::nullopt;
    case Pump::State::kSourceClosed:
    case Pump::State::kSourceFailed:
      return Outcome::kDownstreamGone;
    case Pump::State::kBad:
      bad_ = upwards_.decoder().error().reason;
      return response_begun_ ? Outcome::kDownstreamGone : Outcome::kBadRequest;
    case Pump::State::kSinkFailed:
      if (may_resend()) return upstream_gone();
      // The response may be there all the same: a refusal of the body, say.
      sink_failed_ = true;
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Exchange::Outcome> Exchange::step_response(bool& again) {
  if (!final_head_) {
    if (const auto outcome = read_response_head()) return outcome;
    if (!final_head_) {
      // Interim responses are told at once.
      const auto state = downwards_.flush(*down_.stream);
      return state == Pump::State::kSinkFailed ? std::optional(Outcome::kDownstreamGone)
                                               : std::nullopt;
    }
  }
  switch (downwards_.step(upstream_->stream(), *down_.stream)) {
    case Pump::State::kAgain:
      again = true;
      return std::nullopt;
    case Pump::State::kBlocked:
      return std::nullopt;
    case Pump::State::kEnded:
      return Outcome::kComplete;
    case Pump::State::kSinkFailed:
      return Outcome::kDownstreamGone;
    case Pump::State::kBad:
      bad_ = downwards_.decoder().error().reason;
      return downwards_.written() == 0 ? Outcome::kMalformed : Outcome::kTruncated;
    default:
      return Outcome::kTruncated;
  }
}

/// Until the final head is there or nothing more has come.
std::optional<Exchange::Outcome> Exchange::read_response_head() {
  while (!final_head_) {
    if (!from_upstream_.empty()) {
      const auto state = scanner_.scan(from_upstream_.data(), loop_.limits().http1);
      if (state == http1::HeadScanner::State::kBad) {
        bad_ = scanner_.error().reason;
        return Outcome::kMalformed;
      }
      if (state == http1::HeadScanner::State::kComplete) {
        if (const auto outcome = on_response_head()) return outcome;
        continue;
      }
      // What is no HTTP may not end in an empty line, ever.
      const auto start = from_upstream_.data().substr(0, kResponseStart.size());
      if (start != kResponseStart.substr(0, start.size())) {
        bad_ = "not HTTP";
        return Outcome::kMalformed;
      }
      if (!loop_.buffers.make_space(from_upstream_)) {
        bad_ = "the response's header is too large";
        return Outcome::kMalformed;
      }
    }
    switch (downwards_.read(upstream_->stream())) {
      case IoState::kDone:
        response_begun_ = true;
        break;
      case IoState::kBlocked:
        return std::nullopt;
      default:
        return upstream_gone();
    }
  }
  return std::nullopt;
}

std::optional<Exchange::Outcome> Exchange::on_response_head() {
  const auto length = scanner_.length();
  const auto head = from_upstream_.data().substr(0, length);
  scanner_.reset();
  const auto malformed = [this](const char* reason) {
    bad_ = reason;
    return Outcome::kMalformed;
  };
  if (const auto error =
          http1::parse_response_head(head, loop_.limits().http1, request_.method, response_)) {
    return malformed(error.reason);
  }
  if (response_.status == 101) {
    if (!request_.upgrade || !request_done_) return malformed("an upgrade nobody asked for");
    upgraded_ = true;
  } else if (response_.status < 200 && ++interim_ > kMaxInterim) {
    return malformed("too many interim responses");
  }
  final_head_ = upgraded_ || response_.status >= 200;
  if (final_head_ || request_.minor > 0) write_response_head();
  from_upstream_.consume(length);
  if (from_upstream_.empty()) from_upstream_.release();
  return std::nullopt;
}

void Exchange::write_request_head() {
  std::string_view target =
      target_form_.path.empty() ? request_.target : std::string_view(target_form_.path);
  std::string_view host = target_form_.authority ? authority_ : std::string_view{};
  if (!request_.host && host.empty()) host = destination_->snapshot->host;
  if (decision_) {
    if (decision_->path) target = *decision_->path;
    if (decision_->authority) host = *decision_->authority;
  }
  http1::Framing framing;
  framing.chunked = request_.body == http1::BodyKind::kChunked;
  if (request_.upgrade) framing.connection = http1::Framing::Connection::kUpgrade;
  to_upstream_.text(
      [&](std::string& out) { http1::append_request_head(out, request_, target, host, framing); });
}

/// Of an interim or the final response; decides how the latter's body goes out.
void Exchange::write_response_head() {
  using Connection = http1::Framing::Connection;
  http1::Framing framing;
  framing.drop_length = response_.status < 200 || response_.status == 204;
  framing.keep_encoding = request_.method == "HEAD" || response_.status == 304;
  if (final_head_) {
    status_ = response_.status;
    const bool sized =
        response_.body == http1::BodyKind::kNone || response_.body == http1::BodyKind::kLength;
    framing.chunked = !sized && request_.minor > 0;
    // What is still to come of the request is not waited for once the response is out.
    keep_alive_ = keep_alive_ && request_done_ && !loop_.draining() && (sized || framing.chunked);
    framing.connection = !keep_alive_          ? Connection::kClose
                         : request_.minor == 0 ? Connection::kKeepAlive
                                               : Connection::kSilent;
    if (upgraded_) framing.connection = Connection::kUpgrade;
    downwards_.begin(http1::BodyDecoder(response_, loop_.limits().http1), framing.chunked);
    if (decision_) edit(response_, decision_->response_headers);
  }
  to_downstream_.text([&](std::string& out) {
    http1::append_response_head(out, response_, request_.minor, framing);
  });
}

Exchange::Outcome Exchange::upstream_gone() {
  return may_resend() ? Outcome::kResend : Outcome::kReset;
}

/// Whether the request can be sent once more without the upstream having it twice (RFC 9110,
/// 9.2.2): the connection was pooled, so the server may have closed it just then.
bool Exchange::may_resend() const {
  return upstream_->reused() && !response_begun_ && (upwards_.written() == 0 || is_repeatable());
}

bool Exchange::is_repeatable() const {
  return request_.body == http1::BodyKind::kNone && is_idempotent(request_.method);
}

/// After kResend: what was written before is to be written again.
void Exchange::rewind() {
  request_done_ = false;
  sink_failed_ = false;
  watches_client_ = true;
  if (upwards_.written() == 0) return;  // all of it is in the outbox still
  to_upstream_.clear();
  upwards_.begin(http1::BodyDecoder(request_, loop_.limits().http1), false);
}

/// After a complete response: whether the two connections may be used again.
bool Exchange::finish() {
  down_.clear();
  down_.linger = !keep_alive_;
  const bool clean = request_done_ && final_head_ && response_.keep_alive &&
                     from_upstream_.empty() && response_.body != http1::BodyKind::kUntilClose;
  if (clean) loop_.upstreams.keep(std::move(upstream_));
  return keep_alive_;
}

/// What came behind the head goes to `down.in`, where the body is read from.
void Exchange::split_head_buffer() {
  if (std::exchange(split_, true)) return;
  const auto behind = head_.data().substr(head_length_);
  if (behind.empty()) return;
  down_.in = loop_.buffers.take(behind.size() <= BufferPool::kSmallBytes ? BufferPool::Size::kSmall
                                                                         : BufferPool::Size::kBulk);
  std::memcpy(down_.in.space(), behind.data(), behind.size());
  down_.in.produced(behind.size());
}

void Exchange::report_first_use() {
  const auto& id = caller_->workload;
  const auto& to = *destination_->snapshot;
  if (!loop_.first_uses.insert(absl::HashOf(id, to.host, to.port))) return;
  log(als::AccessLogEntry::Moment::kUpstreamReady);
}

void Exchange::log(als::AccessLogEntry::Moment moment) {
  als::AccessLogEntry entry;
  entry.moment = moment;
  entry.http = true;
  entry.downstream_direct_remote_address = down_.peer;
  entry.downstream_remote_address = down_.source;
  entry.downstream_local_address = down_.destination;
  if (in_flight_.endpoint()) entry.upstream_remote_address = in_flight_.endpoint()->address();
  if (cluster_ != nullptr) entry.upstream_cluster = cluster_->name();
  if (decision_) entry.route_name = decision_->name;
  entry.start_time = wall_start_;
  entry.duration = loop_.now() - start_;
  entry.response_flag = flag_;
  entry.method = request_.method;
  entry.authority = authority_;
  entry.path = request_.target;
  entry.user_agent = request_.user_agent;
  entry.request_id = request_.request_id;
  entry.protocol = request_.minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
  entry.response_code = status_;
  entry.response_code_details = std::move(details_);
  entry.request_bytes = upwards_.body_bytes();
  entry.response_bytes = downwards_.body_bytes();
  loop_.access_log().log(std::move(entry));
}

}  // namespace lazymesh::egress
