#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lazymesh {

/// An IPv4 or IPv6 address, 17 bytes, without a port. An IPv4-mapped IPv6 address (RFC
/// 4291, 2.5.5.2) is kept as the IPv4 address it means, so that one peer has one address.
class IpAddress {
 public:
  IpAddress() = default;

  /// From text, without brackets and without a scope. kInvalidArgument for anything else.
  static Result<IpAddress> parse(std::string_view text);
  static IpAddress v4(std::array<std::uint8_t, 4> bytes);
  static IpAddress v6(std::array<std::uint8_t, 16> bytes);

  bool is_v4() const { return v4_; }
  bool is_loopback() const;
  bool is_link_local() const;
  bool is_unspecified() const;
  /// 4 or 16 bytes in network order.
  std::string_view bytes() const;
  std::string to_string() const;

  auto operator<=>(const IpAddress&) const = default;

  template <class H>
  friend H AbslHashValue(H state, const IpAddress& address) {
    return H::combine(std::move(state), address.v4_, address.bytes_);
  }

 private:
  bool v4_ = true;
  std::array<std::uint8_t, 16> bytes_{};  // an IPv4 address is in the first four
};

/// An address and a port: what a socket is bound or connected to.
struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;

  /// "10.0.0.1:80" or "[::1]:80".
  static Result<SocketAddress> parse(std::string_view text);
  /// As gRPC names the peer of a call: "ipv4:10.0.0.1:80" or "ipv6:%5B::1%5D:80".
  static Result<SocketAddress> parse_grpc_peer(std::string_view text);
  std::string to_string() const;

  auto operator<=>(const SocketAddress&) const = default;

  template <class H>
  friend H AbslHashValue(H state, const SocketAddress& address) {
    return H::combine(std::move(state), address.ip, address.port);
  }
};

}  // namespace lazymesh
