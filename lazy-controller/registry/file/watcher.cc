#include "lazy-controller/registry/file/watcher.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <system_error>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <spdlog/spdlog.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lazy-controller/registry/file/file_content.h"
#include "lazy-controller/registry/file/loader.h"
#include "lazy-controller/registry/file/watch_points.h"
#include "sidecar/resource.h"

namespace lazymesh::registry {
namespace {

namespace asio = boost::asio;

// One edit is several events: a temporary file, a rename, a swapped link.
constexpr std::chrono::milliseconds kDebounce{20};

// Not IN_MODIFY: a file that is being written is read when its writer is done.
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM |
                                  IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |
                                  IN_ONLYDIR;
// Of a directory that is only passed on the way. It may be another point, too.
constexpr std::uint32_t kMoves = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD;

struct Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : reloads(prometheus::BuildCounter()
                    .Name("lazymesh_registry_reload_total")
                    .Help("Mesh files read, by result")
                    .Register(registry)),
        good(reloads.Add({{"result", "ok"}})),
        bad(reloads.Add({{"result", "error"}})),
        unchanged(reloads.Add({{"result", "unchanged"}})),
        broken(gauge(registry, "lazymesh_registry_broken", "1 while the mesh file cannot be used")),
        namespaces(gauge(registry, "lazymesh_registry_namespaces", "Namespaces in force")),
        services(gauge(registry, "lazymesh_registry_services", "Services in force")),
        endpoints(gauge(registry, "lazymesh_registry_endpoints", "Endpoints in force")),
        workloads(gauge(registry, "lazymesh_registry_workloads", "Workloads in force")) {}

  static prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name,
                                  const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }

  void count(const mesh::Registry& registry) {
    std::size_t all = 0;
    for (const auto& service : registry.services()) all += service->endpoints.size();
    namespaces.Set(static_cast<double>(registry.namespaces().size()));
    services.Set(static_cast<double>(registry.services().size()));
    endpoints.Set(static_cast<double>(all));
    workloads.Set(static_cast<double>(registry.workloads().size()));
  }

  prometheus::Family<prometheus::Counter>& reloads;
  prometheus::Counter& good;
  prometheus::Counter& bad;
  prometheus::Counter& unchanged;
  prometheus::Gauge& broken;
  prometheus::Gauge& namespaces;
  prometheus::Gauge& services;
  prometheus::Gauge& endpoints;
  prometheus::Gauge& workloads;
};

// What became of one reading of the file.
struct Reading {
  std::optional<std::uint64_t> digest;  // of what was read, if anything was
  bool unchanged = false;               // the same bytes as last time
  Result<std::shared_ptr<const mesh::Registry>> registry = nullptr;
};

Reading read_mesh(const std::string& path, std::optional<std::uint64_t> last_digest,
                  const mesh::Registry& previous) {
  Reading reading;
  const auto content = read_file(path, kMaxMeshFileBytes);
  if (!content) {
    reading.registry = tl::unexpected(content.error());
    return reading;
  }
  reading.digest = sidecar::content_hash(*content);
  reading.unchanged = reading.digest == last_digest;
  if (!reading.unchanged) reading.registry = load_mesh(*content, path, previous);
  return reading;
}

// A regular file that was just made is read when its writer closes it; a link is complete at once.
bool is_being_written(const std::string& path) {
  struct stat status{};
  return lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1;
}

class Watch final : public std::enable_shared_from_this<Watch> {
 public:
  Watch(asio::io_context& context, int inotify, std::string path, FileWatcher::Changed changed,
        Readiness& readiness, prometheus::Registry& metrics)
      : context_(context),
        inotify_(context, inotify),
        debounce_(context),
        path_(std::move(path)),
        changed_(std::move(changed)),
        readiness_(readiness),
        metrics_(metrics),
        state_(readiness.block("registry: " + path_ + " is not loaded yet")) {}

  void start() {
    asio::post(context_, [self = shared_from_this()] {
      if (self->closed_) return;
      self->wait();
      self->load();
    });
  }

  void close() {
    closed_ = true;
    boost::system::error_code ignored;
    inotify_.close(ignored);
    debounce_.cancel();
    reader_.join();
  }

 private:
  struct Directory {
    std::string path;
    std::set<std::string> names;
  };

  void wait() {
    inotify_.async_wait(asio::posix::stream_descriptor::wait_read,
                        [self = shared_from_this()](boost::system::error_code error) {
                          if (error || self->closed_) return;
                          if (self->read_events()) self->load_soon();
                          self->wait();
                        });
  }

  // Whether any event concerns the file.
  bool read_events() {
    bool concerned = false;
    alignas(inotify_event) std::array<char, 16 * 1024> buffer;
    while (true) {
      const auto size = ::read(inotify_.native_handle(), buffer.data(), buffer.size());
      if (size <= 0) return concerned;
      for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
        inotify_event event{};
        std::memcpy(&event, buffer.data() + at, sizeof(event));
        const char* name = buffer.data() + at + sizeof(event);
        concerned = concerns(event, event.len == 0 ? "" : name) || concerned;
        at += sizeof(event) + event.len;
      }
    }
  }

  bool concerns(const inotify_event& event, const std::string& name) {
    if ((event.mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF)) != 0) return true;
    const auto watched = directories_.find(event.wd);
    if (watched == directories_.end()) return false;
    const auto& directory = watched->second;
    if ((event.mask & IN_IGNORED) != 0) {  // the directory is gone
      directories_.erase(watched);
      return true;
    }
    if (!directory.names.contains(name)) return false;
    return (event.mask & IN_CREATE) == 0 || !is_being_written(directory.path + "/" + name);
  }

  void load_soon() {
    if (std::exchange(load_pending_, true)) return;
    debounce_.expires_after(kDebounce);
    debounce_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      self->load_pending_ = false;
      if (!error && !self->closed_) self->load();
    });
  }

  void load() {
    if (loading_) {
      load_again_ = true;
      return;
    }
    loading_ = true;
    // Before reading, so that no edit is missed.
    watch_until_settled(path_, [this](const auto& points) { watch_directories(points); });
    const auto previous = registry_ ? registry_ : mesh::Registry::empty();
    asio::post(reader_, [weak = weak_from_this(), &context = context_, path = path_,
                         digest = digest_, previous] {
      auto reading = std::make_shared<Reading>(read_mesh(path, digest, *previous));
      asio::post(context, [weak, reading] {
        const auto self = weak.lock();
        if (self && !self->closed_) self->finish(std::move(*reading));
      });
    });
  }

  void finish(Reading reading) {
    loading_ = false;
    digest_ = reading.digest;
    if (reading.unchanged) {
      metrics_.unchanged.Increment();
    } else if (reading.registry) {
      adopt(std::move(*reading.registry));
    } else {
      refuse(reading.registry.error());
    }
    if (!closed_ && std::exchange(load_again_, false)) load();
  }

  void adopt(std::shared_ptr<const mesh::Registry> registry) {
    registry_ = std::move(registry);
    metrics_.good.Increment();
    metrics_.broken.Set(0);
    metrics_.count(*registry_);
    spdlog::info("registry: {}: {} services, {} workloads in force", path_,
                 registry_->services().size(), registry_->workloads().size());
    changed_(registry_);
    state_.clear();
  }

  void refuse(const Error& error) {
    metrics_.bad.Increment();
    metrics_.broken.Set(1);
    spdlog::error("registry: {}", error.message);
    const std::string reason = "registry: " + error.message;
    state_ = registry_ ? readiness_.warn(reason + "; the last good one is in force")
                       : readiness_.block(reason);
  }

  void watch_directories(const WatchPoints& points) {
    std::map<int, Directory> now;
    for (const auto& [directory, names] : points) {
      const int id = inotify_add_watch(inotify_.native_handle(), directory.c_str(),
                                       names.empty() ? kMoves : kEvents);
      if (id >= 0) {
        now[id].path = directory;
        now[id].names.insert(names.begin(), names.end());
      } else if (errno != ENOENT) {
        spdlog::warn("registry: cannot watch {}: {}; edits of {} may go unseen", directory,
                     std::generic_category().message(errno), path_);
      }
    }
    for (const auto& [id, directory] : directories_) {
      if (!now.contains(id)) inotify_rm_watch(inotify_.native_handle(), id);
    }
    directories_ = std::move(now);
  }

  asio::io_context& context_;
  asio::posix::stream_descriptor inotify_;
  asio::steady_timer debounce_;
  const std::string path_;
  FileWatcher::Changed changed_;
  Readiness& readiness_;
  Metrics metrics_;
  Readiness::Token state_;  // what /readyz says of the registry
  std::map<int, Directory> directories_;
  std::shared_ptr<const mesh::Registry> registry_;  // the last good one; null before the first
  std::optional<std::uint64_t> digest_;             // of the file as it was last read
  bool closed_ = false;
  bool load_pending_ = false;
  bool loading_ = false;
  bool load_again_ = false;
  asio::thread_pool reader_{1};
};

class Watcher final : public FileWatcher {
 public:
  explicit Watcher(std::shared_ptr<Watch> watch) : watch_(std::move(watch)) {}
  ~Watcher() override { watch_->close(); }

 private:
  std::shared_ptr<Watch> watch_;
};

}  // namespace

Result<std::unique_ptr<FileWatcher>> FileWatcher::watch(asio::io_context& context, std::string path,
                                                        Changed changed, Readiness& readiness,
                                                        prometheus::Registry& metrics) {
  const int inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify < 0) {
    return fail(Code::kUnavailable,
                "registry: cannot watch files: " + std::generic_category().message(errno) +
                    "; raise fs.inotify.max_user_instances");
  }
  auto watch = std::make_shared<Watch>(context, inotify, std::move(path), std::move(changed),
                                       readiness, metrics);
  watch->start();
  return std::make_unique<Watcher>(std::move(watch));
}

}  // namespace lazymesh::registry
