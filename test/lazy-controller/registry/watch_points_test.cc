#include "lazy-controller/registry/file/watch_points.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/temporary_directory.h"

namespace lazymesh::registry {
namespace {

namespace fs = std::filesystem;
using test::TemporaryDirectory;

// With all that is passed on the way from the root.
WatchPoints points(WatchPoints result) {
  const auto named = result;
  for (const auto& [directory, names] : named) {
    for (auto at = fs::path(directory); at != "/"; at = at.parent_path()) result[at];
  }
  return result;
}

TEST(WatchPoints, APlainFileIsWatchedInItsDirectory) {
  const TemporaryDirectory directory;
  EXPECT_EQ(watch_points(directory / "mesh.yaml"), points({{directory.path(), {"mesh.yaml"}}}));
}

TEST(WatchPoints, ARelativePathBeginsHere) {
  EXPECT_EQ(watch_points("docs/mesh-file.md"),
            points({{(fs::current_path() / "docs").string(), {"mesh-file.md"}}}));
  EXPECT_EQ(watch_points("./docs/.././docs//mesh-file.md"), watch_points("docs/mesh-file.md"));
}

TEST(WatchPoints, EveryLinkOnTheWayIsWatched) {
  const TemporaryDirectory directory;
  fs::create_directory(directory / "..2024");
  fs::create_symlink("..2024", directory / "..data");
  fs::create_symlink("..data/mesh.yaml", directory / "mesh.yaml");
  EXPECT_EQ(
      watch_points(directory / "mesh.yaml"),
      points({{directory.path(), {"..data", "mesh.yaml"}}, {directory / "..2024", {"mesh.yaml"}}}));
}

TEST(WatchPoints, ALinkMayLeadElsewhere) {
  const TemporaryDirectory here;
  const TemporaryDirectory there;
  fs::create_symlink(there / "real.yaml", here / "mesh.yaml");
  EXPECT_EQ(watch_points(here / "mesh.yaml"),
            points({{here.path(), {"mesh.yaml"}}, {there.path(), {"real.yaml"}}}));
}

TEST(WatchPoints, WhatIsMissingIsWaitedForWhereItWouldAppear) {
  const TemporaryDirectory directory;
  EXPECT_EQ(watch_points(directory / "etc/lazymesh/mesh.yaml"),
            points({{directory.path(), {"etc"}}}));
}

TEST(WatchPoints, LinksInACircleEnd) {
  const TemporaryDirectory directory;
  fs::create_symlink("b", directory / "a");
  fs::create_symlink("a", directory / "b");
  EXPECT_EQ(watch_points(directory / "a"), points({{directory.path(), {"a", "b"}}}));
}

TEST(WatchPoints, AreWatchedAgainUntilTheyHaveSettled) {
  const TemporaryDirectory directory;
  std::vector<WatchPoints> watched;
  watch_until_settled(directory / "etc/lazymesh/mesh.yaml", [&](const auto& now) {
    watched.push_back(now);
    if (watched.size() == 1) fs::create_directory(directory / "etc");  // before it was watched
    if (watched.size() == 2) fs::create_directory(directory / "etc/lazymesh");
  });
  EXPECT_EQ(watched, (std::vector{points({{directory.path(), {"etc"}}}),
                                  points({{directory / "etc", {"lazymesh"}}}),
                                  points({{directory / "etc/lazymesh", {"mesh.yaml"}}})}));
}

}  // namespace
}  // namespace lazymesh::registry
