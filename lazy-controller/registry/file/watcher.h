#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/readiness.h"
#include "base/result.h"
#include "mesh/registry.h"

namespace boost::asio {
class io_context;
}
namespace prometheus {
class Registry;
}

namespace lazymesh::registry {

/// Keeps a registry in step with a mesh file: loads it, watches it (inotify, also through renames
/// and symlinks as editors and ConfigMaps make them), and calls `changed` with each new registry. A
/// broken edit is logged, counted and shown on /readyz as a warning with file, line and reason, and
/// the last good registry stays in force. While no good registry was ever read, the program is not
/// ready. The file is read on a thread of its own; everything else happens on the context's, and
/// nothing of it, the first load included, before the context runs.
class FileWatcher {
 public:
  using Changed = std::function<void(std::shared_ptr<const mesh::Registry>)>;

  /// kUnavailable if the system gives no inotify instance. That the file is missing or broken is no
  /// error: it is waited for. `readiness` and `metrics` outlive the watcher.
  static Result<std::unique_ptr<FileWatcher>> watch(boost::asio::io_context& context,
                                                    std::string path, Changed changed,
                                                    Readiness& readiness,
                                                    prometheus::Registry& metrics);
  /// On the context's thread, or when it does not run; `changed` is not called any more.
  virtual ~FileWatcher() = default;
};

}  // namespace lazymesh::registry
