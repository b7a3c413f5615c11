#include "lazy-controller/store/file_lock.h"

#include <array>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace lazymesh::store {
namespace {

std::string owner_of(int fd) {
  std::array<char, 32> text{};
  const auto size = ::pread(fd, text.data(), text.size(), 0);
  std::string pid(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return pid.substr(0, pid.find('\n'));
}

}  // namespace

Result<FileLock> FileLock::acquire(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    const int error = errno;
    const std::string reason = path + ": " + std::system_category().message(error);
    if (error == ENOENT || error == ENOTDIR) {
      return fail(Code::kNotFound, reason + "; make the directory, or name another file");
    }
    return fail(Code::kPermissionDenied,
                reason + "; let this user write there, or name another file");
  }
  FileLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return fail(Code::kAlreadyExists, path + ": held by another controller (process " +
                                          owner_of(fd) + "); end that one, or name another file");
  }
  // The process id only informs; the lock is what counts.
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    return fail(Code::kUnavailable, path + ": " + std::system_category().message(errno) +
                                        "; free some space, or name another file");
  }
  return lock;
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace lazymesh::store
