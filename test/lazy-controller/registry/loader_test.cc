#include "lazy-controller/registry/file/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lazymesh::registry {
namespace {

using testing::ElementsAre;

std::shared_ptr<const mesh::Registry> load(
    std::string_view yaml, const mesh::Registry& previous = *mesh::Registry::empty()) {
  auto loaded = load_mesh(yaml, "mesh.yaml", previous);
  EXPECT_TRUE(loaded) << loaded.error().message;
  return loaded ? *loaded : mesh::Registry::empty();
}

constexpr std::string_view kMesh = R"(
settings:
  clusterDomain: mesh.internal
  shape: transparent
  outboundTrafficPolicy: ALLOW_ANY
  lazy: observe
  egress: ["10.0.0.2:15080", "[2001:db8::2]:15080"]
  reporters: [10.0.0.3]
namespaces:
- {name: shop, labels: {lazymesh.io/lazy: enabled, team: "7"}}
- name: bank
services:
- host: reviews.shop.svc.mesh.internal
  namespace: shop
  vips: [10.96.0.5, "2001:db8::5"]
  ports:
  - {number: 9080, name: http, protocol: http}
  - {number: 9443, name: grpc-api}
  exportTo: [".", bank]
  endpoints:
  - address: 10.1.0.5
    port: 8080
    servicePort: 9443
    locality: r/z/s
    weight: 7
    health: draining
  - {address: 10.1.0.6, port: 8080, servicePort: 9080, locality: r/z/s}
- host: db.bank.svc.mesh.internal
  namespace: bank
  ports: [{number: 5432, protocol: tcp}]
  endpoints: [{address: 10.1.0.7, port: 5432, locality: r}]
  cluster: {connect_timeout: 1s}
workloads:
- namespace: shop
  name: web
  labels: {app: web, version: 1}
  serviceAccount: web-account
  addresses: [10.1.0.2, 10.1.0.3]
- {namespace: bank, name: idle}
)";

TEST(LoadMesh, EverySettingIsRead) {
  const auto registry = load(kMesh);
  const auto& settings = registry->settings();
  EXPECT_EQ(settings.cluster_domain, "mesh.internal");
  EXPECT_EQ(settings.shape, mesh::SidecarShape::kTransparent);
  EXPECT_EQ(settings.outbound, mesh::OutboundPolicy::kAllowAny);
  EXPECT_EQ(settings.default_lazy, mesh::LazyMode::kObserve);
  EXPECT_THAT(settings.egress, ElementsAre(*SocketAddress::parse("10.0.0.2:15080"),
                                           *SocketAddress::parse("[2001:db8::2]:15080")));
  EXPECT_THAT(settings.reporters, ElementsAre(*IpAddress::parse("10.0.0.3")));
  EXPECT_FALSE(settings.trust_bound_addresses);
}

TEST(LoadMesh, SettingsHaveDefaults) {
  EXPECT_EQ(load("services: []")->settings(), mesh::MeshSettings());
}

TEST(LoadMesh, ServicesAreRead) {
  const auto registry = load(kMesh);
  const auto service = registry->find_service("reviews.shop.svc.mesh.internal");
  ASSERT_NE(service, nullptr);
  EXPECT_EQ(service->namespace_, "shop");
  EXPECT_THAT(service->vips,
              ElementsAre(*IpAddress::parse("10.96.0.5"), *IpAddress::parse("2001:db8::5")));
  EXPECT_THAT(service->ports, ElementsAre(mesh::Port{9080, mesh::Protocol::kHttp, "http"},
                                          mesh::Port{9443, mesh::Protocol::kGrpc, "grpc-api"}));
  EXPECT_THAT(service->export_to, ElementsAre(".", "bank"));
  ASSERT_EQ(service->endpoints.size(), 2U);
  const auto& endpoint = service->endpoints[0];
  EXPECT_EQ(endpoint.address, *SocketAddress::parse("10.1.0.5:8080"));
  EXPECT_EQ(endpoint.service_port, 9443);
  EXPECT_EQ(endpoint.weight, 7U);
  EXPECT_EQ(endpoint.health, mesh::Health::kDraining);
  EXPECT_EQ(*endpoint.locality, (mesh::Locality{"r", "z", "s"}));
  EXPECT_EQ(service->endpoints[1].weight, 1U);
  EXPECT_EQ(service->endpoints[1].health, mesh::Health::kHealthy);
  EXPECT_TRUE(service->routes.empty());
}

TEST(LoadMesh, LocalitiesAreShared) {
  const auto registry = load(kMesh);
  const auto& endpoints = registry->find_service("reviews.shop.svc.mesh.internal")->endpoints;
  EXPECT_EQ(endpoints[0].locality, endpoints[1].locality);
}

TEST(LoadMesh, TheServicePortMayBeLeftOutWhereThereIsOne) {
  const auto registry = load(kMesh);
  EXPECT_EQ(registry->find_service("db.bank.svc.mesh.internal")->endpoints[0].service_port, 5432);
}

TEST(LoadMesh, EndpointsMayComeBeforePorts) {
  const auto registry = load(R"(
namespaces: [{name: a}]
services:
- endpoints: [{port: 1, address: 10.0.0.1}]
  ports: [{protocol: tcp, number: 80}]
  namespace: a
  host: x.a.svc.cluster.local
)");
  EXPECT_EQ(registry->services().at(0)->endpoints[0].service_port, 80);
}

TEST(LoadMesh, WorkloadsAreRead) {
  const auto registry = load(kMesh);
  const auto web = registry->find_workload(mesh::WorkloadId{"shop", "web"});
  ASSERT_NE(web, nullptr);
  EXPECT_EQ(web->labels, (mesh::Labels{{"app", "web"}, {"version", "1"}}));
  EXPECT_EQ(web->service_account, "web-account");
  EXPECT_EQ(web->addresses.size(), 2U);
  EXPECT_EQ(registry->lazy_mode(*web), mesh::LazyMode::kEnabled);
  const auto idle = registry->find_workload(mesh::WorkloadId{"bank", "idle"});
  EXPECT_TRUE(idle->addresses.empty());
  EXPECT_EQ(registry->lazy_mode(*idle), mesh::LazyMode::kObserve);
}

TEST(LoadMesh, JsonIsYaml) {
  const auto registry =
      load(R"({"namespaces": [{"name": "a"}], "services": [{"host": "x.a.svc.cluster.local",)"
           R"( "namespace": "a", "ports": [{"number": 80, "protocol": "http"}]}]})");
  EXPECT_EQ(registry->services().size(), 1U);
}

TEST(LoadMesh, AnUnchangedFileSharesEverything) {
  const auto first = load(kMesh);
  const auto second = load(kMesh, *first);
  EXPECT_EQ(first->services(), second->services());
  EXPECT_EQ(first->workloads(), second->workloads());
}

TEST(LoadMesh, OnlyWhatChangedIsNew) {
  const auto first = load(kMesh);
  std::string edited(kMesh);
  edited.replace(edited.find("weight: 7"), 9, "weight: 8");
  edited.replace(edited.find("version: 1"), 10, "version: 2");
  const auto second = load(edited, *first);
  EXPECT_EQ(first->services()[0], second->services()[0]);
  EXPECT_NE(first->services()[1], second->services()[1]);
  EXPECT_EQ(first->workloads()[0], second->workloads()[0]);
  EXPECT_NE(first->workloads()[1], second->workloads()[1]);
}

TEST(LoadMesh, BoundWorkloadsHaveOneLoopbackAddressEach) {
  const auto registry = load(R"(
settings: {shape: bound, egress: ["127.0.0.1:15080"], trustBoundAddresses: true, lazy: enabled}
namespaces: [{name: a}]
workloads:
- {namespace: a, name: x, addresses: [127.0.1.1]}
- {namespace: a, name: y, addresses: [127.0.1.2]}
)");
  EXPECT_EQ(registry->settings().shape, mesh::SidecarShape::kBound);
  EXPECT_TRUE(registry->settings().trust_bound_addresses);
  EXPECT_EQ(registry->workloads().size(), 2U);
}

}  // namespace
}  // namespace lazymesh::registry
