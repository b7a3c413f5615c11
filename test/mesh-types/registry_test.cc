#include "mesh/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lazymesh::mesh {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Service service_of(std::string host, std::string ns) {
  Service service;
  service.host = std::move(host);
  service.namespace_ = std::move(ns);
  service.ports = {{80, Protocol::kHttp, "http"}, {9000, Protocol::kTcp, "tcp"}};
  return service;
}

IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

Endpoint endpoint_of(std::string_view address, std::uint16_t service_port) {
  Endpoint endpoint;
  endpoint.address = *SocketAddress::parse(address);
  endpoint.service_port = service_port;
  return endpoint;
}

Workload workload_of(std::string ns, std::string name, std::string_view address) {
  Workload workload;
  workload.id = {std::move(ns), std::move(name)};
  workload.addresses = {ip(address)};
  return workload;
}

// A mesh to be spoilt by the test, then built.
struct Mesh {
  MeshSettings settings;
  std::vector<Namespace> namespaces{{"shop", {}}, {"bank", {}}};
  std::vector<Service> services{service_of("reviews.shop.svc.cluster.local", "shop")};
  std::vector<Workload> workloads;
  Culprit culprit;

  Result<std::shared_ptr<const Registry>> try_build() {
    RegistryContent content{settings, namespaces, {}, {}};
    for (const auto& service : services) {
      content.services.push_back(std::make_shared<const Service>(service));
    }
    for (const auto& workload : workloads) {
      content.workloads.push_back(std::make_shared<const Workload>(workload));
    }
    return Registry::build(std::move(content), &culprit);
  }

  std::shared_ptr<const Registry> build() {
    auto built = try_build();
    EXPECT_TRUE(built) << built.error().message;
    return built ? *built : Registry::empty();
  }

  std::string refusal() {
    const auto built = try_build();
    if (built) return "accepted";
    EXPECT_EQ(built.error().code, Code::kInvalidArgument);
    return built.error().message;
  }

  std::string culprit_host() const {
    const auto* service = std::get_if<ServicePtr>(&culprit);
    return service == nullptr ? "" : (*service)->host;
  }
};

TEST(Registry, EmptyHasNothing) {
  const auto registry = Registry::empty();
  EXPECT_TRUE(registry->services().empty());
  EXPECT_EQ(registry->resolve("a", "b"), nullptr);
  EXPECT_EQ(registry->find_service("a"), nullptr);
  EXPECT_EQ(registry->find_workload(WorkloadId{"a", "b"}), nullptr);
  EXPECT_EQ(registry->find_workload(ip("10.0.0.1")), nullptr);
  EXPECT_EQ(registry->find_vip({ip("10.0.0.1"), 80}), nullptr);
  EXPECT_FALSE(registry->find_endpoint({ip("10.0.0.1"), 80}));
}

TEST(Registry, ListsAreAscending) {
  Mesh mesh;
  mesh.services.push_back(service_of("a.example.com", "bank"));
  mesh.workloads = {workload_of("shop", "b", "10.1.0.2"), workload_of("bank", "z", "10.1.0.1")};
  const auto registry = mesh.build();
  EXPECT_EQ(registry->services()[0]->host, "a.example.com");
  EXPECT_EQ(registry->workloads()[0]->id.to_string(), "bank/z");
  EXPECT_EQ(registry->namespaces()[0].name, "bank");
}

TEST(Registry, FindsByHostVipEndpointAndWorkload) {
  Mesh mesh;
  mesh.services[0].vips = {ip("10.96.0.5")};
  mesh.services[0].endpoints = {endpoint_of("10.1.0.5:9080", 80), endpoint_of("10.1.0.6:9080", 80)};
  mesh.workloads = {workload_of("shop", "web", "10.1.0.2"), workload_of("bank", "a", "10.1.0.3")};
  const auto registry = mesh.build();
  const auto reviews = registry->find_service("reviews.shop.svc.cluster.local");
  ASSERT_NE(reviews, nullptr);
  EXPECT_EQ(registry->find_vip({ip("10.96.0.5"), 80}), reviews);
  EXPECT_EQ(registry->find_vip({ip("10.96.0.5"), 81}), nullptr);
  const auto match = registry->find_endpoint(*SocketAddress::parse("10.1.0.6:9080"));
  ASSERT_TRUE(match);
  EXPECT_EQ(match->service, reviews);
  EXPECT_EQ(match->endpoint, &reviews->endpoints[1]);
  EXPECT_FALSE(registry->find_endpoint(*SocketAddress::parse("10.1.0.6:9081")));
  EXPECT_EQ(registry->find_workload(ip("10.1.0.2"))->id.to_string(), "shop/web");
  EXPECT_EQ(registry->find_workload(WorkloadId{"bank", "a"})->id.to_string(), "bank/a");
  EXPECT_EQ(registry->find_workload(WorkloadId{"bank", "b"}), nullptr);
}

TEST(Registry, AnEndpointOfTwoServicesStandsForTheFirstByName) {
  Mesh mesh;
  mesh.services[0].endpoints = {endpoint_of("10.1.0.5:9080", 80)};
  mesh.services.push_back(service_of("a.shop.svc.cluster.local", "shop"));
  mesh.services[1].endpoints = {endpoint_of("10.1.0.5:9080", 80)};
  EXPECT_EQ(mesh.build()->find_endpoint(*SocketAddress::parse("10.1.0.5:9080"))->service->host,
            "a.shop.svc.cluster.local");
}

TEST(Registry, ResolvesEveryNameOfAService) {
  Mesh mesh;
  mesh.services[0].vips = {ip("10.96.0.5"), ip("2001:db8::5")};
  const auto registry = mesh.build();
  for (const auto* name :
       {"reviews", "reviews.shop", "reviews.shop.svc", "reviews.shop.svc.cluster.local",
        "reviews.shop.svc.cluster.local.", "REVIEWS.Shop", "10.96.0.5", "2001:db8::5",
        "[2001:db8::5]", "[2001:DB8:0::5]"}) {
    EXPECT_NE(registry->resolve(name, "shop"), nullptr) << name;
  }
  for (const auto* name : {"", ".", "reviews.", "reviews.bank", "reviews.shop.svc.", "[10.96.0.6]",
                           "reviews.shop.svc.cluster", "shop", "reviews..shop", "[]", "[reviews]",
                           ".shop", "reviews.shop.svc.cluster.local.."}) {
    EXPECT_EQ(registry->resolve(name, "shop"), nullptr) << name;
  }
}

TEST(Registry, AShortNameMeansTheCallersNamespace) {
  Mesh mesh;
  mesh.services.push_back(service_of("reviews.bank.svc.cluster.local", "bank"));
  const auto registry = mesh.build();
  EXPECT_EQ(registry->resolve("reviews", "shop")->namespace_, "shop");
  EXPECT_EQ(registry->resolve("reviews", "bank")->namespace_, "bank");
  EXPECT_EQ(registry->resolve("reviews.bank", "shop")->namespace_, "bank");
}

TEST(Registry, WhatIsNotExportedDoesNotResolve) {
  Mesh mesh;
  mesh.services[0].export_to = {"."};
  mesh.services[0].vips = {ip("10.96.0.5")};
  const auto registry = mesh.build();
  EXPECT_NE(registry->resolve("reviews.shop", "shop"), nullptr);
  EXPECT_EQ(registry->resolve("reviews.shop", "bank"), nullptr);
  EXPECT_EQ(registry->resolve("reviews.shop.svc.cluster.local", "bank"), nullptr);
  EXPECT_EQ(registry->resolve("reviews.shop.svc.cluster.local.", "bank"), nullptr);
  EXPECT_EQ(registry->resolve("10.96.0.5", "bank"), nullptr);
}

TEST(Registry, NamesBeginWithTheFullOneAndEndWithVips) {
  Mesh mesh;
  mesh.services[0].vips = {ip("10.96.0.5"), ip("2001:db8::5")};
  const auto registry = mesh.build();
  const auto& reviews = *registry->services()[0];
  EXPECT_THAT(registry->names_of(reviews, "shop"),
              ElementsAre("reviews.shop.svc.cluster.local", "reviews.shop.svc", "reviews.shop",
                          "reviews", "10.96.0.5", "[2001:db8::5]"));
  EXPECT_THAT(registry->names_of(reviews, "bank"),
              ElementsAre("reviews.shop.svc.cluster.local", "reviews.shop.svc", "reviews.shop",
                          "10.96.0.5", "[2001:db8::5]"));
}

TEST(Registry, AnExternalHostHasNoShortNames) {
  Mesh mesh;
  mesh.services = {service_of("api.example.com", "shop"),
                   service_of("pod-0.web.shop.svc.cluster.local", "shop")};
  const auto registry = mesh.build();
  EXPECT_THAT(registry->names_of(*registry->services()[0], "shop"), ElementsAre("api.example.com"));
  EXPECT_THAT(registry->names_of(*registry->services()[1], "shop"),
              ElementsAre("pod-0.web.shop.svc.cluster.local"));
}

TEST(Registry, TheClusterDomainDecidesWhatIsShort) {
  Mesh mesh;
  mesh.settings.cluster_domain = "mesh.internal";
  mesh.services = {service_of("reviews.shop.svc.mesh.internal", "shop")};
  const auto registry = mesh.build();
  EXPECT_NE(registry->resolve("reviews.shop.svc", "bank"), nullptr);
  EXPECT_EQ(registry->resolve("reviews.shop.svc.cluster.local", "bank"), nullptr);
}

TEST(Registry, TheWorkloadsLabelWinsOverItsNamespaces) {
  Mesh mesh;
  mesh.settings.default_lazy = LazyMode::kObserve;
  mesh.namespaces = {{"a", {{std::string(kLazyLabel), "enabled"}}}, {"b", {}}};
  mesh.services.clear();
  auto labelled = workload_of("a", "labelled", "10.0.0.1");
  labelled.labels = {{std::string(kLazyLabel), "disabled"}};
  mesh.workloads = {labelled, workload_of("a", "plain", "10.0.0.2"),
                    workload_of("b", "plain", "10.0.0.3")};
  const auto registry = mesh.build();
  EXPECT_EQ(registry->lazy_mode(*registry->workloads()[0]), LazyMode::kDisabled);
  EXPECT_EQ(registry->lazy_mode(*registry->workloads()[1]), LazyMode::kEnabled);
  EXPECT_EQ(registry->lazy_mode(*registry->workloads()[2]), LazyMode::kObserve);
}

TEST(MeshSettings, ReportersAreTheEgressesUnlessNamed) {
  MeshSettings settings;
  settings.egress = {*SocketAddress::parse("10.0.0.2:15080")};
  EXPECT_TRUE(settings.is_egress(ip("10.0.0.2")));
  EXPECT_FALSE(settings.is_egress(ip("10.0.0.3")));
  settings.reporters = {ip("10.0.0.3")};
  EXPECT_TRUE(settings.is_egress(ip("10.0.0.3")));
  EXPECT_FALSE(settings.is_egress(ip("10.0.0.2")));
}

TEST(MeshSettings, LoopbackIsAnEgressOnlyWhereBoundAddressesAreTrusted) {
  MeshSettings settings;
  settings.egress = {*SocketAddress::parse("127.0.0.1:15080")};
  EXPECT_FALSE(settings.is_egress(ip("127.0.0.5")));
  settings.trust_bound_addresses = true;
  EXPECT_TRUE(settings.is_egress(ip("127.0.0.5")));
}

TEST(RegistryBuild, RefusesWhatIsThereTwice) {
  Mesh mesh;
  mesh.namespaces.push_back({"shop", {}});
  EXPECT_EQ(mesh.refusal(), "namespace shop is there twice");
  EXPECT_EQ(std::get<std::string>(mesh.culprit), "shop");

  mesh = {};
  mesh.services.push_back(mesh.services[0]);
  EXPECT_EQ(mesh.refusal(), "service reviews.shop.svc.cluster.local: it is there twice");
  EXPECT_EQ(mesh.culprit_host(), "reviews.shop.svc.cluster.local");

  mesh = {};
  mesh.services[0].ports.push_back({80, Protocol::kTcp, "again"});
  EXPECT_THAT(mesh.refusal(), HasSubstr("port 80 is there twice"));

  mesh = {};
  mesh.workloads = {workload_of("shop", "web", "10.0.0.1"), workload_of("shop", "web", "10.0.0.2")};
  EXPECT_EQ(mesh.refusal(), "workload shop/web: it is there twice");
  EXPECT_EQ(std::get<WorkloadPtr>(mesh.culprit)->addresses[0], ip("10.0.0.2"));

  mesh = {};
  mesh.services[0].endpoints = {endpoint_of("10.0.0.1:1", 80), endpoint_of("10.0.0.1:1", 9000),
                                endpoint_of("10.0.0.1:1", 9000)};
  EXPECT_THAT(mesh.refusal(), HasSubstr("endpoint 10.0.0.1:1 of port 9000 is there twice"));
}

TEST(RegistryBuild, OneAddressMayServeSeveralPorts) {
  Mesh mesh;
  mesh.services[0].endpoints = {endpoint_of("10.0.0.1:1", 80), endpoint_of("10.0.0.1:1", 9000)};
  EXPECT_EQ(mesh.refusal(), "accepted");
}

TEST(RegistryBuild, RefusesAddressesClaimedTwice) {
  Mesh mesh;
  mesh.services[0].vips = {ip("10.96.0.1")};
  mesh.services.push_back(service_of("z.bank.svc.cluster.local", "bank"));
  mesh.services[1].vips = {ip("10.96.0.1")};
  EXPECT_EQ(mesh.refusal(),
            "service z.bank.svc.cluster.local: 10.96.0.1 is already an address of service "
            "reviews.shop.svc.cluster.local");

  mesh = {};
  mesh.workloads = {workload_of("shop", "a", "10.0.0.1"), workload_of("shop", "b", "10.0.0.1")};
  EXPECT_EQ(mesh.refusal(), "workload shop/b: 10.0.0.1 is already an address of workload shop/a");
}

TEST(RegistryBuild, RefusesWorkloadsThatCouldReportForOthers) {
  Mesh mesh;
  mesh.settings.egress = {*SocketAddress::parse("10.0.0.1:15080")};
  mesh.workloads = {workload_of("shop", "a", "10.0.0.1")};
  EXPECT_EQ(mesh.refusal(), "workload shop/a: 10.0.0.1 is an address of settings.egress");
  mesh.settings.egress = {*SocketAddress::parse("10.0.0.3:15080")};
  mesh.settings.reporters = {ip("10.0.0.2"), ip("10.0.0.1")};
  EXPECT_EQ(mesh.refusal(), "workload shop/a: 10.0.0.1 is an address of settings.reporters");
}

TEST(RegistryBuild, RefusesUnknownNamespaces) {
  Mesh mesh;
  mesh.services[0].namespace_ = "mars";
  EXPECT_THAT(mesh.refusal(), HasSubstr("there is no namespace 'mars'"));
  mesh = {};
  mesh.workloads = {workload_of("mars", "a", "10.0.0.1")};
  EXPECT_EQ(mesh.refusal(), "workload mars/a: there is no namespace 'mars'");
}

TEST(RegistryBuild, RefusesAnEndpointOfAPortThatTheServiceLacks) {
  Mesh mesh;
  mesh.services[0].endpoints = {endpoint_of("10.0.0.1:1", 81)};
  EXPECT_THAT(mesh.refusal(), HasSubstr("serves port 81, which the service lacks"));
}

TEST(RegistryBuild, RefusesLazyLabelsThatSayNothing) {
  Mesh mesh;
  mesh.namespaces[0].labels = {{std::string(kLazyLabel), "yes"}};
  EXPECT_THAT(mesh.refusal(), HasSubstr("namespace shop: 'yes' is no lazy mode"));
  mesh = {};
  mesh.workloads = {workload_of("shop", "a", "10.0.0.1")};
  mesh.workloads[0].labels = {{std::string(kLazyLabel), ""}};
  EXPECT_THAT(mesh.refusal(), HasSubstr("workload shop/a: '' is no lazy mode"));
}

TEST(RegistryBuild, RefusesAHostThatNamesAnotherNamespace) {
  Mesh mesh;
  mesh.services[0].namespace_ = "bank";
  EXPECT_THAT(mesh.refusal(), HasSubstr("its name says namespace 'shop', but it is in 'bank'"));
}

TEST(RegistryBuild, RefusesAHostThatIsAnotherServicesShorterName) {
  for (const auto* host : {"reviews", "reviews.shop", "reviews.shop.svc"}) {
    Mesh mesh;
    mesh.services.push_back(service_of(host, "bank"));
    EXPECT_EQ(mesh.refusal(), "service " + std::string(host) +
                                  ": callers in namespace 'shop' mean service "
                                  "reviews.shop.svc.cluster.local by this name");
    EXPECT_EQ(mesh.culprit_host(), host);
  }
  for (const auto* host : {"ratings", "reviews.bank", "reviews.shop.com", "a.reviews.shop.svc"}) {
    Mesh mesh;
    mesh.services.push_back(service_of(host, "bank"));
    EXPECT_EQ(mesh.refusal(), "accepted") << host;
  }
}

TEST(RegistryBuild, RefusesAnAddressAsAHost) {
  Mesh mesh;
  mesh.services.push_back(service_of("10.0.0.1", "shop"));
  EXPECT_THAT(mesh.refusal(), HasSubstr("an address is no name"));
}

}  // namespace
}  // namespace lazymesh::mesh
