#include "mesh/types.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace lazymesh::mesh {
namespace {

template <class Enum, std::size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<Protocol, 5> kProtocols{{{Protocol::kTcp, "tcp"},
                                         {Protocol::kTls, "tls"},
                                         {Protocol::kHttp, "http"},
                                         {Protocol::kHttp2, "http2"},
                                         {Protocol::kGrpc, "grpc"}}};
constexpr Names<LazyMode, 3> kLazyModes{{{LazyMode::kDisabled, "disabled"},
                                         {LazyMode::kObserve, "observe"},
                                         {LazyMode::kEnabled, "enabled"}}};
constexpr Names<Reason, 4> kReasons{{{Reason::kLearned, "learned"},
                                     {Reason::kDeclared, "declared"},
                                     {Reason::kDerived, "derived"},
                                     {Reason::kImported, "imported"}}};

template <class Enum, std::size_t N>
std::string_view name_of(const Names<Enum, N>& names, Enum value) {
  for (const auto& [candidate, name] : names) {
    if (candidate == value) return name;
  }
  return "unknown";
}

template <class Enum, std::size_t N>
Result<Enum> value_of(const Names<Enum, N>& names, std::string_view text, std::string_view what) {
  std::string known;
  for (const auto& [value, name] : names) {
    if (name == text) return value;
    known.append(known.empty() ? "" : ", ").append(name);
  }
  return fail(Code::kInvalidArgument,
              "'" + std::string(text) + "' is no " + std::string(what) + "; there are " + known);
}

}  // namespace

bool is_http(Protocol protocol) {
  return protocol == Protocol::kHttp || protocol == Protocol::kHttp2 || protocol == Protocol::kGrpc;
}

std::string_view to_string(Protocol protocol) { return name_of(kProtocols, protocol); }
std::string_view to_string(LazyMode mode) { return name_of(kLazyModes, mode); }
std::string_view to_string(Reason reason) { return name_of(kReasons, reason); }

Result<Protocol> parse_protocol(std::string_view text) {
  return value_of(kProtocols, text, "protocol");
}
Result<LazyMode> parse_lazy_mode(std::string_view text) {
  return value_of(kLazyModes, text, "lazy mode");
}
Result<Reason> parse_reason(std::string_view text) { return value_of(kReasons, text, "reason"); }

bool Endpoint::operator==(const Endpoint& other) const {
  const bool same_locality =
      locality == other.locality || (locality && other.locality && *locality == *other.locality);
  return same_locality && address == other.address && service_port == other.service_port &&
         health == other.health && weight == other.weight;
}

const Port* Service::find_port(std::uint16_t number) const {
  const auto found = std::find_if(ports.begin(), ports.end(),
                                  [number](const Port& port) { return port.number == number; });
  return found == ports.end() ? nullptr : &*found;
}

bool Service::visible_from(std::string_view from_namespace) const {
  if (export_to.empty()) return true;
  return std::any_of(export_to.begin(), export_to.end(), [&](std::string_view to) {
    return to == "*" || to == from_namespace || (to == "." && from_namespace == namespace_);
  });
}

std::string WorkloadId::to_string() const { return namespace_ + "/" + name; }

Result<WorkloadId> WorkloadId::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == text.size() ||
      text.find('/', slash + 1) != std::string_view::npos) {
    return fail(Code::kInvalidArgument, "'" + std::string(text) + "' is not NAMESPACE/WORKLOAD");
  }
  return WorkloadId{std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
}

std::string cluster_name(std::string_view host, std::uint16_t port, std::string_view subset) {
  std::string name = "outbound|";
  name.append(std::to_string(port)).append("|").append(subset).append("|").append(host);
  return name;
}

ClusterName parse_cluster_name(std::string_view name) {
  constexpr std::string_view kPrefix = "outbound|";
  if (!name.starts_with(kPrefix)) return {};
  name.remove_prefix(kPrefix.size());
  const auto first = name.find('|');
  const auto second = first == std::string_view::npos ? first : name.find('|', first + 1);
  if (second == std::string_view::npos) return {};
  ClusterName parsed;
  const auto [end, error] = std::from_chars(name.data(), name.data() + first, parsed.port);
  if (error != std::errc() || end != name.data() + first) return {};
  parsed.subset = name.substr(first + 1, second - first - 1);
  parsed.host = name.substr(second + 1);
  return parsed;
}

}  // namespace lazymesh::mesh
