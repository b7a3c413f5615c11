#include "lazy-controller/registry/file/watch_points.h"

#include <filesystem>

namespace lazymesh::registry {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLinks = 40;  // as Linux's path resolution (path_resolution(7))

}  // namespace

WatchPoints watch_points(const std::string& path) {
  WatchPoints points;
  std::error_code ignored;
  fs::path at = "/";
  fs::path rest = fs::absolute(path, ignored).relative_path();
  int links = 0;
  while (!rest.empty()) {
    const fs::path name = *rest.begin();
    fs::path after;
    for (auto part = std::next(rest.begin()); part != rest.end(); ++part) after /= *part;
    rest = std::move(after);
    if (name == "..") {
      at = at.parent_path();
      continue;
    }
    if (name.empty() || name == ".") continue;

    const fs::path next = at / name;
    const auto status = fs::symlink_status(next, ignored);
    if (fs::is_symlink(status) && ++links <= kMaxLinks) {
      points[at].insert(name);
      const fs::path target = fs::read_symlink(next, ignored);
      rest = target.relative_path() / rest;
      if (target.is_absolute()) at = "/";
    } else if (fs::is_directory(status) && !rest.empty()) {
      at = next;
      points[at];
    } else {
      points[at].insert(name);
      break;
    }
  }
  return points;
}

void watch_until_settled(const std::string& path,
                         const std::function<void(const WatchPoints& points)>& watch) {
  auto points = watch_points(path);
  while (true) {
    watch(points);
    auto now = watch_points(path);
    if (now == points) return;
    points = std::move(now);
  }
}

}  // namespace lazymesh::registry
