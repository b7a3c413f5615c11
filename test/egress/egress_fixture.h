#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "egress/egress.h"
#include "test/egress/fakes.h"
#include "test/egress/sockets.h"

namespace lazymesh::test {

/// A whole egress on loopback, with one event loop, an on-demand client and an access log of the
/// test's own.
class EgressTest : public ::testing::Test {
 protected:
  EgressTest();
  ~EgressTest() override;

  /// With `config_` as it is now.
  void start();
  /// Drain and wait for the end.
  void stop();

  SocketAddress listen() const { return egress_->addresses().listen; }
  /// A connection that has said who it is and whom it wants: by default 10.1.0.1 to 10.96.0.5:80.
  Peer connect(const SocketAddress& destination = address("10.96.0.5:80"),
               const SocketAddress& source = address("10.1.0.1:4711"));
  /// One request on a connection of its own.
  HttpResponse get(const std::string& host, const std::string& path = "/");
  /// A page of the admin listener.
  std::string admin(const std::string& path);
  /// A line of /metrics by the name and labels that it begins with: its value.
  double metric(const std::string& series);

  egress::Config config_;
  std::unique_ptr<FakeOnDemand> owned_on_demand_ = std::make_unique<FakeOnDemand>();
  std::unique_ptr<FakeSender> owned_log_ = std::make_unique<FakeSender>();
  FakeOnDemand& on_demand_ = *owned_on_demand_;
  FakeSender& log_ = *owned_log_;
  Readiness readiness_;
  prometheus::Registry metrics_;
  std::unique_ptr<egress::Egress> egress_;
  std::thread thread_;
};

/// Whether it comes true within ten seconds.
bool eventually(const std::function<bool()>& condition);

std::string request(const std::string& host, const std::string& path = "/",
                    const std::string& more = "");

}  // namespace lazymesh::test
