#include "egress/proxy_protocol.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

namespace lazymesh::egress {
namespace {

using State = ProxyHeaderResult::State;

constexpr std::string_view kSignature2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kSignature1 = "PROXY ";
constexpr std::size_t kFixed2 = 16;     // signature, version and command, family, length
constexpr std::size_t kMaxLine1 = 107;  // with its CRLF
constexpr ProxyHeaderResult kBad{State::kBad, 0, {}};
constexpr ProxyHeaderResult kIncomplete{};

bool is_prefix(std::string_view input, std::string_view whole) {
  const auto size = std::min(input.size(), whole.size());
  return input.substr(0, size) == whole.substr(0, size);
}

unsigned byte(std::string_view input, std::size_t at) {
  return static_cast<unsigned char>(input[at]);
}

std::uint16_t big_endian(std::string_view input, std::size_t at) {
  return static_cast<std::uint16_t>(byte(input, at) << 8U | byte(input, at + 1));
}

template <std::size_t Size>
std::array<std::uint8_t, Size> address(std::string_view input, std::size_t at) {
  std::array<std::uint8_t, Size> out;
  std::copy_n(input.begin() + static_cast<std::ptrdiff_t>(at), Size, out.begin());
  return out;
}

ProxyHeaderResult parse_v2(std::string_view input) {
  if (input.size() < kFixed2) return kIncomplete;
  const unsigned version = byte(input, 12) >> 4U;
  const unsigned command = byte(input, 12) & 15U;
  const unsigned family = byte(input, 13);
  const std::size_t length = kFixed2 + big_endian(input, 14);
  if (version != 2 || command > 1 || length > kMaxProxyHeader) return kBad;
  if (input.size() < length) return kIncomplete;
  ProxyHeaderResult result{State::kComplete, length, {}};
  const auto body = input.substr(kFixed2, length - kFixed2);
  if (command == 0) {  // LOCAL
    result.header.local = true;
  } else if (family == 0x11) {  // TCP over IPv4
    if (body.size() < 12) return kBad;
    result.header.source = {IpAddress::v4(address<4>(body, 0)), big_endian(body, 8)};
    result.header.destination = {IpAddress::v4(address<4>(body, 4)), big_endian(body, 10)};
  } else if (family == 0x21) {  // TCP over IPv6
    if (body.size() < 36) return kBad;
    result.header.source = {IpAddress::v6(address<16>(body, 0)), big_endian(body, 32)};
    result.header.destination = {IpAddress::v6(address<16>(body, 16)), big_endian(body, 34)};
  } else {
    result.header.local = true;
  }
  return result;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool whole = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
  return whole && !text.empty() ? std::optional(port) : std::nullopt;
}

/// Cuts the next word off `text`.
std::string_view word(std::string_view& text) {
  const auto space = text.find(' ');
  const auto out = text.substr(0, space);
  text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
  return out;
}

ProxyHeaderResult parse_v1(std::string_view input) {
  const auto end = input.substr(0, kMaxLine1).find("\r\n");
  if (end == std::string_view::npos) return input.size() >= kMaxLine1 ? kBad : kIncomplete;
  ProxyHeaderResult result{State::kComplete, end + 2, {}};
  auto line = input.substr(kSignature1.size(), end - kSignature1.size());
  const auto family = word(line);
  if (family == "UNKNOWN") {
    result.header.local = true;
    return result;
  }
  if (family != "TCP4" && family != "TCP6") return kBad;
  const auto source = IpAddress::parse(word(line));
  const auto destination = IpAddress::parse(word(line));
  const auto source_port = parse_port(word(line));
  const auto destination_port = parse_port(word(line));
  if (!source || !destination || !source_port || !destination_port || !line.empty()) return kBad;
  result.header.source = {*source, *source_port};
  result.header.destination = {*destination, *destination_port};
  return result;
}

}  // namespace

ProxyHeaderResult parse_proxy_header(std::string_view input) {
  if (input.empty()) return kIncomplete;
  if (is_prefix(input, kSignature2)) return parse_v2(input);
  if (is_prefix(input, kSignature1)) return parse_v1(input);
  return kBad;
}

}  // namespace lazymesh::egress
