#include "test/sidecar/sockets.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lazymesh::test {
namespace {

constexpr int kPatienceMs = 10'000;

sockaddr_in to_native(const SocketAddress& address) {
  sockaddr_in native{};
  native.sin_family = AF_INET;
  native.sin_port = htons(address.port);
  std::memcpy(&native.sin_addr, address.ip.bytes().data(), 4);
  return native;
}

SocketAddress from_native(const sockaddr_in& native) {
  std::array<std::uint8_t, 4> bytes{};
  std::memcpy(bytes.data(), &native.sin_addr, 4);
  return {IpAddress::v4(bytes), ntohs(native.sin_port)};
}

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

}  // namespace

bool wait_a_little(int& attempts) {
  ::poll(nullptr, 0, 20);
  return ++attempts < 750;
}

Fd& Fd::operator=(Fd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

Connection::Connection(const SocketAddress& to)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const auto native = to_native(to);
  check(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&native), sizeof(native)) == 0,
        "connect");
}

void Connection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool Connection::more() {
  pollfd waiting{fd_.get(), POLLIN, 0};
  if (::poll(&waiting, 1, kPatienceMs) <= 0) return false;
  std::array<char, 4096> bytes{};
  const auto got = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
  if (got <= 0) return false;
  buffer_.append(bytes.data(), static_cast<std::size_t>(got));
  return true;
}

std::string Connection::read_until(std::string_view end) {
  std::size_t found = 0;
  while ((found = buffer_.find(end)) == std::string::npos) {
    if (!more()) return std::exchange(buffer_, {});
  }
  auto result = buffer_.substr(0, found + end.size());
  buffer_.erase(0, result.size());
  return result;
}

std::string Connection::read(std::size_t size) {
  while (buffer_.size() < size && more()) {
  }
  auto result = buffer_.substr(0, size);
  buffer_.erase(0, result.size());
  return result;
}

void Connection::shutdown() { ::shutdown(fd_.get(), SHUT_RDWR); }

Origin::Origin(std::string response, const SocketAddress& at, std::size_t preamble)
    : response_(std::move(response)),
      preamble_(preamble),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  auto native = to_native(at);
  check(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&native), sizeof(native)) == 0,
        "bind");
  check(::listen(listener_.get(), 16) == 0, "listen");
  socklen_t size = sizeof(native);
  check(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&native), &size) == 0,
        "getsockname");
  address_ = from_native(native);
  accepting_ = std::jthread([this] {
    for (;;) {
      sockaddr_in peer{};
      socklen_t peer_size = sizeof(peer);
      const int fd =
          ::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&peer), &peer_size, SOCK_CLOEXEC);
      if (fd < 0) return;
      const std::scoped_lock lock(mutex_);
      peers_.push_back(from_native(peer));
      auto& connection = connections_.emplace_back(Fd(fd));
      serving_.emplace_back([this, &connection] { serve(connection); });
    }
  });
}

Origin::~Origin() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  accepting_.join();
  for (auto& connection : connections_) connection.shutdown();
}

void Origin::serve(Connection& connection) {
  if (preamble_ > 0) {
    auto preamble = connection.read(preamble_);
    const std::scoped_lock lock(mutex_);
    preambles_.push_back(std::move(preamble));
  }
  for (;;) {
    auto head = connection.read_until("\r\n\r\n");
    if (!head.ends_with("\r\n\r\n")) return;
    {
      const std::scoped_lock lock(mutex_);
      heads_.push_back(std::move(head));
    }
    connection.write(response_);
  }
}

std::vector<std::string> Origin::heads() const {
  const std::scoped_lock lock(mutex_);
  return heads_;
}
std::vector<std::string> Origin::preambles() const {
  const std::scoped_lock lock(mutex_);
  return preambles_;
}
std::vector<SocketAddress> Origin::peers() const {
  const std::scoped_lock lock(mutex_);
  return peers_;
}

}  // namespace lazymesh::test
