#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/ip.h"

/// Blocking sockets for tests: every wait ends after ten seconds at the latest.
namespace lazymesh::test {

/// A response as a client sees it.
struct HttpResponse {
  std::string head;  ///< with the status line, as it came, without the empty line
  unsigned status = 0;
  std::string body;          ///< without framing
  bool until_close = false;  ///< its end was the connection's
  /// The value of a header line, by its exact name; empty if there is none.
  std::string header(const std::string& name) const;
};

class Peer {
 public:
  explicit Peer(int socket) : socket_(socket) {}
  Peer(Peer&& other) noexcept;
  Peer& operator=(Peer&&) = delete;
  ~Peer();
  static Peer connect(const SocketAddress& address);

  /// False once the other side takes no more.
  bool send(std::string_view bytes);
  /// As much as the other side takes within `time`; 0: nothing.
  std::size_t send_some(std::string_view bytes, std::chrono::milliseconds time);
  /// Up to and with `end`, else what came before the end or the time limit.
  std::string read_until(std::string_view end);
  std::string read_exactly(std::size_t size);
  /// What comes until the other side closes.
  std::string read_all();
  /// What comes within `time`.
  std::string read_for(std::chrono::milliseconds time);
  /// Whether the other side has closed, waiting for it.
  bool closed();
  /// Whether the other side has reset the connection, waiting for its end.
  bool was_reset();
  /// One whole response to a request of this method.
  HttpResponse read_response(std::string_view method = "GET");
  /// The body of a message with this head, and of a response until it is closed.
  std::string read_body(const std::string& head, bool response, bool& until_close);

  SocketAddress remote_address() const;
  void shutdown_send();
  void reset();  ///< close with a reset
  void close();

 private:
  bool more();
  int socket_;
  std::string buffer_;
};

/// A server of one handler, a thread a connection.
class Upstream {
 public:
  using Handler = std::function<void(Peer&)>;
  explicit Upstream(Handler handler, const std::string& address = "127.0.0.1:0");
  ~Upstream();
  const SocketAddress& address() const { return address_; }
  int connections() const { return connections_; }

 private:
  void accept();
  Handler handler_;
  SocketAddress address_;
  int listener_;
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  std::vector<std::thread> threads_;
  std::vector<int> sockets_;
  std::thread acceptor_;
};

/// A handler that answers every request of a connection: `respond(head, body)` gives the bytes.
using Respond = std::function<std::string(const std::string& head, const std::string& body)>;
Upstream::Handler http_server(Respond respond);
/// "HTTP/1.1 200 OK" with a Content-Length and this body.
std::string ok(const std::string& body);

/// A PROXY protocol header, version 2.
std::string proxy_v2(const SocketAddress& source, const SocketAddress& destination);

/// An address at which nothing listens, and nothing will while the value lives.
class DeadAddress {
 public:
  DeadAddress();
  ~DeadAddress();
  const SocketAddress& address() const { return address_; }

 private:
  int socket_;
  SocketAddress address_;
};

SocketAddress address(std::string_view text);

}  // namespace lazymesh::test
