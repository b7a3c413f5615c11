#include "lazy-controller/api/pages.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace lazymesh::api {
namespace {

TEST(Pages, SidecarsQuoteEnvoysOwnWords) {
  publish::xds::ClientStatus client;
  client.node_id = "sidecar~10.1.0.1~web.shop~shop.svc.cluster.local";
  client.workload = {"shop", "web"};
  client.mode = mesh::LazyMode::kEnabled;
  client.pending = {"reviews.shop.svc.cluster.local"};
  client.types["cds"] = {7, "00ff", 2, 1, 1, "Proto constraint \"failed\""};
  const auto page = boost::json::parse(sidecars_page({client}));
  const auto& sidecar = page.at("sidecars").at(0);
  EXPECT_EQ(sidecar.at("workload"), "shop/web");
  EXPECT_EQ(sidecar.at("mode"), "enabled");
  EXPECT_EQ(sidecar.at("protocol"), "delta");
  EXPECT_EQ(sidecar.at("pending").at(0), "reviews.shop.svc.cluster.local");
  EXPECT_EQ(sidecar.at("types").at("cds").at("nacks").to_number<int>(), 1);
  EXPECT_EQ(sidecar.at("types").at("cds").at("last_nack"), "Proto constraint \"failed\"");
}

TEST(Pages, DependenciesSayWhoWhatAndWhy) {
  mesh::Dependency dependency;
  dependency.key = {{"shop", "web"}, "reviews.shop.svc.cluster.local", 9080};
  dependency.reason = mesh::Reason::kDerived;
  dependency.last_seen = WallTime{} + std::chrono::milliseconds(1500);
  dependency.count = 3;
  const auto page = boost::json::parse(dependencies_page({dependency}));
  const auto& row = page.at("dependencies").at(0);
  EXPECT_EQ(row.at("source"), "shop/web");
  EXPECT_EQ(row.at("reason"), "derived");
  EXPECT_DOUBLE_EQ(row.at("last_seen").as_double(), 1.5);
  EXPECT_EQ(row.at("count").to_number<int>(), 3);
}

}  // namespace
}  // namespace lazymesh::api
