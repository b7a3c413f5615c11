#include "egress/own_addresses.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace lazymesh::egress {
namespace {

Result<std::vector<IpAddress>> machine_addresses() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) {
    return fail(Code::kInternal, std::string("egress: own addresses: ") + std::strerror(errno));
  }
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(list, &::freeifaddrs);
  std::vector<IpAddress> out;
  for (const auto* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    if (each->ifa_addr->sa_family == AF_INET) {
      sockaddr_in address{};
      std::memcpy(&address, each->ifa_addr, sizeof address);
      std::array<std::uint8_t, 4> bytes;
      std::memcpy(bytes.data(), &address.sin_addr, bytes.size());
      out.push_back(IpAddress::v4(bytes));
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 address{};
      std::memcpy(&address, each->ifa_addr, sizeof address);
      std::array<std::uint8_t, 16> bytes;
      std::memcpy(bytes.data(), &address.sin6_addr, bytes.size());
      out.push_back(IpAddress::v6(bytes));
    }
  }
  return out;
}

}  // namespace

Result<OwnAddresses> OwnAddresses::find(const SocketAddress& listen) {
  OwnAddresses own;
  own.port_ = listen.port;
  own.any_ = listen.ip.is_unspecified();
  if (!own.any_) {
    own.addresses_ = {listen.ip};
    return own;
  }
  auto addresses = machine_addresses();
  if (!addresses) return tl::unexpected(std::move(addresses.error()));
  own.addresses_ = std::move(*addresses);
  return own;
}

bool OwnAddresses::contains(const SocketAddress& address) const {
  if (address.port != port_) return false;
  if (address.ip.is_unspecified() || (any_ && address.ip.is_loopback())) return true;
  return std::find(addresses_.begin(), addresses_.end(), address.ip) != addresses_.end();
}

bool is_forbidden_original_destination(const IpAddress& address) {
  // Metadata services that are not at a link-local address: Alibaba's, Azure's, Amazon's.
  static const std::array<IpAddress, 3> metadata{IpAddress::v4({100, 100, 100, 200}),
                                                 IpAddress::v4({168, 63, 129, 16}),
                                                 *IpAddress::parse("fd00:ec2::254")};
  if (std::find(metadata.begin(), metadata.end(), address) != metadata.end()) return true;
  const auto first = static_cast<unsigned char>(address.bytes()[0]);
  const bool multicast = address.is_v4() ? first >= 224 : first == 0xff;
  return address.is_loopback() || address.is_link_local() || address.is_unspecified() || multicast;
}

}  // namespace lazymesh::egress
