#include "egress/stream.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace lazymesh::egress {
namespace {

/// Pieces of one write; what is beyond waits for the next.
constexpr std::size_t kMaxPieces = 64;

void set_option(int socket, int level, int name, int value) {
  (void)::setsockopt(socket, level, name, &value, sizeof value);  // a wish, not a condition
}

/// A peer that vanished without a word is noticed after about two minutes if everything that it was
/// sent had been acknowledged; else see give_up_after().
void set_options(int socket) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

tl::unexpected<Error> connect_failure(const SocketAddress& remote, const std::string& reason) {
  return fail(Code::kUnavailable, "connect to " + remote.to_string() + ": " + reason,
              Origin::kUpstream, Retry::kSafe);
}

}  // namespace

Tcp::endpoint to_endpoint(const SocketAddress& address) {
  const auto bytes = address.ip.bytes();
  if (address.ip.is_v4()) {
    asio::ip::address_v4::bytes_type v4;
    std::copy(bytes.begin(), bytes.end(), v4.begin());
    return {asio::ip::address_v4(v4), address.port};
  }
  asio::ip::address_v6::bytes_type v6;
  std::copy(bytes.begin(), bytes.end(), v6.begin());
  return {asio::ip::address_v6(v6), address.port};
}

SocketAddress from_endpoint(const Tcp::endpoint& endpoint) {
  if (endpoint.address().is_v4()) {
    const auto bytes = endpoint.address().to_v4().to_bytes();
    return {IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}), endpoint.port()};
  }
  std::array<std::uint8_t, 16> v6;
  const auto bytes = endpoint.address().to_v6().to_bytes();
  std::copy(bytes.begin(), bytes.end(), v6.begin());
  return {IpAddress::v6(v6), endpoint.port()};
}

Stream::Stream(Socket socket) : socket_(std::move(socket)) {
  boost::system::error_code ignored;
  socket_.native_non_blocking(true, ignored);
  set_options(socket_.native_handle());
}

Result<std::shared_ptr<Stream>> Stream::connect(Executor executor, const SocketAddress& remote,
                                                const IpAddress* local) {
  const auto endpoint = to_endpoint(remote);
  Socket socket(executor);
  boost::system::error_code error;
  socket.open(endpoint.protocol(), error);
  if (error) return connect_failure(remote, error.message());
  if (local != nullptr && local->is_v4() == remote.ip.is_v4()) {
    set_option(socket.native_handle(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    socket.bind(to_endpoint({*local, 0}), error);
    if (error) {
      return connect_failure(remote, "from " + local->to_string() + ": " + error.message());
    }
  }
  auto stream = std::make_shared<Stream>(std::move(socket));
  const int result = ::connect(stream->socket_.native_handle(), endpoint.data(),
                               static_cast<socklen_t>(endpoint.size()));
  if (result != 0 && errno != EINPROGRESS) return connect_failure(remote, std::strerror(errno));
  stream->writable_ = result == 0;
  return stream;
}

Result<void> Stream::connected() {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket_.native_handle(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
    error = errno;
  }
  if (error != 0)
    return fail(Code::kUnavailable, std::strerror(error), Origin::kUpstream, Retry::kSafe);
  return {};
}

IoResult Stream::read(Buffer& buffer) {
  const auto space = buffer.space_size();
  const auto got = ::recv(socket_.native_handle(), buffer.space(), space, 0);
  if (got > 0) {
    const auto bytes = static_cast<std::size_t>(got);
    buffer.produced(bytes);
    readable_ = bytes == space;  // a short read took all there was
    return {IoState::kDone, bytes};
  }
  if (got == 0) return {IoState::kClosed};
  if (errno == EAGAIN || errno == EINTR) {
    readable_ = false;
    return {IoState::kBlocked};
  }
  return {IoState::kFailed};
}

IoResult Stream::write(std::span<const std::string_view> pieces) {
  std::array<iovec, kMaxPieces> vectors;
  std::size_t count = 0;
  std::size_t size = 0;
  for (const auto piece : pieces.first(std::min(pieces.size(), kMaxPieces))) {
    if (piece.empty()) continue;
    vectors[count++] = {const_cast<char*>(piece.data()), piece.size()};  // sendmsg only reads
    size += piece.size();
  }
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  const auto sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
  if (sent >= 0) {
    writable_ = static_cast<std::size_t>(sent) == size;
    return {IoState::kDone, static_cast<std::size_t>(sent)};
  }
  if (errno == EAGAIN || errno == EINTR) {
    writable_ = false;
    return {IoState::kBlocked};
  }
  return {IoState::kFailed};
}

void Stream::wait_readable() {
  if (awaiting_read_ || readable_) return;
  awaiting_read_ = true;
  socket_.async_wait(Socket::wait_read,
                     [self = shared_from_this()](const boost::system::error_code&) {
                       self->awaiting_read_ = false;
                       self->readable_ = true;
                       if (self->listener_ != nullptr) self->listener_->on_ready();
                     });
}

void Stream::wait_writable() {
  if (awaiting_write_ || writable_) return;
  awaiting_write_ = true;
  socket_.async_wait(Socket::wait_write,
                     [self = shared_from_this()](const boost::system::error_code&) {
                       self->awaiting_write_ = false;
                       self->writable_ = true;
                       if (self->listener_ != nullptr) self->listener_->on_ready();
                     });
}

bool Stream::is_silent() {
  char byte = 0;
  return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

void Stream::wait_broken() {
  if (awaiting_break_ || broken_) return;
  awaiting_break_ = true;
  socket_.async_wait(Socket::wait_error,
                     [self = shared_from_this()](const boost::system::error_code& cancelled) {
                       self->awaiting_break_ = false;
                       if (cancelled) return;
                       pollfd poll{self->socket_.native_handle(), 0, 0};  // urgent data wakes too
                       self->broken_ = ::poll(&poll, 1, 0) > 0 && (poll.revents & POLLERR) != 0;
                       if (self->listener_ != nullptr) self->listener_->on_ready();
                     });
}

bool Stream::peer_closed() {
  char byte = 0;
  const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    readable_ = false;
    return false;
  }
  return got <= 0;
}

void Stream::give_up_after(std::chrono::milliseconds unacknowledged) {
  set_option(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT,
             static_cast<int>(unacknowledged.count()));
}

void Stream::shutdown_send() {
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void Stream::reset_on_close() {
  const linger at_once{1, 0};
  (void)::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void Stream::close() {
  listener_ = nullptr;
  boost::system::error_code ignored;
  socket_.close(ignored);
}

SocketAddress Stream::remote_address() const {
  boost::system::error_code error;
  const auto endpoint = socket_.remote_endpoint(error);
  return error ? SocketAddress{} : from_endpoint(endpoint);
}

SocketAddress Stream::local_address() const {
  boost::system::error_code error;
  const auto endpoint = socket_.local_endpoint(error);
  return error ? SocketAddress{} : from_endpoint(endpoint);
}

}  // namespace lazymesh::egress
