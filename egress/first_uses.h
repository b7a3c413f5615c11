#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <absl/container/flat_hash_set.h>

namespace lazymesh::egress {

/// Which pairs of caller and destination a loop has reported already, by their hashes: bounded, the
/// longest unused half forgotten at once when it is full (then they are reported once more). Two
/// pairs with one hash cost one early report; the one at the end of the request is made all the
/// same.
class FirstUses {
 public:
  explicit FirstUses(std::size_t most) : half_(most / 2) {}

  /// True the first time.
  bool insert(std::uint64_t pair) {
    if (recent_.contains(pair)) return false;
    const bool first = older_.erase(pair) == 0;
    if (recent_.size() >= half_) {
      older_ = std::exchange(recent_, {});
    }
    recent_.insert(pair);
    return first;
  }

 private:
  std::size_t half_;
  absl::flat_hash_set<std::uint64_t> recent_;
  absl::flat_hash_set<std::uint64_t> older_;
};

}  // namespace lazymesh::egress
