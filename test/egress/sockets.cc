#include "test/egress/sockets.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lazymesh::test {
namespace {

constexpr int kPatienceSeconds = 10;

sockaddr_in to_native(const SocketAddress& address) {
  sockaddr_in native{};
  native.sin_family = AF_INET;
  native.sin_port = htons(address.port);
  std::memcpy(&native.sin_addr, address.ip.bytes().data(), 4);
  return native;
}

SocketAddress from_native(const sockaddr_in& native) {
  std::array<std::uint8_t, 4> bytes;
  std::memcpy(bytes.data(), &native.sin_addr, 4);
  return {IpAddress::v4(bytes), ntohs(native.sin_port)};
}

SocketAddress bound_address(int socket) {
  sockaddr_in native{};
  socklen_t size = sizeof native;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&native), &size);
  return from_native(native);
}

int bind_socket(const SocketAddress& address) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto native = to_native(address);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&native), sizeof native) != 0) std::abort();
  return socket;
}

/// A header's value by its name in any case; nullopt if there is none.
std::optional<std::string> find_header(const std::string& head, const std::string& name) {
  std::size_t at = 0;
  while ((at = head.find("\r\n", at)) != std::string::npos) {
    at += 2;
    const auto line = head.substr(at, head.find("\r\n", at) - at);
    if (line.size() > name.size() && line[name.size()] == ':' &&
        ::strncasecmp(line.c_str(), name.c_str(), name.size()) == 0) {
      const auto value = line.find_first_not_of(' ', name.size() + 1);
      return value == std::string::npos ? "" : line.substr(value);
    }
  }
  return std::nullopt;
}

}  // namespace

std::string HttpResponse::header(const std::string& name) const {
  const auto at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const auto begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

Peer::Peer(Peer&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), buffer_(std::move(other.buffer_)) {}

Peer::~Peer() { close(); }

Peer Peer::connect(const SocketAddress& to) {
  Peer peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{kPatienceSeconds, 0};
  ::setsockopt(peer.socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(peer.socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const auto native = to_native(to);
  if (::connect(peer.socket_, reinterpret_cast<const sockaddr*>(&native), sizeof native) != 0) {
    peer.close();
  }
  return peer;
}

bool Peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::size_t Peer::send_some(std::string_view bytes, std::chrono::milliseconds time) {
  pollfd poll{socket_, POLLOUT, 0};
  if (::poll(&poll, 1, static_cast<int>(time.count())) != 1) return 0;
  const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent > 0 ? static_cast<std::size_t>(sent) : 0;
}

SocketAddress Peer::remote_address() const {
  sockaddr_in native{};
  socklen_t size = sizeof native;
  ::getpeername(socket_, reinterpret_cast<sockaddr*>(&native), &size);
  return from_native(native);
}

bool Peer::more() {
  std::array<char, 65536> chunk;
  const auto got = ::recv(socket_, chunk.data(), chunk.size(), 0);
  if (got <= 0) return false;
  buffer_.append(chunk.data(), static_cast<std::size_t>(got));
  return true;
}

std::string Peer::read_until(std::string_view end) {
  std::size_t at;
  while ((at = buffer_.find(end)) == std::string::npos) {
    if (!more()) return std::exchange(buffer_, {});
  }
  const auto out = buffer_.substr(0, at + end.size());
  buffer_.erase(0, at + end.size());
  return out;
}

std::string Peer::read_exactly(std::size_t size) {
  while (buffer_.size() < size && more()) {
  }
  const auto out = buffer_.substr(0, size);
  buffer_.erase(0, out.size());
  return out;
}

std::string Peer::read_all() {
  while (more()) {
  }
  return std::exchange(buffer_, {});
}

std::string Peer::read_for(std::chrono::milliseconds time) {
  pollfd poll{socket_, POLLIN, 0};
  if (buffer_.empty() && ::poll(&poll, 1, static_cast<int>(time.count())) == 1) more();
  return std::exchange(buffer_, {});
}

bool Peer::closed() {
  pollfd poll{socket_, POLLIN, 0};
  if (!buffer_.empty() || ::poll(&poll, 1, kPatienceSeconds * 1000) != 1) return false;
  return !more();
}

bool Peer::was_reset() {
  do {
    errno = 0;
  } while (more());
  return errno == ECONNRESET;
}

std::string Peer::read_body(const std::string& head, bool response, bool& until_close) {
  until_close = false;
  if (const auto length = find_header(head, "content-length"))
    return read_exactly(std::stoul(*length));
  if (find_header(head, "transfer-encoding")) {
    std::string body;
    for (;;) {
      const auto line = read_until("\r\n");
      const auto size = line.empty() ? 0 : std::stoul(line, nullptr, 16);
      if (size == 0) break;
      body += read_exactly(size);
      read_exactly(2);
    }
    while (read_until("\r\n").size() > 2) {  // trailers
    }
    return body;
  }
  if (!response) return {};
  until_close = true;
  return read_all();
}

HttpResponse Peer::read_response(std::string_view method) {
  HttpResponse out;
  out.head = read_until("\r\n\r\n");
  if (out.head.size() < 16) return out;
  out.head.resize(out.head.size() - 2);
  out.status = static_cast<unsigned>(std::stoul(out.head.substr(9, 3)));
  if (method == "HEAD" || out.status < 200 || out.status == 204 || out.status == 304) return out;
  out.body = read_body(out.head, true, out.until_close);
  return out;
}

void Peer::shutdown_send() { ::shutdown(socket_, SHUT_WR); }

void Peer::reset() {
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  ::connect(socket_, &none, sizeof none);  // Linux: ends the connection with a reset
  close();
}

void Peer::close() {
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

Upstream::Upstream(Handler handler, const std::string& at)
    : handler_(std::move(handler)), listener_(bind_socket(test::address(at))) {
  address_ = bound_address(listener_);
  ::listen(listener_, 1024);
  acceptor_ = std::thread([this] { accept(); });
}

Upstream::~Upstream() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  {
    const std::lock_guard lock(mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  }
  for (auto& thread : threads_) thread.join();
  for (const int socket : sockets_) ::close(socket);
}

void Upstream::accept() {
  for (;;) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    ++connections_;
    const timeval limit{kPatienceSeconds, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const std::lock_guard lock(mutex_);
    sockets_.push_back(::dup(socket));  // to end its handler by
    threads_.emplace_back([this, socket] {
      Peer peer(socket);
      handler_(peer);
      peer.shutdown_send();
    });
  }
}

Upstream::Handler http_server(Respond respond) {
  return [respond = std::move(respond)](Peer& peer) {
    for (;;) {
      const auto head = peer.read_until("\r\n\r\n");
      if (head.size() < 4 || head.substr(head.size() - 4) != "\r\n\r\n") return;
      bool until_close = false;
      const auto body = peer.read_body(head, false, until_close);
      if (!peer.send(respond(head, body))) return;
    }
  };
}

std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string proxy_v2(const SocketAddress& source, const SocketAddress& destination) {
  std::string out("\r\n\r\n\0\r\nQUIT\n", 12);
  out += '\x21';
  out += source.ip.is_v4() ? '\x11' : '\x21';
  const std::size_t length = 2 * source.ip.bytes().size() + 4;
  out += '\0';
  out += static_cast<char>(length);
  out += source.ip.bytes();
  out += destination.ip.bytes();
  for (const auto port : {source.port, destination.port}) {
    out += static_cast<char>(port >> 8U);
    out += static_cast<char>(port & 0xffU);
  }
  return out;
}

DeadAddress::DeadAddress() : socket_(bind_socket(test::address("127.0.0.1:0"))) {
  address_ = bound_address(socket_);
}

DeadAddress::~DeadAddress() { ::close(socket_); }

SocketAddress address(std::string_view text) { return *SocketAddress::parse(text); }

}  // namespace lazymesh::test
