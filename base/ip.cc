#include "base/ip.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include <arpa/inet.h>

namespace lazymesh {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

Error not_an_address(std::string_view text) {
  return Error{Code::kInvalidArgument, "'" + std::string(text) + "' is not an IP address"};
}

}  // namespace

Result<IpAddress> IpAddress::parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof(buffer) || text.find('\0') != std::string_view::npos) {
    return tl::unexpected(not_an_address(text));
  }
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  std::array<std::uint8_t, 4> four{};
  if (inet_pton(AF_INET, buffer, four.data()) == 1) return v4(four);
  std::array<std::uint8_t, 16> sixteen{};
  if (inet_pton(AF_INET6, buffer, sixteen.data()) == 1) return v6(sixteen);
  return tl::unexpected(not_an_address(text));
}

IpAddress IpAddress::v4(std::array<std::uint8_t, 4> bytes) {
  IpAddress address;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

IpAddress IpAddress::v6(std::array<std::uint8_t, 16> bytes) {
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin())) {
    return v4({bytes[12], bytes[13], bytes[14], bytes[15]});
  }
  IpAddress address;
  address.v4_ = false;
  address.bytes_ = bytes;
  return address;
}

bool IpAddress::is_loopback() const {
  if (v4_) return bytes_[0] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto b) { return b == 0; }) &&
         bytes_[15] == 1;
}

bool IpAddress::is_link_local() const {
  if (v4_) return bytes_[0] == 169 && bytes_[1] == 254;
  return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](auto b) { return b == 0; });
}

std::string_view IpAddress::bytes() const {
  return {reinterpret_cast<const char*>(bytes_.data()), v4_ ? 4U : 16U};
}

std::string IpAddress::to_string() const {
  char buffer[INET6_ADDRSTRLEN];
  inet_ntop(v4_ ? AF_INET : AF_INET6, bytes_.data(), buffer, sizeof(buffer));
  return buffer;
}

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  std::uint16_t port = 0;
  if (colon != std::string_view::npos) {
    const auto digits = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error == std::errc() && end == digits.data() + digits.size()) {
      auto host = text.substr(0, colon);
      const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
      if (bracketed) host = host.substr(1, host.size() - 2);
      const bool v6 = host.find(':') != std::string_view::npos;
      if (auto ip = IpAddress::parse(host); ip && v6 == bracketed) {
        return SocketAddress{*ip, port};
      }
    }
  }
  return fail(Code::kInvalidArgument,
              "'" + std::string(text) + "' is not ADDRESS:PORT (an IPv6 address goes in brackets)");
}

Result<SocketAddress> SocketAddress::parse_grpc_peer(std::string_view text) {
  constexpr std::string_view kV4 = "ipv4:";
  constexpr std::string_view kV6 = "ipv6:";
  if (text.starts_with(kV4)) return parse(text.substr(kV4.size()));
  std::string plain(text.starts_with(kV6) ? text.substr(kV6.size()) : std::string_view{});
  for (const auto& [encoded, bracket] : {std::pair{"%5B", "["}, std::pair{"%5D", "]"}}) {
    if (const auto at = plain.find(encoded); at != std::string::npos) plain.replace(at, 3, bracket);
  }
  auto parsed = parse(plain);
  if (!parsed) return fail(Code::kInvalidArgument, "'" + std::string(text) + "' is no gRPC peer");
  return parsed;
}

std::string SocketAddress::to_string() const {
  const auto host = ip.to_string();
  return (ip.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port);
}

}  // namespace lazymesh
