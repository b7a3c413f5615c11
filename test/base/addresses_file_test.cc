#include "base/addresses_file.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "test/support/temporary_directory.h"

namespace lazymesh {
namespace {

TEST(AddressesFile, IsOneJsonObject) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "addresses.json";
  ASSERT_TRUE(write_addresses_file(path, {{"grpc", *SocketAddress::parse("127.0.0.1:15010")},
                                          {"admin", *SocketAddress::parse("[::1]:15014")}}));
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text, "{\"grpc\":\"127.0.0.1:15010\",\"admin\":\"[::1]:15014\"}\n");
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
}

TEST(AddressesFile, AFailureNamesTheFile) {
  const auto written = write_addresses_file("/nowhere/addresses.json", {});
  ASSERT_FALSE(written);
  EXPECT_EQ(
      written.error().message,
      "--addresses-file /nowhere/addresses.json cannot be written: No such file or directory");
}

}  // namespace
}  // namespace lazymesh
