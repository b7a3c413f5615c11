#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>
#include <prometheus/registry.h>
#include <spdlog/spdlog.h>

#include "als/sender.h"
#include "base/addresses_file.h"
#include "base/file_limit.h"
#include "base/log.h"
#include "egress/egress.h"
#include "egress/on_demand/client.h"

namespace {

using namespace lazymesh;

struct Arguments {
  std::string listen = "0.0.0.0:15080";
  std::string controller = "127.0.0.1:15010";
  std::string admin = "127.0.0.1:15021";
  unsigned threads = std::max(1U, std::thread::hardware_concurrency());
  std::string bind_upstream;
  std::string node_id;
  std::string log_level = "info";
  std::string addresses_file;
  double drain_seconds = 5;
};

void define(CLI::App& app, Arguments& arguments) {
  app.add_option("--listen", arguments.listen, "ADDRESS:PORT for the sidecars' connections")
      ->capture_default_str();
  app.add_option("--controller", arguments.controller, "HOST:PORT of the controller's gRPC")
      ->capture_default_str();
  app.add_option("--admin", arguments.admin, "ADDRESS:PORT of the admin listener")
      ->capture_default_str();
  app.add_option("--threads", arguments.threads, "event loops; default: one a core")
      ->check(CLI::Range(1, 256));
  app.add_option("--bind-upstream", arguments.bind_upstream,
                 "ADDRESS that connections to destinations come from");
  app.add_option("--node-id", arguments.node_id,
                 "xDS node id; default: egress~ADDRESS~egress.lazymesh~lazymesh.svc.cluster.local");
  app.add_option("--drain", arguments.drain_seconds,
                 "SECONDS that connections may go on after SIGTERM")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  app.add_option("--log-level", arguments.log_level, "trace, debug, info, warning or error")
      ->capture_default_str();
  app.add_option("--addresses-file", arguments.addresses_file,
                 "FILE that gets the addresses as bound, as JSON, when serving begins");
}

Result<egress::Config> to_config(const Arguments& arguments) {
  egress::Config config;
  auto listen = SocketAddress::parse(arguments.listen);
  if (!listen) return tl::unexpected(std::move(listen.error()).within("--listen"));
  auto admin = SocketAddress::parse(arguments.admin);
  if (!admin) return tl::unexpected(std::move(admin.error()).within("--admin"));
  config.listen = *listen;
  config.admin = *admin;
  config.threads = arguments.threads;
  config.drain = std::chrono::milliseconds(static_cast<long>(arguments.drain_seconds * 1000));
  config.handle_signals = true;
  if (!arguments.bind_upstream.empty()) {
    auto from = IpAddress::parse(arguments.bind_upstream);
    if (!from) return tl::unexpected(std::move(from.error()).within("--bind-upstream"));
    config.bind_upstream = *from;
  }
  return config;
}

std::string node_id(const Arguments& arguments, const egress::Config& config) {
  if (!arguments.node_id.empty()) return arguments.node_id;
  const auto& address = config.bind_upstream ? *config.bind_upstream : config.listen.ip;
  return "egress~" + address.to_string() + "~egress.lazymesh~lazymesh.svc.cluster.local";
}

Result<void> serve(const Arguments& arguments) {
  if (auto log = init_logging(arguments.log_level); !log) return log;
  auto config = to_config(arguments);
  if (!config) return tl::unexpected(std::move(config.error()));
  raise_file_limit();
  const auto& clock = system_clock();
  Readiness readiness;
  prometheus::Registry metrics;
  const auto id = node_id(arguments, *config);
  egress::OnDemandOptions on_demand;
  on_demand.controller = arguments.controller;
  on_demand.node_id = id;
  als::Sender::Options access_log;
  access_log.target = arguments.controller;
  access_log.node_id = id;
  egress::Edges edges{clock,
                      readiness,
                      metrics,
                      egress::make_on_demand(on_demand, clock, readiness, metrics),
                      als::Sender::make(access_log, clock, metrics),
                      egress::on_demand_state_json};
  auto program = egress::Egress::build(*config, std::move(edges));
  if (!program) return tl::unexpected(std::move(program.error()));
  if (!arguments.addresses_file.empty()) {
    const auto addresses = (*program)->addresses();
    auto written = write_addresses_file(arguments.addresses_file,
                                        {{"listen", addresses.listen}, {"admin", addresses.admin}});
    if (!written) return written;
  }
  (*program)->run();
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("The shared proxy that carries the first requests of a lazy mesh.",
               "lazymesh-egress");
  define(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "lazymesh-egress: %s (see --help)\n", error.what());
    return 2;
  }
  const auto served = serve(arguments);
  if (served) return 0;
  std::fprintf(stderr, "lazymesh-egress: %s\n", served.error().message.c_str());
  return served.error().code == Code::kInvalidArgument ? 2 : 1;
}
