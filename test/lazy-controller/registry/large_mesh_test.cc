#include <fstream>

#include <gtest/gtest.h>
#include <malloc.h>

#include "lazy-controller/registry/file/loader.h"

namespace lazymesh::registry {
namespace {

std::string address(int first, int number) {
  return std::to_string(first) + "." + std::to_string(number / 65536) + "." +
         std::to_string(number / 256 % 256) + "." + std::to_string(number % 256);
}

std::string mesh_of(int services) {
  std::string yaml = "namespaces:\n";
  for (int i = 0; i < 20; ++i) yaml += "- name: ns" + std::to_string(i) + "\n";
  yaml += "services:\n";
  for (int i = 0; i < services; ++i) {
    const std::string ns = "ns" + std::to_string(i % 20);
    yaml += "- host: service-" + std::to_string(i) + "." + ns +
            ".svc.cluster.local\n  namespace: " + ns + "\n  vips: [" + address(10, i + 1) +
            "]\n  ports: [{number: 80, protocol: http}]\n" + "  endpoints:\n";
    for (int e = 0; e < 3; ++e) {
      yaml += "  - {address: " + address(11, 3 * i + e) + ", port: 80, locality: r/z" +
              std::to_string(e) + "}\n";
    }
  }
  return yaml;
}

[[maybe_unused]] long peak_rss_kib() {  // not where a sanitizer multiplies it
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
  }
  return 0;
}

TEST(LargeMesh, TenThousandServicesLoadAndReloadShared) {
  const std::string yaml = mesh_of(10'000);
  const auto first = load_mesh(yaml, "mesh.yaml", *mesh::Registry::empty());
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ((*first)->services().size(), 10'000U);
  EXPECT_TRUE((*first)->find_endpoint(*SocketAddress::parse("11.0.117.47:80")));
  const auto second = load_mesh(yaml, "mesh.yaml", **first);
  ASSERT_TRUE(second);
  EXPECT_EQ((*first)->services(), (*second)->services());
}

#if !defined(__SANITIZE_ADDRESS__)  // which keeps what is freed
TEST(LargeMesh, LoadingNeedsLittleMemoryBesideTheRegistry) {
  const std::string yaml = mesh_of(10'000);
  {
    std::ofstream reset("/proc/self/clear_refs");
    reset << "5";  // VmHWM begins anew (proc(5))
  }
  const auto before = mallinfo2().uordblks;
  const auto rss_before = peak_rss_kib();
  const auto loaded = load_mesh(yaml, "mesh.yaml", *mesh::Registry::empty());
  ASSERT_TRUE(loaded);
  const auto registry_kib = static_cast<long>((mallinfo2().uordblks - before) / 1024);
  const auto needed_kib = peak_rss_kib() - rss_before;
  EXPECT_LT(registry_kib, 12'000);
  EXPECT_LT(needed_kib, registry_kib + 25'000);
}
#endif

}  // namespace
}  // namespace lazymesh::registry
