#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include <absl/container/flat_hash_map.h>

namespace lazymesh::publish::xds {

/// Finds again what somebody still holds. Entries of what is gone are swept out whenever the map
/// has doubled, so that it stays within twice what is alive. One thread.
template <class Key, class Value>
class WeakMap {
 public:
  std::shared_ptr<const Value> find(const auto& key) const {
    const auto found = map_.find(key);
    return found == map_.end() ? nullptr : found->second.lock();
  }

  void put(Key key, const std::shared_ptr<const Value>& value) {
    if (map_.size() >= sweep_at_) {
      absl::erase_if(map_, [](const auto& entry) { return entry.second.expired(); });
      sweep_at_ = std::max(kSmallest, 2 * map_.size());
    }
    map_.insert_or_assign(std::move(key), value);
  }

  void clear() { map_.clear(); }

 private:
  static constexpr std::size_t kSmallest = 16;
  absl::flat_hash_map<Key, std::weak_ptr<const Value>> map_;
  std::size_t sweep_at_ = kSmallest;
};

}  // namespace lazymesh::publish::xds
