#pragma once

#include <memory>
#include <utility>

#include "egress/buffer_pool.h"
#include "egress/deadline_wheel.h"
#include "egress/directory.h"
#include "egress/stream.h"
#include "egress/wakeup.h"

namespace lazymesh::egress {

class Loop;

/// One accepted connection: what the stages that serve it, one after the other in one coroutine,
/// have in common. It lives until that coroutine ends.
class Downstream final : public std::enable_shared_from_this<Downstream>, public Deadline {
 public:
  Downstream(Loop& owner, Socket socket);
  ~Downstream();

  Loop& loop;
  std::shared_ptr<Stream> stream;
  Buffer in;  ///< read and not yet understood
  Wakeup wakeup;

  SocketAddress peer;         ///< of the TCP connection
  SocketAddress source;       ///< the PROXY header's, else the peer
  SocketAddress destination;  ///< the PROXY header's: the original destination
  CallerEntryPtr caller;      ///< what is known of the caller

  /// Between two requests, with nothing read of the next: may be closed at any moment.
  bool idle = false;
  SteadyTime idle_since;
  /// Requests served since it last slept.
  unsigned in_a_row = 0;
  /// The response may not have been read by the client yet: close gently.
  bool linger = false;

  /// Read more into `in`; kBlocked: waited for. kFailed also if `in` is full.
  IoState read();

  /// Wait for anything: a socket, the deadline, an answer.
  Awaitable<> sleep() {
    in_a_row = 0;
    return wakeup.sleep();
  }
  /// Whether the deadline has passed since it was last asked.
  bool take_timeout() { return std::exchange(timed_out_, false); }

  /// End the connection from outside, whatever it does.
  void cut();
  bool is_cut() const { return cut_; }

  /// Look the caller up if it has not been, or anew if what is known is stale.
  void look_up_caller();

 private:
  void expired() override;

  bool timed_out_ = false;
  bool cut_ = false;
};

/// Who calls, by the addresses of the connection and of its PROXY header. The destination says so
/// (the bound shape) only to a peer on this machine: any other could claim to be any workload.
CallerKey caller_key(const IpAddress& peer, const IpAddress& source, const IpAddress& destination);

// Coroutines here take references: each is awaited where it is called, by a coroutine that owns
// what they refer to. Only serve() is spawned, and owns the connection.

/// The whole life of a connection: PROXY header, what it carries, and then that.
Awaitable<> serve(std::shared_ptr<Downstream> connection);

/// HTTP/1.x until the connection ends (http_session.cc).
Awaitable<> serve_http(Downstream& down);
/// Bytes to the original destination (tcp_session.cc).
Awaitable<> serve_tcp(Downstream& down);

/// Wait until the caller is known, or known not to be, or there is no answer in time.
Awaitable<Result<CallerPtr>> await_caller(Downstream& down);
Awaitable<Result<LoopDestinationPtr>> await_destination(Downstream& down,
                                                        const DestinationView& key,
                                                        DestinationEntryPtr& entry);

}  // namespace lazymesh::egress
