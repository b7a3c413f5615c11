#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <vector>

#include "base/readiness.h"
#include "lazy-controller/store/store.h"

namespace lazymesh::store {

/// Saves what is learned before it is published, since what a sidecar was told must outlive us.
/// Serving comes first: what could not be saved is published all the same; it is then owed, saved
/// again in every round, and /readyz warns until nothing is owed. Told what happened; lives on the
/// control thread.
class WriteAhead {
 public:
  /// Rows of one write, so that a full queue refuses no more than that.
  static constexpr std::size_t kMaxRows = 1000;

  /// Takes a task to the control thread; called on any.
  using Post = std::function<void(std::function<void()>)>;
  /// These are saved or owed now: once for all that learned() was given.
  using Publish = std::function<void(const std::vector<mesh::DependencyKey>&)>;

  /// What is posted is not run any more once this is destroyed; `store` outlives it.
  WriteAhead(Store& store, Readiness& readiness, Post post, Publish publish)
      : store_(store),
        readiness_(readiness),
        post_(std::move(post)),
        publish_(std::move(publish)) {}

  void learned(std::vector<mesh::Dependency> dependencies);
  /// These are depended on no more.
  void forget(std::vector<mesh::DependencyKey> keys);
  /// Now and then, with the counts and times that moved: those may get lost, what is owed may not.
  void round(std::vector<mesh::Dependency> touched);

 private:
  struct Owed {
    mesh::Dependency dependency;
    bool being_saved = false;
  };

  void ended(const std::vector<mesh::Dependency>& dependencies, const Result<void>& saved);
  template <class Ended>
  void save(std::vector<mesh::Dependency> dependencies, Ended ended);

  Store& store_;
  Readiness& readiness_;
  const Post post_;
  const Publish publish_;
  std::map<mesh::DependencyKey, Owed> owed_;
  Readiness::Token trouble_;  // while anything is owed
};

}  // namespace lazymesh::store
