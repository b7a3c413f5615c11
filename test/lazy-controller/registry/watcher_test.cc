#include "lazy-controller/registry/file/watcher.h"

#include <chrono>

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "test/support/temporary_directory.h"

namespace lazymesh::registry {
namespace {

namespace fs = std::filesystem;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr auto kBroken = "services: [{host: X}]\n";

// A mesh whose only namespace tells versions of the file apart.
std::string mesh_of(const std::string& version) {
  return "namespaces: [{name: " + version + "}]\n";
}

class FileWatcherTest : public testing::Test {
 protected:
  void watch(const fs::path& path) {
    auto watcher = FileWatcher::watch(
        context_, path,
        [this](std::shared_ptr<const mesh::Registry> registry) {
          registries_.push_back(std::move(registry));
        },
        readiness_, metrics_);
    ASSERT_TRUE(watcher) << watcher.error().message;
    watcher_ = std::move(*watcher);
  }

  // Let the context run until `done`.
  template <class Done>
  bool until(Done done) {
    const auto deadline = system_clock().steady() + 20s;
    while (!done() && system_clock().steady() < deadline) context_.run_one_for(100ms);
    return done();
  }

  std::string version() const {
    return registries_.empty() ? "" : registries_.back()->namespaces().at(0).name;
  }
  bool becomes(const std::string& expected) {
    return until([&] { return version() == expected; });
  }
  bool warns() {
    return until([&] { return !readiness_.warnings().empty(); });
  }
  std::string metrics() const { return prometheus::TextSerializer().Serialize(metrics_.Collect()); }

  test::TemporaryDirectory directory_;
  const fs::path file_ = directory_ / "mesh.yaml";
  Readiness readiness_;
  prometheus::Registry metrics_;
  std::vector<std::shared_ptr<const mesh::Registry>> registries_;
  boost::asio::io_context context_;
  std::unique_ptr<FileWatcher> watcher_;
};

TEST_F(FileWatcherTest, TheFirstLoadMakesReady) {
  test::write_file(file_, mesh_of("one"));
  watch(file_);
  EXPECT_THAT(readiness_.blockers(),
              ElementsAre("registry: " + file_.string() + " is not loaded yet"));
  EXPECT_TRUE(registries_.empty());
  EXPECT_TRUE(becomes("one"));
  EXPECT_TRUE(until([&] { return readiness_.ready(); }));
}

TEST_F(FileWatcherTest, AnEditInPlaceIsSeen) {
  test::write_file(file_, mesh_of("one"));
  watch(file_);
  ASSERT_TRUE(becomes("one"));
  test::write_file(file_, mesh_of("two"));
  EXPECT_TRUE(becomes("two"));
  EXPECT_EQ(registries_.size(), 2U);
}

TEST_F(FileWatcherTest, AReplacementByRenameIsSeen) {
  test::write_file(file_, mesh_of("one"));
  watch(file_);
  ASSERT_TRUE(becomes("one"));
  for (const auto* next : {"two", "three"}) {
    test::write_file(directory_ / "mesh.yaml.tmp", mesh_of(next));
    fs::rename(directory_ / "mesh.yaml.tmp", file_);
    EXPECT_TRUE(becomes(next));
  }
}

TEST_F(FileWatcherTest, ASwappedConfigMapIsSeen) {
  const auto version_directory = [&](const std::string& name) {
    fs::create_directory(directory_ / name);
    test::write_file(directory_ / name / "mesh.yaml", mesh_of("v" + name.substr(2)));
  };
  version_directory("..1");
  fs::create_symlink("..1", directory_ / "..data");
  fs::create_symlink("..data/mesh.yaml", file_);
  watch(file_);
  ASSERT_TRUE(becomes("v1"));
  for (const std::string number : {"2", "3"}) {
    version_directory(".." + number);
    fs::create_symlink(".." + number, directory_ / "..data_tmp");
    fs::rename(directory_ / "..data_tmp", directory_ / "..data");
    fs::remove_all(directory_ / (".." + std::to_string(std::stoi(number) - 1)));
    EXPECT_TRUE(becomes("v" + number));
  }
}

TEST_F(FileWatcherTest, AnEditBehindALinkIsSeen) {
  const test::TemporaryDirectory elsewhere;
  test::write_file(elsewhere / "real.yaml", mesh_of("one"));
  fs::create_symlink(elsewhere / "real.yaml", file_);
  watch(file_);
  ASSERT_TRUE(becomes("one"));
  test::write_file(elsewhere / "real.yaml", mesh_of("two"));
  EXPECT_TRUE(becomes("two"));
}

TEST_F(FileWatcherTest, ARemovedFileLeavesTheLastGoodInForce) {
  test::write_file(file_, mesh_of("one"));
  watch(file_);
  ASSERT_TRUE(becomes("one"));
  fs::remove(file_);
  ASSERT_TRUE(warns());
  EXPECT_THAT(readiness_.warnings(),
              ElementsAre("registry: " + file_.string() +
                          ": No such file or directory; the last good one is in force"));
  EXPECT_TRUE(readiness_.ready());
  EXPECT_EQ(registries_.size(), 1U);
  // The same content again: nothing new, but no longer broken.
  test::write_file(file_, mesh_of("one"));
  EXPECT_TRUE(until([&] { return readiness_.warnings().empty(); }));
  test::write_file(file_, mesh_of("two"));
  EXPECT_TRUE(becomes("two"));
}

TEST_F(FileWatcherTest, ARemovedDirectoryIsWaitedFor) {
  const auto inner = directory_ / "inner";
  fs::create_directory(inner);
  test::write_file(inner / "mesh.yaml", mesh_of("one"));
  watch(inner / "mesh.yaml");
  ASSERT_TRUE(becomes("one"));
  fs::remove_all(inner);
  ASSERT_TRUE(warns());
  fs::create_directory(inner);
  test::write_file(inner / "mesh.yaml", mesh_of("two"));
  EXPECT_TRUE(becomes("two"));
}

TEST_F(FileWatcherTest, AReplacedDirectoryIsSeen) {
  const auto inner = directory_ / "inner";
  for (const std::string name : {"inner", "next"}) {
    fs::create_directory(directory_ / name);
    test::write_file(directory_ / name / "mesh.yaml", mesh_of(name));
  }
  watch(inner / "mesh.yaml");
  ASSERT_TRUE(becomes("inner"));
  fs::rename(inner, directory_ / "old");
  fs::rename(directory_ / "next", inner);
  EXPECT_TRUE(becomes("next"));
}

TEST_F(FileWatcherTest, AReplacedDirectoryFurtherUpIsSeen) {
  const auto release = directory_ / "release";
  for (const std::string name : {"release", "next", "last"}) {
    fs::create_directories(directory_ / name / "conf/mesh");
    test::write_file(directory_ / name / "conf/mesh/mesh.yaml", mesh_of(name));
  }
  watch(release / "conf/mesh/mesh.yaml");
  ASSERT_TRUE(becomes("release"));
  for (const std::string next : {"next", "last"}) {
    fs::rename(release, directory_ / ("before-" + next));
    fs::rename(directory_ / next, release);
    EXPECT_TRUE(becomes(next));
  }
}

TEST_F(FileWatcherTest, ABrokenEditIsShownAndChangesNothing) {
  test::write_file(file_, mesh_of("one"));
  watch(file_);
  ASSERT_TRUE(becomes("one"));
  test::write_file(file_, kBroken);
  ASSERT_TRUE(warns());
  EXPECT_THAT(readiness_.warnings(),
              ElementsAre(StartsWith("registry: " + file_.string() +
                                     ":1:19: services[0].host: 'X' is not a DNS name")));
  EXPECT_TRUE(readiness_.ready());
  EXPECT_EQ(registries_.size(), 1U);
  EXPECT_THAT(metrics(), HasSubstr("lazymesh_registry_broken 1"));
  EXPECT_THAT(metrics(), HasSubstr("lazymesh_registry_reload_total{result=\"error\"} 1"));

  test::write_file(file_, mesh_of("two"));
  ASSERT_TRUE(becomes("two"));
  EXPECT_THAT(readiness_.warnings(), IsEmpty());
  EXPECT_THAT(metrics(), HasSubstr("lazymesh_registry_broken 0"));
  EXPECT_THAT(metrics(), HasSubstr("lazymesh_registry_reload_total{result=\"ok\"} 2"));
}

TEST_F(FileWatcherTest, AMissingFileBlocksUntilItAppears) {
  watch(file_);
  ASSERT_TRUE(until([&] {
    const auto blockers = readiness_.blockers();
    return !blockers.empty() && blockers[0].ends_with("No such file or directory");
  }));
  test::write_file(file_, kBroken);
  ASSERT_TRUE(until([&] {
    const auto blockers = readiness_.blockers();
    return !blockers.empty() && blockers[0].find("services[0].host") != std::string::npos;
  }));
  EXPECT_TRUE(registries_.empty());
  test::write_file(file_, mesh_of("one"));
  EXPECT_TRUE(becomes("one"));
  EXPECT_TRUE(until([&] { return readiness_.ready(); }));
}

TEST_F(FileWatcherTest, AMissingDirectoryIsWaitedFor) {
  watch(directory_ / "a/b/mesh.yaml");
  ASSERT_TRUE(until([&] {
    const auto blockers = readiness_.blockers();
    return !blockers.empty() && blockers[0].ends_with("No such file or directory");
  }));
  fs::create_directories(directory_ / "a/b");
  test::write_file(directory_ / "a/b/mesh.yaml", mesh_of("one"));
  EXPECT_TRUE(becomes("one"));
}

TEST_F(FileWatcherTest, WhatIsNoFileIsNotReadFrom) {
  ASSERT_EQ(mkfifo(file_.c_str(), 0600), 0);
  watch(file_);
  EXPECT_TRUE(until([&] {
    const auto blockers = readiness_.blockers();
    return !blockers.empty() && blockers[0].ends_with("is not a file");
  }));
}

TEST_F(FileWatcherTest, TheSameBytesAreNoChange) {
  test::write_file(file_, mesh_of("one"));
  watch(file_);
  ASSERT_TRUE(becomes("one"));
  test::write_file(file_, mesh_of("one"));
  ASSERT_TRUE(until([&] {
    return metrics().find("lazymesh_registry_reload_total{result=\"unchanged\"} 1") !=
           std::string::npos;
  }));
  test::write_file(file_, mesh_of("two"));
  ASSERT_TRUE(becomes("two"));
  EXPECT_EQ(registries_.size(), 2U);
}

TEST_F(FileWatcherTest, UnchangedServicesAreTheSameObjects) {
  const std::string service =
      "services: [{host: x.a.svc.cluster.local, namespace: a, ports: [{number: 1, protocol: "
      "tcp}]}]\n";
  test::write_file(file_, "namespaces: [{name: a}]\n" + service);
  watch(file_);
  ASSERT_TRUE(until([&] { return registries_.size() == 1; }));
  test::write_file(file_, "namespaces: [{name: a}, {name: b}]\n" + service);
  ASSERT_TRUE(until([&] { return registries_.size() == 2; }));
  EXPECT_EQ(registries_[0]->services(), registries_[1]->services());
}

TEST_F(FileWatcherTest, WhatIsInForceIsCounted) {
  test::write_file(file_, R"(
namespaces: [{name: a}, {name: b}]
services:
- {host: x.a.svc.cluster.local, namespace: a, ports: [{number: 1, protocol: tcp}], endpoints: [
    {address: 10.0.0.1, port: 1}, {address: 10.0.0.2, port: 1}, {address: 10.0.0.3, port: 1}]}
workloads:
- {namespace: a, name: w}
- {namespace: a, name: v}
)");
  watch(file_);
  ASSERT_TRUE(becomes("a"));
  EXPECT_THAT(metrics(), HasSubstr("lazymesh_registry_namespaces 2"));
  EXPECT_THAT(metrics(), HasSubstr("lazymesh_registry_services 1"));
  EXPECT_THAT(metrics(), HasSubstr("lazymesh_registry_endpoints 3"));
  EXPECT_THAT(metrics(), HasSubstr("lazymesh_registry_workloads 2"));
}

TEST_F(FileWatcherTest, MayBeDestroyedAtAnyMoment) {
  test::write_file(file_, mesh_of("one"));
  watch(file_);
  watcher_.reset();  // before it has begun
  context_.run();
  context_.restart();
  EXPECT_TRUE(registries_.empty());

  watch(file_);
  context_.run_one();  // while it reads
  watcher_.reset();
  context_.run();
  EXPECT_TRUE(registries_.empty());
}

}  // namespace
}  // namespace lazymesh::registry
