#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

namespace lazymesh::registry {

/// Directories, each with the names in it that matter; with none, only whether it stays where it
/// is.
using WatchPoints = std::map<std::string, std::set<std::string>>;

/// What to watch for a file at `path` to be seen changing: the names of the file, of each symbolic
/// link on the way to it and of what is missing on the way, in the directories where they are or
/// would be; and each directory that is passed, which may be moved away.
WatchPoints watch_points(const std::string& path);

/// Have the points watched, and those that they have become meanwhile, until they stay the same:
/// what is made before it is watched is not seen being made.
void watch_until_settled(const std::string& path,
                         const std::function<void(const WatchPoints& points)>& watch);

}  // namespace lazymesh::registry
