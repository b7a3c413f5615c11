#include <gmock/gmock.h>

#include "envoy/config/route/v3/route.pb.h"

#include "test/sidecar/mesh.h"

namespace lazymesh::test {
namespace {

using envoy::config::route::v3::RouteConfiguration;
using mesh::LazyMode;
using mesh::Protocol;
using sidecar::ResourceType;
using testing::HasSubstr;

Mesh small_mesh() {
  Mesh mesh;
  auto reviews = service("reviews", {{9080, Protocol::kHttp, "http"}});
  auto mysql = service("mysql", {{3306, Protocol::kTcp, "tcp"}});
  mysql.vips = {ip("10.96.0.7")};
  mesh.services = {reviews, mysql};
  return mesh;
}

void drop(std::vector<sidecar::ResourcePtr>& resources, std::string_view name) {
  const auto found = std::find_if(resources.begin(), resources.end(),
                                  [&](const auto& each) { return each->name == name; });
  ASSERT_NE(found, resources.end()) << name;
  resources.erase(found);
}

class Contradiction : public testing::Test {
 protected:
  Mesh mesh = small_mesh();
  Told told{mesh.subject()};
};

TEST_F(Contradiction, IsNowhereInWhatASidecarIsTold) {
  for (const auto mode : {LazyMode::kEnabled, LazyMode::kObserve, LazyMode::kDisabled}) {
    for (const auto shape : {mesh::SidecarShape::kTransparent, mesh::SidecarShape::kBound}) {
      for (const auto policy :
           {mesh::OutboundPolicy::kAllowAny, mesh::OutboundPolicy::kRegistryOnly}) {
        mesh.mode = mode;
        mesh.settings.shape = shape;
        mesh.settings.outbound = policy;
        EXPECT_EQ(Told(mesh.subject()).contradiction(), "");
      }
    }
  }
}

TEST_F(Contradiction, ARouteWithoutItsCluster) {
  drop(told.clusters, "outbound|9080||reviews.shop.svc.cluster.local");
  EXPECT_THAT(told.contradiction(), HasSubstr("virtual host reviews.shop.svc.cluster.local names "
                                              "cluster outbound|9080||reviews"));
}

TEST_F(Contradiction, AListenerWithoutItsCluster) {
  drop(told.clusters, "outbound|3306||mysql.shop.svc.cluster.local");
  EXPECT_THAT(told.contradiction(), HasSubstr("listener 10.96.0.7_3306 names cluster"));
}

TEST_F(Contradiction, AClusterWithoutItsEndpoints) {
  drop(told.endpoints, "outbound|3306||mysql.shop.svc.cluster.local");
  EXPECT_THAT(told.contradiction(), HasSubstr("lacks endpoints outbound|3306||mysql"));
}

TEST_F(Contradiction, AListenerWithoutItsRoutes) {
  told.routes.clear();
  EXPECT_THAT(told.contradiction(), HasSubstr("outbound-http, which is missing"));
}

TEST_F(Contradiction, AFallbackWithoutItsCluster) {
  drop(told.clusters, sidecar::kEgressCluster);
  EXPECT_THAT(told.contradiction(), HasSubstr("lazymesh-egress, which is missing"));
}

TEST_F(Contradiction, ANameThatIsThereTwice) {
  told.clusters.push_back(told.clusters.front());
  EXPECT_THAT(told.contradiction(), HasSubstr("is there twice"));
}

TEST_F(Contradiction, ADomainThatIsThereTwice) {
  auto routes = parse<RouteConfiguration>(*told.routes.front());
  routes.mutable_virtual_hosts(0)->add_domains("*");
  told.routes = {sidecar::make_resource(ResourceType::kRoutes, routes.name(), routes)};
  EXPECT_THAT(told.contradiction(), HasSubstr("domain * is there twice"));
}

TEST_F(Contradiction, AMirrorOrAWeightedClusterThatIsMissing) {
  auto routes = parse<RouteConfiguration>(*told.routes.front());
  auto& action = *routes.mutable_virtual_hosts(0)->mutable_routes(0)->mutable_route();
  action.add_request_mirror_policies()->set_cluster("mirror");
  told.routes = {sidecar::make_resource(ResourceType::kRoutes, routes.name(), routes)};
  EXPECT_THAT(told.contradiction(), HasSubstr("cluster mirror, which is missing"));
  action.clear_request_mirror_policies();
  action.mutable_weighted_clusters()->add_clusters()->set_name("weighted");
  told.routes = {sidecar::make_resource(ResourceType::kRoutes, routes.name(), routes)};
  EXPECT_THAT(told.contradiction(), HasSubstr("cluster weighted, which is missing"));
}

TEST_F(Contradiction, AResourceThatCallsItselfOtherwise) {
  told.routes = {sidecar::make_resource(ResourceType::kRoutes, "outbound-http",
                                        std::string(told.routes.front()->body, 0, 0))};
  EXPECT_THAT(told.contradiction(), HasSubstr("outbound-http calls itself"));
}

}  // namespace
}  // namespace lazymesh::test
