#include "mesh/types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lazymesh::mesh {
namespace {

TEST(Protocol, EveryNameIsReadBack) {
  for (const auto protocol :
       {Protocol::kTcp, Protocol::kTls, Protocol::kHttp, Protocol::kHttp2, Protocol::kGrpc}) {
    EXPECT_EQ(*parse_protocol(to_string(protocol)), protocol);
  }
}

TEST(Protocol, AnUnknownNameIsRefusedWithTheKnownOnes) {
  const auto parsed = parse_protocol("udp");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message, "'udp' is no protocol; there are tcp, tls, http, http2, grpc");
}

TEST(Protocol, HttpIsRoutedByHost) {
  EXPECT_TRUE(is_http(Protocol::kHttp));
  EXPECT_TRUE(is_http(Protocol::kHttp2));
  EXPECT_TRUE(is_http(Protocol::kGrpc));
  EXPECT_FALSE(is_http(Protocol::kTcp));
  EXPECT_FALSE(is_http(Protocol::kTls));
}

TEST(LazyMode, EveryNameIsReadBack) {
  for (const auto mode : {LazyMode::kDisabled, LazyMode::kObserve, LazyMode::kEnabled}) {
    EXPECT_EQ(*parse_lazy_mode(to_string(mode)), mode);
  }
  EXPECT_FALSE(parse_lazy_mode("on"));
}

TEST(Reason, EveryNameIsReadBack) {
  for (const auto reason :
       {Reason::kLearned, Reason::kDeclared, Reason::kDerived, Reason::kImported}) {
    EXPECT_EQ(*parse_reason(to_string(reason)), reason);
  }
  EXPECT_FALSE(parse_reason(""));
}

TEST(Endpoint, LocalitiesAreComparedByContent) {
  Endpoint a;
  Endpoint b;
  a.locality = std::make_shared<const Locality>(Locality{"r", "z", ""});
  b.locality = std::make_shared<const Locality>(Locality{"r", "z", ""});
  EXPECT_EQ(a, b);
  b.locality = std::make_shared<const Locality>(Locality{"r", "y", ""});
  EXPECT_NE(a, b);
  b.locality = nullptr;
  EXPECT_NE(a, b);
}

TEST(Service, EmptyExportToIsVisibleFromEverywhere) {
  Service service;
  service.namespace_ = "shop";
  EXPECT_TRUE(service.visible_from("bank"));
}

TEST(Service, DotExportsToItsOwnNamespace) {
  Service service;
  service.namespace_ = "shop";
  service.export_to = {"."};
  EXPECT_TRUE(service.visible_from("shop"));
  EXPECT_FALSE(service.visible_from("bank"));
  service.export_to = {"bank"};
  EXPECT_FALSE(service.visible_from("shop"));
  EXPECT_TRUE(service.visible_from("bank"));
  service.export_to = {".", "*"};
  EXPECT_TRUE(service.visible_from("bank"));
}

TEST(WorkloadId, IsReadBackFromText) {
  const WorkloadId id{"shop", "web"};
  EXPECT_EQ(id.to_string(), "shop/web");
  EXPECT_EQ(*WorkloadId::parse("shop/web"), id);
}

TEST(WorkloadId, AnythingElseIsRefused) {
  for (const auto* text : {"", "shop", "/web", "shop/", "a/b/c", "/"}) {
    EXPECT_FALSE(WorkloadId::parse(text)) << text;
  }
}

TEST(ClusterName, IsReadBackFromText) {
  const auto name = cluster_name("reviews.shop.svc.cluster.local", 9080);
  EXPECT_EQ(name, "outbound|9080||reviews.shop.svc.cluster.local");
  const auto parsed = parse_cluster_name(name);
  EXPECT_EQ(parsed.host, "reviews.shop.svc.cluster.local");
  EXPECT_EQ(parsed.port, 9080);
  EXPECT_EQ(parsed.subset, "");
  EXPECT_EQ(parse_cluster_name("outbound|80|v2|a.b").subset, "v2");
}

TEST(ClusterName, AnythingElseHasNoHost) {
  for (const auto* name :
       {"", "outbound|", "outbound|80", "outbound|80|", "outbound|x||h", "outbound|70000||h",
        "outbound|-1||h", "outbound|80 ||h", "inbound|80||h", "outbound|||h"}) {
    EXPECT_TRUE(parse_cluster_name(name).host.empty()) << name;
  }
}

}  // namespace
}  // namespace lazymesh::mesh
