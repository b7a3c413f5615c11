#pragma once

#include <filesystem>
#include <string>

#include <unistd.h>

#include "mesh/types.h"

namespace lazymesh::store::test {

/// A directory of this test's own, removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "lazymesh-store-").string() +
                       std::string(6, 'X');  // for mkdtemp
    path_ = ::mkdtemp(name.data());
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// The number-th of many dependencies.
inline mesh::Dependency dependency(int number) {
  return {{{"shop", "web-" + std::to_string(number % 100)},
           "service-" + std::to_string(number) + ".shop.svc.cluster.local",
           9080},
          mesh::Protocol::kHttp2,
          mesh::Reason::kLearned,
          WallTime{} + std::chrono::nanoseconds(1'700'000'000'123'456'789),
          WallTime{} + std::chrono::nanoseconds(1'700'000'100'123'456'789),
          static_cast<std::uint64_t>(number)};
}

}  // namespace lazymesh::store::test
