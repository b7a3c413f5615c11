#include <map>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "mesh/registry.h"

namespace lazymesh::mesh {
namespace {

const std::vector<std::string> kNamespaces{"io", "shop", "svc"};

// Hosts from so few words that clashes are common.
rc::Gen<std::string> any_host() {
  const auto word = rc::gen::element<std::string>("web", "io", "shop", "svc");
  const auto in_cluster =
      rc::gen::apply([](const std::string& name,
                        const std::string& ns) { return name + "." + ns + ".svc.cluster.local"; },
                     word, rc::gen::elementOf(kNamespaces));
  const auto external = rc::gen::apply(
      [](const std::vector<std::string>& words) {
        std::string host;
        for (const auto& each : words) host += (host.empty() ? "" : ".") + each;
        return host;
      },
      rc::gen::resize(4, rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(word))));
  return rc::gen::oneOf(in_cluster, external);
}

std::string namespace_of(const std::string& host) {
  for (const auto& ns : kNamespaces) {
    if (host.ends_with("." + ns + ".svc.cluster.local")) return ns;
  }
  return kNamespaces.front();
}

RegistryContent any_content() {
  RegistryContent content;
  for (const auto& ns : kNamespaces) content.namespaces.push_back({ns, {}});
  const auto hosts = *rc::gen::unique<std::vector<std::string>>(any_host());
  std::uint8_t last = 0;
  for (const auto& host : hosts) {
    Service service;
    service.host = host;
    service.namespace_ = namespace_of(host);
    service.ports = {{80, Protocol::kHttp, "http"}};
    service.export_to = *rc::gen::container<std::vector<std::string>>(
        rc::gen::element<std::string>("*", ".", "io", "shop"));
    if (*rc::gen::arbitrary<bool>()) service.vips.push_back(IpAddress::v4({10, 0, 0, ++last}));
    content.services.push_back(std::make_shared<const Service>(std::move(service)));
  }
  return content;
}

// What a sidecar needs: one route configuration in which no domain is there twice, and that means
// by each domain what the egress means by it.
TEST(RegistryNames, AreUniqueAndResolveBackFromEveryNamespace) {
  int built_some = 0;
  EXPECT_TRUE(rc::check([&] {
    const auto built = Registry::build(any_content());
    if (!built) return;
    const Registry& registry = **built;
    built_some += registry.services().empty() ? 0 : 1;
    for (const auto& from : kNamespaces) {
      std::map<std::string, std::string> domains;
      for (const auto& service : registry.services()) {
        if (!service->visible_from(from)) continue;
        for (const auto& name : registry.names_of(*service, from)) {
          const auto [other, added] = domains.emplace(name, service->host);
          RC_LOG() << name << " from " << from << " of " << service->host << "\n";
          RC_ASSERT(added);
          RC_ASSERT(registry.resolve(name, from) == service);
        }
      }
    }
  }));
  EXPECT_GT(built_some, 10);
}

// Whatever resolves does so by a name that the service has.
TEST(RegistryNames, NothingElseResolves) {
  EXPECT_TRUE(rc::check([] {
    const auto built = Registry::build(any_content());
    if (!built) return;
    const auto from = *rc::gen::elementOf(kNamespaces);
    const auto name = *any_host();
    const auto service = (*built)->resolve(name, from);
    if (service == nullptr) return;
    const auto names = (*built)->names_of(*service, from);
    RC_ASSERT(service->visible_from(from));
    RC_ASSERT(std::find(names.begin(), names.end(), name) != names.end());
  }));
}

}  // namespace
}  // namespace lazymesh::mesh
