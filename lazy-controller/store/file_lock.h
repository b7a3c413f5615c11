#pragma once

#include <string>

#include "base/result.h"

namespace lazymesh::store {

/// A lock on a file of its own, held for as long as this value lives or the process does; the file
/// stays and holds the owner's process id. (flock: the kernel lets go of it however a process
/// ends.)
class FileLock {
 public:
  /// kAlreadyExists, naming the owner, if another holds it; kPermissionDenied or kNotFound with a
  /// remedy if the file cannot be made.
  static Result<FileLock> acquire(const std::string& path);

  FileLock(FileLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace lazymesh::store
