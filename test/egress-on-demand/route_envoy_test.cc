// Holds a real Envoy, where LAZYMESH_ENVOY names one, to the same table as RouteTable.

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <set>

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

#include "test/egress-on-demand/route_cases.h"
#include "test/sidecar/real_envoy.h"
#include "test/sidecar/sockets.h"

namespace lazymesh::test {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using envoy::config::route::v3::RouteConfiguration;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

constexpr std::string_view kExpectedTimeout = "x-envoy-expected-rq-timeout-ms";

using Headers = std::vector<std::pair<std::string, std::string>>;

// The start line and the headers, names in lower case.
struct Head {
  std::string start;
  Headers headers;

  explicit Head(std::string text) {
    std::size_t from = 0;
    for (std::size_t end; (end = text.find("\r\n", from)) != std::string::npos && end > from;
         from = end + 2) {
      const auto line = text.substr(from, end - from);
      if (from == 0) {
        start = line;
        continue;
      }
      const auto colon = line.find(':');
      auto name = line.substr(0, colon);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      auto value = line.substr(colon + 1);
      value.erase(0, value.find_first_not_of(' '));
      headers.emplace_back(std::move(name), std::move(value));
    }
  }

  std::string find(std::string_view wanted) const {
    for (const auto& [name, value] : headers) {
      if (name == wanted) return value;
    }
    return "";
  }
  std::string list(const std::string& prefix, const std::string& before) const {
    auto sorted = headers;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string text;
    for (const auto& [name, value] : sorted) {
      if (name.starts_with(prefix)) text.append(before).append(name).append("=").append(value);
    }
    return text;
  }
};

void collect_clusters(const RouteConfiguration& configuration, std::set<std::string>& names) {
  for (const auto& host : configuration.virtual_hosts()) {
    for (const auto& route : host.routes()) {
      if (!route.route().cluster().empty()) names.insert(route.route().cluster());
      for (const auto& each : route.route().weighted_clusters().clusters()) {
        names.insert(each.name());
      }
    }
  }
}

// One Envoy with a listener for each case and an origin for each cluster.
class EnvoyWithCases {
 public:
  explicit EnvoyWithCases(const std::string& program) {
    std::string folder = std::filesystem::temp_directory_path() / "lazymesh-routes-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("mkdtemp " + folder);
    folder_ = folder;
    Bootstrap bootstrap;
    auto& admin = *bootstrap.mutable_admin()->mutable_address()->mutable_socket_address();
    admin.set_address("127.0.0.1");
    admin.set_port_value(0);
    std::set<std::string> clusters;
    for (const auto& each : route_cases()) add_listener(each, clusters, bootstrap);
    for (const auto& name : clusters) add_cluster(name, bootstrap);
    std::string json;
    if (!google::protobuf::util::MessageToJsonString(bootstrap, &json).ok()) std::abort();
    envoy_ = std::make_unique<RealEnvoy>(program, json);
    EXPECT_TRUE(eventually([&] { return envoy_->ready(); })) << envoy_->log();
  }
  ~EnvoyWithCases() {
    envoy_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string outcome(const std::string& name, const RouteRequest& request) {
    std::map<std::string, std::size_t> before;
    for (const auto& [cluster, origin] : origins_) before[cluster] = origin->heads().size();
    auto connection = connect(name);
    std::string text = request.method + " " + request.path +
                       " HTTP/1.1\r\nHost: " + request.authority + "\r\nConnection: close\r\n";
    if (request.method != "GET") text += "Content-Length: 0\r\n";
    for (const auto& [key, value] : request.headers) text += key + ": " + value + "\r\n";
    connection.write(text + "\r\n");
    const Head response(connection.read_until("\r\n\r\n"));
    const auto status = response.start.substr(9, 3);
    std::string result;
    for (const auto& [cluster, origin] : origins_) {
      const auto heads = origin->heads();
      if (heads.size() > before[cluster]) {
        EXPECT_TRUE(result.empty()) << "two requests upstream";
        result = forwarded(cluster, Head(heads.back()), request);
      }
    }
    if (result.empty()) {
      if (status == "404") return "404";
      const auto location = response.find("location");
      const auto length = response.find("content-length");
      const auto body = length.empty() ? "" : connection.read(std::stoul(length));
      result = status + " " + (location.empty() ? body : "-> " + location);
    }
    result += response.list("x-r", " <");
    const auto plain = result.find(" <x-r-up=1");
    return plain == std::string::npos ? result : result.erase(plain, 10);
  }

 private:
  void add_listener(const RouteCase& each, std::set<std::string>& clusters, Bootstrap& bootstrap) {
    RouteConfiguration configuration;
    const auto parsed =
        google::protobuf::util::JsonStringToMessage(each.configuration, &configuration);
    EXPECT_TRUE(parsed.ok()) << parsed;
    collect_clusters(configuration, clusters);
    HttpConnectionManager manager;
    manager.set_stat_prefix(each.name);
    *manager.mutable_route_config() = configuration;
    auto& router = *manager.add_http_filters();
    router.set_name("router");
    router.mutable_typed_config()->PackFrom(envoy::extensions::filters::http::router::v3::Router());
    auto& listener = *bootstrap.mutable_static_resources()->add_listeners();
    listener.set_name(each.name);
    listener.mutable_address()->mutable_pipe()->set_path(folder_ + "/" + each.name);
    auto& filter = *listener.add_filter_chains()->add_filters();
    filter.set_name("http");
    filter.mutable_typed_config()->PackFrom(manager);
  }

  void add_cluster(const std::string& name, Bootstrap& bootstrap) {
    auto& origin = origins_[name];
    origin = std::make_unique<Origin>("HTTP/1.1 200 OK\r\nx-r-up: 1\r\nContent-Length: 0\r\n\r\n");
    auto& cluster = *bootstrap.mutable_static_resources()->add_clusters();
    cluster.set_name(name);
    cluster.mutable_load_assignment()->set_cluster_name(name);
    auto& socket = *cluster.mutable_load_assignment()
                        ->add_endpoints()
                        ->add_lb_endpoints()
                        ->mutable_endpoint()
                        ->mutable_address()
                        ->mutable_socket_address();
    socket.set_address(origin->address().ip.to_string());
    socket.set_port_value(origin->address().port);
  }

  Connection connect(const std::string& name) const {
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = folder_ + "/" + name;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(::connect(fd.get(), generic, sizeof(address)), 0) << path;
    return Connection(std::move(fd));
  }

  static std::string forwarded(const std::string& cluster, const Head& head,
                               const RouteRequest& request) {
    const auto begin = head.start.find(' ') + 1;
    std::string text = cluster + " " + head.start.substr(begin, head.start.rfind(' ') - begin);
    if (const auto host = head.find("host"); host != request.authority) text += " host=" + host;
    const auto timeout = head.find(kExpectedTimeout);
    if (timeout != "15000") text += " timeout=" + (timeout.empty() ? "0" : timeout);
    return text + head.list("x-t", " ");
  }

  std::string folder_;
  std::map<std::string, std::unique_ptr<Origin>> origins_;
  std::unique_ptr<RealEnvoy> envoy_;
};

TEST(RealEnvoyRoutes, AreTheTableOfCases) {
  const auto program = envoy_program();
  if (!program) GTEST_SKIP();
  EnvoyWithCases envoy(*program);
  for (const auto& each : route_cases()) {
    for (const auto& request : each.requests) {
      EXPECT_EQ(envoy.outcome(each.name, request), request.outcome)
          << each.name << ": " << request.method << " " << request.authority << request.path;
    }
  }
}

}  // namespace
}  // namespace lazymesh::test
