// lazymesh-controller: parses its command line, wires the controller and runs its one control
// thread.
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <spdlog/spdlog.h>

#include "base/addresses_file.h"
#include "base/clock.h"
#include "base/file_limit.h"
#include "base/heap.h"
#include "base/log.h"
#include "lazy-controller/controller.h"
#include "proto/grpc_log.h"

namespace {

using namespace lazymesh;

constexpr int kExitUsage = 2;

struct Arguments {
  std::string grpc = "127.0.0.1:15010";
  std::string admin = "127.0.0.1:15014";
  std::string log_level = "info";
  std::string addresses_file;
  ControllerConfig config;
};

int fail_with(const std::string& message, int status) {
  std::fprintf(stderr, "lazymesh-controller: %s\n", message.c_str());
  return status;
}

int serve(const Arguments& arguments) {
  raise_file_limit();
  boost::asio::io_context control(1);
  auto controller = Controller::build(control, system_clock(), arguments.config);
  if (!controller) return fail_with(controller.error().message, 1);
  const auto addresses = (*controller)->addresses();
  spdlog::info("controller: serving xDS on {}, admin on http://{}", addresses.grpc.to_string(),
               addresses.admin.to_string());
  if (!arguments.addresses_file.empty()) {
    const auto written = write_addresses_file(
        arguments.addresses_file, {{"grpc", addresses.grpc}, {"admin", addresses.admin}});
    if (!written) {
      (*controller)->stop();
      control.run();
      return fail_with(written.error().message, 1);
    }
  }
  boost::asio::signal_set signals(control, SIGINT, SIGTERM);
  signals.async_wait([&](boost::system::error_code error, int signal) {
    if (error) return;
    spdlog::info("controller: signal {}, stopping", signal);
    (*controller)->stop();
  });
  control.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  keep_heap_small();
  Arguments arguments;
  CLI::App app{"The lazy controller of Lazymesh: tells each sidecar only what its workload needs."};
  app.add_option("--mesh", arguments.config.mesh_file, "The mesh file (YAML), watched for changes")
      ->required();
  app.add_option("--store", arguments.config.store_file,
                 "SQLite file for what is learned; made if it is not there")
      ->required();
  app.add_option("--grpc", arguments.grpc, "Address of xDS, resolver and access log service")
      ->capture_default_str();
  app.add_option("--admin", arguments.admin,
                 "Address of /readyz, /metrics, /sidecars, /dependencies")
      ->capture_default_str();
  app.add_option("--log-level", arguments.log_level, "trace, debug, info, warning or error")
      ->capture_default_str();
  app.add_option("--addresses-file", arguments.addresses_file,
                 "Write the addresses as bound here, as JSON, when serving begins");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return fail_with(std::string(error.what()) + "; --help lists the flags", kExitUsage);
  }
  if (auto logging = init_logging(arguments.log_level); !logging) {
    return fail_with("--log-level: " + logging.error().message, kExitUsage);
  }
  adopt_grpc_log();
  for (const auto& [flag, text, address] :
       {std::tuple{"--grpc", &arguments.grpc, &arguments.config.grpc},
        std::tuple{"--admin", &arguments.admin, &arguments.config.admin}}) {
    auto parsed = SocketAddress::parse(*text);
    if (!parsed) return fail_with(std::string(flag) + ": " + parsed.error().message, kExitUsage);
    *address = *parsed;
  }
  return serve(arguments);
}
