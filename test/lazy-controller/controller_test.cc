#include "lazy-controller/controller.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/temporary_directory.h"

namespace lazymesh {
namespace {

// Whatever else can go wrong has gone wrong before anybody can connect: there is nobody to wait
// for.
TEST(Controller, ServesGrpcOnlyOnceAllElseIsThere) {
  boost::asio::io_context control;
  const boost::asio::ip::tcp::acceptor other(
      control, {boost::asio::ip::address_v4::loopback(), /*port_num=*/0});
  const SocketAddress taken{IpAddress::v4({127, 0, 0, 1}), other.local_endpoint().port()};
  const test::TemporaryDirectory directory;
  const ControllerConfig config{.mesh_file = directory / "mesh.yaml",
                                .store_file = directory / "store.db",
                                .grpc = taken,
                                .admin = taken};
  const auto controller = Controller::build(control, system_clock(), config);
  ASSERT_FALSE(controller);
  EXPECT_THAT(controller.error().message, testing::HasSubstr("--admin"));
}

}  // namespace
}  // namespace lazymesh
