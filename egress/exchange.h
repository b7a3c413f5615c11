#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "als/sender.h"
#include "egress/downstream.h"
#include "egress/exchange_memory.h"
#include "egress/http1/authority.h"
#include "egress/http1/head_parser.h"
#include "egress/http1/serializer.h"
#include "egress/on_demand/routing.h"
#include "egress/pump.h"
#include "egress/upstream_connect.h"

namespace lazymesh::egress {

/// One HTTP/1.x request and its response: who asks, what for, where to, and the bytes of both
/// directions. Lives on the connection's coroutine.
class Exchange {
 public:
  /// `head_length`: of the complete head that `down.in` begins with.
  Exchange(Downstream& down, ExchangeMemory& memory, std::size_t head_length);
  ~Exchange();

  /// Serve it. True: the connection may carry another request.
  Awaitable<bool> run();

 private:
  /// A reply of our own.
  struct Reply {
    unsigned status = 0;
    std::string body;       ///< the reason, to which a line feed is added
    const char* flag = "";  ///< for the access log
    bool of_route = false;  ///< a direct response: its body as it is
    std::string location;
  };
  /// How forwarding over one upstream connection ended.
  enum class Outcome {
    kComplete,        ///< the response is out
    kTunnelled,       ///< an upgrade, and its connection has ended
    kResend,          ///< the pooled connection had died; nothing is lost by sending again
    kReset,           ///< the upstream closed before its response began
    kMalformed,       ///< the upstream's response is not HTTP; bad_ says why
    kTruncated,       ///< the upstream broke off its response
    kBadRequest,      ///< the request's body is malformed; bad_ says why
    kDownstreamGone,  ///< the client broke off, or the connection was cut
    kTimeout,         ///< of the route
    kStalled,         ///< the request did not move for too long
  };

  // The steps to the upstream: false with the reply in reply_ if the request ends there.
  bool parse();
  bool look_up_destination();
  Awaitable<bool> find_destination();
  bool route();
  bool reuse_upstream(bool fresh);
  Awaitable<bool> connect(bool fresh);

  bool refuse(unsigned status, std::string reason, const char* flag);
  bool refuse(const Error& error, const char* what);
  bool refuse_and_close(unsigned status, std::string reason, const char* flag);
  bool explain(Outcome outcome);
  bool ends_with_connection() const;
  void write_reply();
  Awaitable<bool> send_reply();

  DestinationView key() const;
  Awaitable<bool> forward();
  Awaitable<Outcome> transfer();
  std::optional<Outcome> step_request(bool& again);
  std::optional<Outcome> step_response(bool& again);
  std::optional<Outcome> read_response_head();
  std::optional<Outcome> on_response_head();
  void write_request_head();
  void write_response_head();
  Outcome upstream_gone();
  bool may_resend() const;
  bool is_repeatable() const;
  void rewind();
  bool finish();

  void split_head_buffer();
  void report_first_use();
  void log(als::AccessLogEntry::Moment moment);

  Downstream& down_;
  Loop& loop_;
  http1::RequestHead& request_;
  http1::ResponseHead& response_;
  std::size_t head_length_;
  Buffer head_;  ///< holds the request's head until the end, and what came right behind it
  Buffer from_upstream_;
  Outbox& to_upstream_;
  Outbox& to_downstream_;
  Pump upwards_;
  Pump downwards_;

  CallerPtr caller_;
  DestinationEntryPtr entry_;
  LoopDestinationPtr destination_;
  http1::Target target_form_;
  std::string_view authority_;
  std::string host_;  ///< of the destination's key
  std::optional<RouteDecision> decision_;
  const Cluster* cluster_ = nullptr;
  UpstreamTarget target_;
  Reply reply_;
  std::vector<EndpointPtr> tried_;
  InFlight in_flight_;
  UpstreamConnectionPtr upstream_;

  bool split_ = false;           ///< head_ holds nothing but the head
  bool request_done_ = false;    ///< its last byte is with the upstream
  bool sink_failed_ = false;     ///< the upstream takes no more of the request
  bool response_begun_ = false;  ///< its first byte has come
  bool final_head_ = false;      ///< the final response's head has been understood
  bool upgraded_ = false;        ///< by a 101
  bool keep_alive_ = true;       ///< of the downstream connection
  bool watches_client_ = true;   ///< whether the client goes away while the response is awaited
  http1::HeadScanner scanner_;   ///< of the response
  unsigned interim_ = 0;         ///< 1xx heads so far
  const char* bad_ = "";
  // For the access log.
  SteadyTime start_;
  WallTime wall_start_;
  unsigned status_ = 0;
  const char* flag_ = "";
  std::string details_;
};

}  // namespace lazymesh::egress
