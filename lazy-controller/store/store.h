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
  /// Called on the store's own thread once the write is committed (or has failed): post it.
  using Committed = std::function<void(Result<void>)>;

  virtual ~Store() = default;

  /// All dependencies; blocks, for start-up only.
  virtual Result<std::vector<mesh::Dependency>> load() = 0;
  /// Insert or update, in order of the calls; returns at once. Writes are gathered into
  /// transactions.
  virtual void save(std::vector<mesh::Dependency> dependencies, Committed committed) = 0;
  virtual void remove(std::vector<mesh::DependencyKey> keys, Committed committed) = 0;
};

/// SQLite in WAL mode at `path`; made if it is not there, its schema migrated if it is old. Errors
/// name the path: not a database, not writable, held by another controller, a schema of a newer
/// release.
Result<std::unique_ptr<Store>> open_sqlite(const std::string& path, prometheus::Registry& metrics);

}  // namespace lazymesh::store
