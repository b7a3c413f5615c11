#include "lazy-controller/registry/file/decoder.h"

#include <algorithm>
#include <charconv>

namespace lazymesh::registry {
namespace {

constexpr std::size_t kMaxLabel = 63;     // RFC 1035, 2.3.4
constexpr std::size_t kMaxDnsName = 253;  // the same, as text

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_label(std::string_view text, std::string_view also = {}) {
  if (text.empty() || text.size() > kMaxLabel || text.front() == '-' || text.back() == '-') {
    return false;
  }
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_alphanumeric(c) || c == '-' || also.find(c) != std::string_view::npos;
  });
}

bool is_dns_name(std::string_view text) {
  if (text.size() > kMaxDnsName) return false;
  while (true) {
    const auto dot = text.find('.');
    if (!is_label(text.substr(0, dot), "_")) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 80;
  std::string result = "'";
  result.append(text.substr(0, kShown)).append(text.size() > kShown ? "…'" : "'");
  return result;
}

}  // namespace

std::string_view Decoder::text(const Value& value) {
  if (!value.is_scalar()) {
    refuse(value, "must be text");
  } else if (value.text().empty()) {
    refuse(value, "must not be empty");
  }
  return value.text();
}

std::string Decoder::label(const Value& value) {
  const auto name = text(value);
  if (!is_label(name)) {
    refuse(value, quoted(name) +
                      " is not a name of lower-case letters, digits and hyphens (at most "
                      "63)");
  }
  return std::string(name);
}

std::string Decoder::dns_name(const Value& value) {
  const auto name = text(value);
  if (!is_dns_name(name)) {
    refuse(value, quoted(name) + " is not a DNS name in lower case without a trailing dot");
  }
  return std::string(name);
}

std::uint32_t Decoder::number(const Value& value, std::uint32_t min, std::uint32_t max,
                              std::string_view what) {
  const auto digits = text(value);
  std::uint32_t parsed = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed);
  const bool is_number = error == std::errc() && end == digits.data() + digits.size();
  if (value.kind() == Part::Kind::kQuoted && is_number) {
    refuse(value, quoted(digits) + " is text, not a number; leave out the quotes");
  } else if (!is_number || parsed < min || parsed > max) {
    std::string reason(value.kind() == Part::Kind::kPlain ? std::string(digits) : quoted(digits));
    reason.append(" is not ").append(what).append(" (").append(std::to_string(min));
    refuse(value, reason.append(" to ").append(std::to_string(max)).append(")"));
  }
  return parsed;
}

std::uint16_t Decoder::port(const Value& value) {
  return static_cast<std::uint16_t>(number(value, 1, 65535, "a port"));
}

bool Decoder::boolean(const Value& value) {
  const auto word = text(value);
  if (value.kind() == Part::Kind::kQuoted || (word != "true" && word != "false")) {
    refuse(value, quoted(word) + " is not true or false");
  }
  return word == "true";
}

void Decoder::check_unicast(const Value& value, const IpAddress& address) {
  if (address.is_unspecified()) refuse(value, address.to_string() + " is no host's address");
}

IpAddress Decoder::address(const Value& value) {
  const auto parsed = IpAddress::parse(text(value));
  if (!parsed) {
    refuse(value, parsed.error().message);
    return {};
  }
  check_unicast(value, *parsed);
  return *parsed;
}

SocketAddress Decoder::socket_address(const Value& value) {
  const auto parsed = SocketAddress::parse(text(value));
  if (!parsed) {
    refuse(value, parsed.error().message);
    return {};
  }
  check_unicast(value, parsed->ip);
  if (parsed->port == 0) refuse(value, "0 is not a port (1 to 65535)");
  return *parsed;
}

std::vector<IpAddress> Decoder::addresses(const Value& value) {
  std::vector<IpAddress> result;
  result.reserve(value.size());
  list(value, [&](const Value& element) { result.push_back(address(element)); });
  return result;
}

mesh::Labels Decoder::labels(const Value& value) {
  mesh::Labels result;
  if (!value.is_mapping()) {
    refuse(value, "must be a mapping of text to text");
    return result;
  }
  for (const auto& [key, entry] : value.entries()) {
    if (!entry.is_scalar()) refuse(entry, "must be text");
    if (!result.emplace(key.text(), entry.text()).second) refuse(key, "is there twice");
    if (key.text() == mesh::kLazyLabel) choice(entry, mesh::parse_lazy_mode);
  }
  return result;
}

std::shared_ptr<const mesh::Locality> Decoder::locality(const Value& value) {
  const auto whole = text(value);
  if (const auto known = localities_.find(whole); known != localities_.end()) return known->second;
  const auto first = whole.find('/');
  const auto second = first == std::string_view::npos ? first : whole.find('/', first + 1);
  mesh::Locality locality;
  locality.region = whole.substr(0, first);
  if (first != std::string_view::npos) {
    locality.zone = whole.substr(first + 1, second - first - 1);
  }
  if (second != std::string_view::npos) locality.sub_zone = whole.substr(second + 1);
  if (locality.region.empty() || locality.sub_zone.find('/') != std::string::npos) {
    refuse(value, quoted(whole) + " is not REGION, REGION/ZONE or REGION/ZONE/SUBZONE");
  }
  auto shared = std::make_shared<const mesh::Locality>(std::move(locality));
  localities_.emplace(whole, shared);
  return shared;
}

void match_keys(Decoder& decoder, const Value& value, std::span<const std::string_view> known,
                const std::function<void(std::size_t, const Value&)>& on_entry) {
  if (!value.is_mapping()) return decoder.refuse(value, "must be a mapping");
  std::uint64_t seen = 0;  // a bit a key; no mapping of ours has as many
  for (const auto& [key, entry] : value.entries()) {
    const auto found = std::find(known.begin(), known.end(), key.text());
    if (found == known.end()) {
      std::string names;
      for (const auto name : known) names.append(names.empty() ? "" : ", ").append(name);
      return decoder.refuse(key, "unknown key; there are " + names);
    }
    const auto number = static_cast<std::size_t>(found - known.begin());
    if ((seen >> number & 1U) != 0) return decoder.refuse(key, "is there twice");
    seen |= std::uint64_t{1} << number;
    on_entry(number, entry);
  }
}

}  // namespace lazymesh::registry
