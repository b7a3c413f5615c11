// Requests as the network may bring them, against all route configurations of the tests: authority,
// path and header, one a line.

#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include <google/protobuf/util/json_util.h>

#include "envoy/config/route/v3/route.pb.h"

#include "egress/on_demand/routing.h"
#include "test/egress-on-demand/route_cases.h"

namespace {

using lazymesh::egress::RequestView;
using lazymesh::egress::RouteTable;

std::vector<std::shared_ptr<const RouteTable>> compile_all() {
  std::vector<std::shared_ptr<const RouteTable>> tables;
  for (const auto& each : lazymesh::test::route_cases()) {
    envoy::config::route::v3::RouteConfiguration configuration;
    std::vector<std::string> unsupported;
    if (!google::protobuf::util::JsonStringToMessage(each.configuration, &configuration).ok()) {
      std::abort();
    }
    tables.push_back(*RouteTable::compile(configuration, unsupported));
  }
  return tables;
}

std::string_view next_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  const auto line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto tables = compile_all();
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto authority = next_line(text);
  const auto path = next_line(text);
  const auto header = text;
  const RequestView request{"GET", authority, path,
                            [&](std::string_view) { return std::optional<std::string>(header); }};
  for (const auto& table : tables) {
    const auto decision = table->match(request, size);
    if (!decision) continue;
    if (decision->cluster.empty() != decision->status.has_value()) std::abort();
    if (decision->status && !decision->location.empty() &&
        decision->location.find("://") == std::string::npos) {
      std::abort();
    }
  }
  return 0;
}
