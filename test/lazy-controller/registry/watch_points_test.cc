#include "lazy-controller/registry/file/watch_points.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/temporary_directory.h"

namespace lazymesh::registry {
namespace {

namespace fs = std::filesystem;
using Points = std::map<std::string, std::set<std::string>>;
using test::TemporaryDirectory;

TEST(WatchPoints, APlainFileIsWatchedInItsDirectory) {
  const TemporaryDirectory directory;
  EXPECT_EQ(watch_points(directory / "mesh.yaml"), (Points{{directory.path(), {"mesh.yaml"}}}));
}

TEST(WatchPoints, ARelativePathBeginsHere) {
  EXPECT_EQ(watch_points("docs/mesh-file.md"),
            (Points{{(fs::current_path() / "docs").string(), {"mesh-file.md"}}}));
  EXPECT_EQ(watch_points("./docs/.././docs//mesh-file.md"), watch_points("docs/mesh-file.md"));
}

TEST(WatchPoints, EveryLinkOnTheWayIsWatched) {
  const TemporaryDirectory directory;
  fs::create_directory(directory / "..2024");
  fs::create_symlink("..2024", directory / "..data");
  fs::create_symlink("..data/mesh.yaml", directory / "mesh.yaml");
  EXPECT_EQ(
      watch_points(directory / "mesh.yaml"),
      (Points{{directory.path(), {"..data", "mesh.yaml"}}, {directory / "..2024", {"mesh.yaml"}}}));
}

TEST(WatchPoints, ALinkMayLeadElsewhere) {
  const TemporaryDirectory here;
  const TemporaryDirectory there;
  fs::create_symlink(there / "real.yaml", here / "mesh.yaml");
  EXPECT_EQ(watch_points(here / "mesh.yaml"),
            (Points{{here.path(), {"mesh.yaml"}}, {there.path(), {"real.yaml"}}}));
}

TEST(WatchPoints, WhatIsMissingIsWaitedForWhereItWouldAppear) {
  const TemporaryDirectory directory;
  EXPECT_EQ(watch_points(directory / "etc/lazymesh/mesh.yaml"),
            (Points{{directory.path(), {"etc"}}}));
}

TEST(WatchPoints, LinksInACircleEnd) {
  const TemporaryDirectory directory;
  fs::create_symlink("b", directory / "a");
  fs::create_symlink("a", directory / "b");
  EXPECT_EQ(watch_points(directory / "a"), (Points{{directory.path(), {"a", "b"}}}));
}

}  // namespace
}  // namespace lazymesh::registry
