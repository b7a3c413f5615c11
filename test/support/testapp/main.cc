// lazymesh-testapp: what stands in for applications in the lab: a server that says what it saw, and
// a client that counts what happened.
#include <csignal>
#include <cstdio>
#include <iostream>
#include <optional>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "test/support/testapp/load.h"
#include "test/support/testapp/server.h"

namespace {

using lazymesh::SocketAddress;

SocketAddress address(const std::string& text) {
  const auto parsed = SocketAddress::parse(text);
  if (!parsed) throw CLI::ValidationError(parsed.error().message);
  return *parsed;
}

std::vector<SocketAddress> addresses(const std::vector<std::string>& texts) {
  std::vector<SocketAddress> all;
  for (const auto& text : texts) all.push_back(address(text));
  return all;
}

// "HOST=ADDRESS:PORT"
std::pair<std::string, SocketAddress> target(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) throw CLI::ValidationError(text + ": not HOST=ADDRESS:PORT");
  return {text.substr(0, equals), address(text.substr(equals + 1))};
}

struct Arguments {
  lazymesh::testapp::ServerOptions server;
  lazymesh::testapp::LoadOptions load;
  std::vector<std::string> http, echo, banner, calls, targets;
  long duration_ms = 0, ramp_ms = 0, timeout_ms = 5000;
};

void add_serve(CLI::App& app, Arguments& arguments) {
  auto* serve = app.add_subcommand("serve", "answer with what was seen");
  serve->add_option("--name", arguments.server.name)->required();
  serve->add_option("--http", arguments.http, "ADDRESS:PORT, HTTP/1.1");
  serve->add_option("--echo", arguments.echo, "ADDRESS:PORT, TCP, the client speaks first");
  serve->add_option("--banner", arguments.banner, "ADDRESS:PORT, TCP, the server speaks first");
  serve->add_option("--call", arguments.calls, "HOST=ADDRESS:PORT, called by /tree");
  serve->add_flag("--behind-sidecar", arguments.server.behind_sidecar,
                  "the peer is the last element of x-forwarded-for");
}

void add_load(CLI::App& app, Arguments& arguments) {
  auto* load = app.add_subcommand("load", "send requests and count");
  load->add_option("--target", arguments.targets, "HOST=ADDRESS:PORT")->required();
  load->add_option("--path", arguments.load.path);
  load->add_option("--connections", arguments.load.connections, "kept-alive connections a target");
  load->add_option("--rate", arguments.load.rate, "requests a second, a connection; 0: no limit");
  load->add_option("--requests", arguments.load.requests, "in all; 0: no limit");
  load->add_option("--duration-ms", arguments.duration_ms, "0: until SIGINT or SIGTERM");
  load->add_option("--ramp-ms", arguments.ramp_ms,
                   "each target begins so much later than the one before");
  load->add_option("--timeout-ms", arguments.timeout_ms, "of one request");
}

int run_server(Arguments& arguments) {
  arguments.server.http = addresses(arguments.http);
  arguments.server.echo = addresses(arguments.echo);
  arguments.server.banner = addresses(arguments.banner);
  for (const auto& text : arguments.calls) {
    auto [host, where] = target(text);
    arguments.server.calls.push_back({host, where});
  }
  boost::asio::io_context context(1);
  boost::asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&context](const boost::system::error_code&, int) { context.stop(); });
  if (const auto serving = lazymesh::testapp::serve(context, arguments.server); !serving) {
    std::cerr << "lazymesh-testapp: " << serving.error().message << "\n";
    return 1;
  }
  std::cout << "serving" << std::endl;
  context.run();
  return 0;
}

int run_load(Arguments& arguments) {
  for (const auto& text : arguments.targets) {
    auto [host, where] = target(text);
    arguments.load.targets.push_back({host, where});
  }
  arguments.load.duration = std::chrono::milliseconds(arguments.duration_ms);
  arguments.load.ramp = std::chrono::milliseconds(arguments.ramp_ms);
  arguments.load.timeout = std::chrono::milliseconds(arguments.timeout_ms);
  std::cout << lazymesh::testapp::load(arguments.load) << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"An application for the lab"};
  app.require_subcommand(1);
  Arguments arguments;
  add_serve(app, arguments);
  add_load(app, arguments);
  try {
    app.parse(argc, argv);
    return app.got_subcommand("serve") ? run_server(arguments) : run_load(arguments);
  } catch (const CLI::Error& error) {
    return app.exit(error);
  }
}
