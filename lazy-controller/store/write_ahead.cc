#include "lazy-controller/store/write_ahead.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace lazymesh::store {
namespace {

using mesh::Dependency;
using mesh::DependencyKey;

template <class Write>
void in_pieces(std::vector<Dependency> dependencies, const Write& write) {
  const auto move = [](auto iterator) { return std::make_move_iterator(iterator); };
  for (auto begin = dependencies.begin(); begin != dependencies.end();) {
    const auto size =
        std::min<std::ptrdiff_t>(WriteAhead::kMaxRows, std::distance(begin, dependencies.end()));
    write(std::vector<Dependency>(move(begin), move(begin + size)));
    begin += size;
  }
}

}  // namespace

void WriteAhead::learned(std::vector<Dependency> dependencies) {
  save(std::move(dependencies), [this](const auto& each, const auto& saved) {
    ended(each, saved);
    std::vector<DependencyKey> keys;
    keys.reserve(each.size());
    for (const auto& dependency : each) keys.push_back(dependency.key);
    publish_(keys);
  });
}

void WriteAhead::forget(std::vector<DependencyKey> keys) {
  if (keys.empty()) return;
  for (const auto& key : keys) owed_.erase(key);
  if (owed_.empty()) trouble_.clear();
  store_.remove(std::move(keys), nullptr);
}

void WriteAhead::round(std::vector<Dependency> touched) {
  std::vector<Dependency> again;
  for (auto& [key, owed] : owed_) {
    if (!std::exchange(owed.being_saved, true)) again.push_back(owed.dependency);
  }
  save(std::move(again), [this](const auto& each, const auto& saved) { ended(each, saved); });
  in_pieces(std::move(touched),
            [this](std::vector<Dependency> piece) { store_.save(std::move(piece), nullptr); });
}

template <class Ended>
void WriteAhead::save(std::vector<Dependency> dependencies, Ended ended) {
  in_pieces(std::move(dependencies), [&](std::vector<Dependency> piece) {
    // Called on the store's thread, perhaps when this is gone: nothing of this is touched there.
    auto committed = [post = post_, ended, piece](Result<void> saved) mutable {
      post([ended, piece = std::move(piece), saved = std::move(saved)] { ended(piece, saved); });
    };
    store_.save(std::move(piece), std::move(committed));
  });
}

void WriteAhead::ended(const std::vector<Dependency>& dependencies, const Result<void>& saved) {
  for (const auto& each : dependencies) {
    if (saved) {
      owed_.erase(each.key);
    } else {
      owed_.insert_or_assign(each.key, Owed{each});
    }
  }
  if (!saved) trouble_ = readiness_.warn("store: " + saved.error().message);
  if (owed_.empty()) trouble_.clear();
}

}  // namespace lazymesh::store
