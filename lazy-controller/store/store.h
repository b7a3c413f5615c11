#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "mesh/types.h"

namespace prometheus {
class Registry;
}

namespace lazymesh::store {

/// What outlives the controller: the dependencies, of which scopes are made.
class Store {
 public:
  /// Called on the store's own thread once the write is committed or has failed, or at once where
  /// there is no room for it: post it.
  using Committed = std::function<void(Result<void>)>;

  virtual ~Store() = default;

  /// All dependencies; blocks, for start-up only.
  virtual Result<std::vector<mesh::Dependency>> load() = 0;
  /// Insert or update, in order of the calls; returns at once. Writes are gathered into
  /// transactions. An update never loses: the earlier first_seen, the later last_seen and the
  /// higher count win; protocol and reason are the last ones saved. `committed` is called whatever
  /// happens; after a failure the store goes on, and the caller may save again. A null `committed`
  /// says that the write may be dropped when the queue is long.
  virtual void save(std::vector<mesh::Dependency> dependencies, Committed committed) = 0;
  virtual void remove(std::vector<mesh::DependencyKey> keys, Committed committed) = 0;
};

/// Limits of the SQLite store, in dependencies.
struct SqliteLimits {
  /// Not yet written: above it, writes fail with kResourceExhausted; above half of it, those
  /// without a callback are dropped.
  std::size_t queue = 100'000;
  std::size_t transaction = 10'000;  ///< in one transaction, unless one write alone has more
};

/// SQLite in WAL mode at `path`; made if it is not there, its schema migrated if it is old; held
/// alone, by a lock on `path`.lock, for as long as the store lives. What is committed survives the
/// death of the process and the loss of power at any moment. The destructor writes
/// what is queued. Errors name the path: not a database, not writable, held by another controller,
/// a schema of a newer release.
Result<std::unique_ptr<Store>> open_sqlite(const std::string& path, prometheus::Registry& metrics,
                                           SqliteLimits limits = {});

}  // namespace lazymesh::store
