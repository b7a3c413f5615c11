#pragma once

#include <map>
#include <set>
#include <string>

namespace lazymesh::registry {

/// The directories to watch for a file at `path` to be seen changing, each with the names in it
/// that matter: where the file is, where each symbolic link on the way to it is, and where
/// something on the way is missing, the last directory that exists.
std::map<std::string, std::set<std::string>> watch_points(const std::string& path);

}  // namespace lazymesh::registry
