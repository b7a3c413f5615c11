#include "egress/listener.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "egress/stream.h"

namespace lazymesh::egress {
namespace {

/// Connections that the kernel keeps until they are accepted (bounded by net.core.somaxconn).
constexpr int kBacklog = 4096;

bool set_option(int socket, int level, int name) {
  const int on = 1;
  return ::setsockopt(socket, level, name, &on, sizeof on) == 0;
}

/// A bound socket, or -1 with errno.
int bind_socket(const Tcp::endpoint& endpoint, bool shared) {
  const int socket =
      ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return -1;
  const bool dual = endpoint.address().is_v6() && endpoint.address().is_unspecified();
  const int only_v6 = dual ? 0 : 1;
  bool ok = set_option(socket, SOL_SOCKET, SO_REUSEADDR);
  if (shared) ok = ok && set_option(socket, SOL_SOCKET, SO_REUSEPORT);
  if (endpoint.address().is_v6()) {
    ok = ok && ::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6) == 0;
  }
  ok = ok && ::bind(socket, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0;
  // The first one lets the others in only now that it has the port.
  ok = ok && set_option(socket, SOL_SOCKET, SO_REUSEPORT);
  if (ok) return socket;
  const int error = errno;
  ::close(socket);
  errno = error;
  return -1;
}

Tcp::endpoint bound_endpoint(int socket) {
  Tcp::endpoint endpoint;
  auto size = static_cast<socklen_t>(endpoint.capacity());
  (void)::getsockname(socket, endpoint.data(), &size);
  endpoint.resize(size);
  return endpoint;
}

}  // namespace

Result<SharedListener> listen_shared(const SocketAddress& address, unsigned count) {
  SharedListener out;
  auto endpoint = to_endpoint(address);
  bool ok = true;
  for (unsigned i = 0; ok && i < count; ++i) {
    const int socket = bind_socket(endpoint, i > 0);
    ok = socket >= 0;
    if (!ok) break;
    out.sockets.push_back(socket);
    if (i == 0) endpoint = bound_endpoint(socket);
  }
  // Not before all are bound, so that no connection waits at a socket that is closed again.
  ok = ok && std::all_of(out.sockets.begin(), out.sockets.end(),
                         [](int socket) { return ::listen(socket, kBacklog) == 0; });
  if (!ok) {
    const std::string reason = std::strerror(errno);
    for (const int socket : out.sockets) ::close(socket);
    return fail(Code::kUnavailable, "egress: listen on " + address.to_string() + ": " + reason +
                                        "; give another address with --listen");
  }
  out.address = from_endpoint(endpoint);
  return out;
}

}  // namespace lazymesh::egress
