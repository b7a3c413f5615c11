#include "lazy-controller/registry/file/watch_points.h"

#include <filesystem>

namespace lazymesh::registry {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLinks = 40;  // as Linux's path resolution (path_resolution(7))

}  // namespace

std::map<std::string, std::set<std::string>> watch_points(const std::string& path) {
  std::map<std::string, std::set<std::string>> points;
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
    } else {
      points[at].insert(name);
      break;
    }
  }
  return points;
}

}  // namespace lazymesh::registry
