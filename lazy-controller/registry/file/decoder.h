#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "lazy-controller/registry/file/yaml_stream.h"
#include "mesh/types.h"

namespace lazymesh::registry {

/// Turns values of a document into ours. A value of the wrong type or outside its range becomes a
/// problem, and a default is returned.
class Decoder {
 public:
  explicit Decoder(Problems& problems) : problems_(problems) {}

  Problems& problems() { return problems_; }
  void refuse(const Value& value, std::string reason) { problems_.add(value, std::move(reason)); }

  /// Any scalar, but not the empty one.
  std::string_view text(const Value& value);
  /// RFC 1123, 2.1: one label of lower-case letters, digits and inner hyphens.
  std::string label(const Value& value);
  /// Labels (underscores allowed) joined by dots, at most 253 characters, no trailing dot.
  std::string dns_name(const Value& value);
  std::uint32_t number(const Value& value, std::uint32_t min, std::uint32_t max,
                       std::string_view what);
  std::uint16_t port(const Value& value);
  bool boolean(const Value& value);
  /// A unicast address.
  IpAddress address(const Value& value);
  SocketAddress socket_address(const Value& value);
  std::vector<IpAddress> addresses(const Value& value);
  mesh::Labels labels(const Value& value);
  /// One object for each content.
  std::shared_ptr<const mesh::Locality> locality(const Value& value);

  /// By one of the parse functions of mesh/types.h.
  template <class T>
  T choice(const Value& value, Result<T> (*parse)(std::string_view)) {
    const auto parsed = parse(text(value));
    if (parsed) return *parsed;
    refuse(value, parsed.error().message);
    return {};
  }

  /// `add(element)` for each element of a list.
  template <std::invocable<Value> Add>
  void list(const Value& value, Add add) {
    if (!value.is_list()) return refuse(value, "must be a list");
    for (const Value element : value.elements()) add(element);
  }

 private:
  void check_unicast(const Value& value, const IpAddress& address);

  Problems& problems_;
  std::map<std::string, std::shared_ptr<const mesh::Locality>, std::less<>> localities_;
};

/// A key of a mapping that becomes a T.
template <class T>
struct Field {
  std::string_view name;
  bool required;
  void (*read)(Decoder& decoder, const Value& value, T& out);
};

/// Which of `known` the keys of a mapping are: refuses what is no mapping, unknown keys (naming the
/// known ones) and keys that are there twice. `on_entry` gets each value with its key's number.
void match_keys(Decoder& decoder, const Value& value, std::span<const std::string_view> known,
                const std::function<void(std::size_t, const Value&)>& on_entry);

/// Read a mapping by the table of its keys.
template <class T, std::size_t N>
void read_mapping(Decoder& decoder, const Value& value, const Field<T> (&fields)[N], T& out) {
  std::array<std::string_view, N> known;
  for (std::size_t i = 0; i < N; ++i) known[i] = fields[i].name;
  std::array<bool, N> there{};
  match_keys(decoder, value, known, [&](std::size_t number, const Value& entry) {
    there[number] = true;
    fields[number].read(decoder, entry, out);
  });
  for (std::size_t i = 0; i < N; ++i) {
    if (fields[i].required && !there[i]) {
      decoder.refuse(value, std::string(fields[i].name) + " is missing");
    }
  }
}

}  // namespace lazymesh::registry
