#include "lazy-controller/registry/file/file_content.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lazymesh::registry {
namespace {

struct File {
  int fd;
  ~File() {
    if (fd >= 0) close(fd);
  }
};

tl::unexpected<Error> failed(const std::string& path) {
  const auto code = errno == ENOENT ? Code::kNotFound : Code::kUnavailable;
  return fail(code, path + ": " + std::generic_category().message(errno));
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  // Without waiting for whoever might be at the other end of a named pipe.
  const File file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat status{};
  if (file.fd < 0 || fstat(file.fd, &status) != 0) return failed(path);
  if (!S_ISREG(status.st_mode)) return fail(Code::kInvalidArgument, path + ": is not a file");
  const auto too_large = [&] {
    return fail(Code::kResourceExhausted,
                path + ": larger than " + std::to_string(max_bytes) + " bytes, the limit");
  };
  if (static_cast<std::size_t>(status.st_size) > max_bytes) return too_large();

  std::string content(static_cast<std::size_t>(status.st_size) + 1, '\0');
  std::size_t size = 0;
  while (true) {
    const auto got = read(file.fd, content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (size > max_bytes) return too_large();
    if (size == content.size()) content.resize(size + 64 * 1024);
  }
  content.resize(size);
  return content;
}

}  // namespace lazymesh::registry
