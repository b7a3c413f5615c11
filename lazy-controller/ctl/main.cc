// lazymeshctl: the operator's command.
#include <cstdio>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

#include "lazy-controller/registry/file/file_content.h"
#include "lazy-controller/registry/file/loader.h"
#include "sidecar/configuration.h"

namespace {

using namespace lazymesh;

constexpr int kExitUsage = 2;

struct BootstrapArguments {
  std::string workload;
  std::string mesh_file = "mesh.yaml";
  std::string controller = "127.0.0.1:15010";
  std::string envoy_admin = "127.0.0.1:15000";
  bool sotw = false;
};

Result<std::string> bootstrap(const BootstrapArguments& arguments) {
  const auto id = mesh::WorkloadId::parse(arguments.workload);
  if (!id) return tl::unexpected(id.error());
  const auto controller = SocketAddress::parse(arguments.controller);
  if (!controller) return tl::unexpected(Error(controller.error()).within("--controller"));
  const auto admin = SocketAddress::parse(arguments.envoy_admin);
  if (!admin) return tl::unexpected(Error(admin.error()).within("--envoy-admin"));
  const auto content = registry::read_file(arguments.mesh_file, registry::kMaxMeshFileBytes);
  if (!content) return tl::unexpected(Error(content.error()).within("--mesh"));
  const auto registry =
      registry::load_mesh(*content, arguments.mesh_file, *mesh::Registry::empty());
  if (!registry) return tl::unexpected(registry.error());
  const auto workload = (*registry)->find_workload(*id);
  if (!workload) {
    return fail(Code::kNotFound, arguments.mesh_file + " has no workload " + arguments.workload);
  }
  return sidecar::bootstrap(**registry, *workload, {*controller, *admin, !arguments.sotw});
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Operate a Lazymesh."};
  app.require_subcommand(1);
  BootstrapArguments arguments;
  auto* command =
      app.add_subcommand("bootstrap", "Print the Envoy bootstrap of a workload's sidecar");
  command->add_option("workload", arguments.workload, "NAMESPACE/WORKLOAD")->required();
  command->add_option("--mesh", arguments.mesh_file, "The mesh file")
      ->envname("LAZYMESH_MESH")
      ->capture_default_str();
  command->add_option("--controller", arguments.controller, "The controller's gRPC address")
      ->capture_default_str();
  command->add_option("--envoy-admin", arguments.envoy_admin, "Where Envoy's own admin listens")
      ->capture_default_str();
  command->add_flag("--sotw", arguments.sotw, "State-of-the-world xDS instead of delta");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "lazymeshctl: %s; --help lists the flags\n", error.what());
    return kExitUsage;
  }
  const auto printed = bootstrap(arguments);
  if (!printed) {
    std::fprintf(stderr, "lazymeshctl: %s\n", printed.error().message.c_str());
    return 1;
  }
  std::cout << *printed << '\n';
  return 0;
}
