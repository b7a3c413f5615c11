#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "lazy-controller/registry/file/part.h"

namespace lazymesh::registry {

/// Why a document is refused.
struct Problem {
  Mark mark;
  std::string path;  ///< empty for the document as a whole
  std::string reason;
};

/// Keeps the first problem; whoever finds one goes on with any value, which is then thrown away.
class Problems {
 public:
  void add(Problem problem) {
    if (!first_) first_ = std::move(problem);
  }
  void add(const Value& value, std::string reason) {
    if (!first_) first_ = Problem{value.mark(), value.path(), std::move(reason)};
  }
  bool any() const { return first_.has_value(); }
  const std::optional<Problem>& first() const { return first_; }

 private:
  std::optional<Problem> first_;
};

/// Receives a document part by part, in the order in which it is written. `part` is refilled after
/// each call.
class PartHandler {
 public:
  virtual ~PartHandler() = default;
  /// A key of the document itself.
  virtual void on_key(std::string_view key, Mark mark) = 0;
  /// An element of the list under `key`.
  virtual void on_element(std::string_view key, std::size_t index, const Part& part) = 0;
  /// What is under `key`, where that is no list.
  virtual void on_value(std::string_view key, const Part& part) = 0;
};

/// Read one YAML document, whose root is a mapping, by events: neither the document nor a tree of
/// it is ever in memory, only the part that is handed on. Ends early once there is a problem.
/// Refused: more than one document, anchors, aliases, tags, keys that are no scalars, more than 64
/// levels, bytes that are not UTF-8. Duplicate keys within a part are left to the handler.
void read_yaml(std::string_view yaml, PartHandler& handler, Problems& problems);

}  // namespace lazymesh::registry
