#include "lazy-controller/publish/xds/catalog.h"

#include <gtest/gtest.h>

#include "test/lazy-controller/publish/exchange.h"

namespace lazymesh::publish::xds {
namespace {

using test::Exchange;
using test::World;

TEST(CatalogTest, WhatAnEditDoesNotChangeIsTheSame) {
  Names names;
  {
    Catalog catalog(names);
    World world;
    world.service("a");
    world.service("tcp", {5432}, mesh::Protocol::kTcp);
    world.workload("web", "10.1.0.2");
    catalog.set_registry(world.registry());
    const auto find = [&] {
      return catalog.registry()->find_workload(mesh::WorkloadId{"shop", "web"});
    };
    const auto frame = catalog.frame(find());
    const auto items = catalog.items(world.services({"a", "tcp"}));
    const auto listeners = catalog.listeners(*frame, *items);
    // Another service: a lazy sidecar without it is told of the same.
    world.service("b");
    catalog.set_registry(world.registry());
    EXPECT_EQ(catalog.frame(find()), frame);
    EXPECT_EQ(catalog.items(world.services({"a", "tcp"})), items);
    EXPECT_EQ(catalog.listeners(*frame, *catalog.items(world.services({"a", "b", "tcp"}))),
              listeners);
    world.change("tcp").vips.pop_back();
    catalog.set_registry(world.registry());
    EXPECT_NE(catalog.listeners(*frame, *catalog.items(world.services({"a", "tcp"}))), listeners);
    world.settings.outbound = mesh::OutboundPolicy::kAllowAny;
    catalog.set_registry(world.registry());
    EXPECT_NE(catalog.frame(find()), frame);
  }
}

TEST(CatalogTest, AnEditOutsideTheScopeMakesNothingForTheSidecar) {
  Exchange exchange(Variant::kDelta);
  for (const auto* name : {"a", "b"}) exchange.world.service(name);
  exchange.scope = {"a"};
  exchange.registry_changed();
  exchange.run();
  exchange.world.change("b").endpoints[0].weight = 7;
  exchange.registry_changed();
  EXPECT_TRUE(exchange.sequencer().take_changes(exchange.clock.steady()).empty());
}

}  // namespace
}  // namespace lazymesh::publish::xds
