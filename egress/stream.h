#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/ip.h"
#include "base/result.h"
#include "egress/asio.h"
#include "egress/buffer_pool.h"
#include "egress/wakeup.h"

namespace lazymesh::egress {

enum class IoState {
  kDone,     ///< something was transferred
  kBlocked,  ///< nothing can be now: wait_readable() or wait_writable()
  kClosed,   ///< the peer has closed its side (reading)
  kFailed,   ///< the connection is broken
};

struct IoResult {
  IoState state;
  std::size_t bytes = 0;
};

/// A non-blocking TCP socket: what can be transferred is transferred at once, and what cannot is
/// waited for, by whoever listens. Held by shared pointers, since a wait in the kernel may outlast
/// its connection. One thread.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  explicit Stream(Socket socket);
  virtual ~Stream() = default;

  /// Begin to connect, from `local` if given and of the same family; ready when writable, then
  /// connected() tells.
  static Result<std::shared_ptr<Stream>> connect(Executor executor, const SocketAddress& remote,
                                                 const IpAddress* local);
  /// After wait_writable(): an error if the connection could not be made.
  Result<void> connected();

  void listen(ReadyListener* listener) { listener_ = listener; }

  /// Read what there is, up to the buffer's space.
  IoResult read(Buffer& buffer);
  /// Write the pieces in order, as much as the socket takes.
  IoResult write(std::span<const std::string_view> pieces);

  /// Whether a read may find something: false after one that took all there was, until the wait
  /// ends.
  bool readable() const { return readable_; }
  bool writable() const { return writable_; }
  /// Have the listener told once there is something to read (or the peer has closed).
  void wait_readable();
  void wait_writable();
  /// Whether the peer has closed its side and everything it sent has been read.
  bool peer_closed();

  /// Whether there is nothing to read, not even the end, as far as the kernel knows now.
  bool is_silent();
  /// Have the listener told once the connection breaks although nothing is read or written.
  void wait_broken();
  bool broken() const { return broken_; }
  /// The connection fails once what was sent has not been acknowledged, or not been taken, for so
  /// long; 0: when the kernel thinks so.
  void give_up_after(std::chrono::milliseconds unacknowledged);

  void shutdown_send();
  /// close() will tell the peer that something went wrong, not that all is said.
  void reset_on_close();
  void close();
  bool is_open() const { return socket_.is_open(); }

  SocketAddress remote_address() const;
  SocketAddress local_address() const;

 private:
  Socket socket_;
  ReadyListener* listener_ = nullptr;
  bool readable_ = false;
  bool writable_ = true;
  bool awaiting_read_ = false;
  bool awaiting_write_ = false;
  bool broken_ = false;
  bool awaiting_break_ = false;
};

/// Between Asio's addresses and ours.
Tcp::endpoint to_endpoint(const SocketAddress& address);
SocketAddress from_endpoint(const Tcp::endpoint& endpoint);

}  // namespace lazymesh::egress
