#pragma once

#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/ip.h"

namespace lazymesh::test {

/// Whether `condition` holds by now or within 15 s: for what another process does.
template <class Condition>
bool eventually(Condition condition);

/// A file descriptor that is closed.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();
  int get() const { return fd_; }

 private:
  int fd_;
};

/// A TCP connection that writes and reads bytes as they are. Waits at most 10 s for anything.
class Connection {
 public:
  explicit Connection(const SocketAddress& to);
  explicit Connection(Fd fd) : fd_(std::move(fd)) {}

  void write(std::string_view bytes);
  /// What came until `end` was there (included), or the connection ended, or the wait did.
  std::string read_until(std::string_view end);
  /// Exactly so many bytes, or less where the connection ended.
  std::string read(std::size_t size);
  /// End it both ways; from any thread.
  void shutdown();

 private:
  bool more();
  Fd fd_;
  std::string buffer_;
};

/// A server that answers each HTTP/1 request (without a body) with one fixed response and remembers
/// the requests' heads byte by byte.
class Origin {
 public:
  /// Port 0: any. With `preamble`, so many bytes before the first head of each connection.
  explicit Origin(std::string response,
                  const SocketAddress& at = {IpAddress::v4({127, 0, 0, 1}), 0},
                  std::size_t preamble = 0);
  ~Origin();

  SocketAddress address() const { return address_; }
  std::vector<std::string> heads() const;
  std::vector<std::string> preambles() const;
  std::vector<SocketAddress> peers() const;

 private:
  void serve(Connection& connection);

  std::string response_;
  std::size_t preamble_;
  SocketAddress address_;
  Fd listener_;
  mutable std::mutex mutex_;
  std::vector<std::string> heads_;
  std::vector<std::string> preambles_;
  std::vector<SocketAddress> peers_;
  std::list<Connection> connections_;
  std::vector<std::jthread> serving_;
  std::jthread accepting_;
};

bool wait_a_little(int& attempts);

template <class Condition>
bool eventually(Condition condition) {
  for (int attempts = 0; !condition();) {
    if (!wait_a_little(attempts)) return false;
  }
  return true;
}

}  // namespace lazymesh::test
