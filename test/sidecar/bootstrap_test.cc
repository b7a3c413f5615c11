#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"

#include "test/sidecar/mesh.h"

namespace lazymesh::test {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using envoy::config::core::v3::ApiConfigSource;
using testing::HasSubstr;

std::string json_of(Mesh& mesh, bool delta = true) {
  const auto subject = mesh.subject();
  return sidecar::bootstrap(subject.registry, subject.workload,
                            {address("127.0.0.1:15010"), address("127.0.0.1:15000"), delta});
}

Bootstrap bootstrap_of(Mesh& mesh, bool delta = true) {
  Bootstrap bootstrap;
  const auto status = google::protobuf::util::JsonStringToMessage(json_of(mesh, delta), &bootstrap);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return bootstrap;
}

TEST(Bootstrap, SaysWhoTheSidecarIs) {
  Mesh mesh;
  const auto bootstrap = bootstrap_of(mesh);
  EXPECT_EQ(bootstrap.node().id(), "sidecar~10.1.0.2~web.shop~shop.svc.cluster.local");
  EXPECT_EQ(bootstrap.node().cluster(), "web.shop");
  const auto& metadata = bootstrap.node().metadata().fields();
  EXPECT_EQ(metadata.at("NAMESPACE").string_value(), "shop");
  EXPECT_EQ(metadata.at("LABELS").struct_value().fields().at("app").string_value(), "web");
  EXPECT_EQ(bootstrap.admin().address().socket_address().port_value(), 15000);
}

TEST(Bootstrap, WaitsForTheControllerOverOneKeptStream) {
  Mesh mesh;
  const auto bootstrap = bootstrap_of(mesh);
  const auto& dynamic = bootstrap.dynamic_resources();
  EXPECT_EQ(dynamic.ads_config().api_type(), ApiConfigSource::DELTA_GRPC);
  EXPECT_EQ(dynamic.ads_config().grpc_services(0).envoy_grpc().cluster_name(),
            sidecar::kControllerCluster);
  for (const auto* source : {&dynamic.cds_config(), &dynamic.lds_config()}) {
    EXPECT_TRUE(source->has_ads());
    EXPECT_TRUE(source->has_initial_fetch_timeout());
    EXPECT_EQ(source->initial_fetch_timeout().seconds(), 0);
  }
  const auto& cluster = bootstrap.static_resources().clusters(0);
  EXPECT_EQ(cluster.name(), sidecar::kControllerCluster);
  const auto options = unpack<envoy::extensions::upstreams::http::v3::HttpProtocolOptions>(
      cluster.typed_extension_protocol_options().begin()->second);
  EXPECT_EQ(options.explicit_http_config()
                .http2_protocol_options()
                .connection_keepalive()
                .interval()
                .seconds(),
            30);
}

TEST(Bootstrap, CanAskForTheStateOfTheWorld) {
  Mesh mesh;
  EXPECT_EQ(bootstrap_of(mesh, false).dynamic_resources().ads_config().api_type(),
            ApiConfigSource::GRPC);
}

TEST(Bootstrap, OfABoundSidecarCallsFromTheWorkloadsAddress) {
  Mesh mesh;
  EXPECT_FALSE(bootstrap_of(mesh).has_cluster_manager());
  mesh.settings.shape = mesh::SidecarShape::kBound;
  mesh.workload_address = "127.1.0.2";
  EXPECT_EQ(bootstrap_of(mesh).cluster_manager().upstream_bind_config().source_address().address(),
            "127.1.0.2");
}

TEST(Bootstrap, IsTheSameEachTime) {
  Mesh mesh;
  const auto first = json_of(mesh);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(json_of(mesh), first);
}

TEST(NodeId, NamesAWorkloadBothWays) {
  mesh::Workload workload{{"shop", "web.v1"}, {}, "", {ip("10.1.0.2")}};
  const auto id = sidecar::node_id(workload, "example.org");
  EXPECT_EQ(id, "sidecar~10.1.0.2~web.v1.shop~shop.svc.example.org");
  EXPECT_EQ(sidecar::parse_node_id(id).value(), workload.id);
}

TEST(NodeId, OfAnotherFormIsRefusedWithTheRemedy) {
  for (const auto* id :
       {"", "sidecar", "sidecar~10.1.0.2~web.shop", "egress~10.1.0.2~web.shop~shop.svc.x",
        "sidecar~10.1.0.2~web~shop.svc.x", "sidecar~10.1.0.2~.shop~shop.svc.x",
        "sidecar~10.1.0.2~web.~shop.svc.x", "sidecar~10.1.0.2~web.shop~bank.svc.x",
        "sidecar~10.1.0.2~web.shop~shop.svc.x~more"}) {
    const auto parsed = sidecar::parse_node_id(id);
    ASSERT_FALSE(parsed.has_value()) << id;
    EXPECT_THAT(parsed.error().message, HasSubstr("lazymeshctl"));
  }
}

}  // namespace
}  // namespace lazymesh::test
