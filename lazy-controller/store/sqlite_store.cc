#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "lazy-controller/store/file_lock.h"
#include "lazy-controller/store/schema.h"
#include "lazy-controller/store/store.h"

namespace lazymesh::store {
namespace {

using mesh::Dependency;
using mesh::DependencyKey;

// Another program may look into the file meanwhile.
constexpr int kBusyMilliseconds = 5000;

struct Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : saved(counter(registry, "lazymesh_store_saved_rows_total", "Dependencies written")),
        removed(counter(registry, "lazymesh_store_removed_rows_total", "Dependencies removed")),
        dropped(counter(registry, "lazymesh_store_dropped_rows_total",
                        "Updates of counts and times dropped because the queue was long")),
        refused(counter(registry, "lazymesh_store_refused_rows_total",
                        "Writes refused because the queue was full")),
        errors(counter(registry, "lazymesh_store_errors_total", "Transactions that failed")),
        queued(prometheus::BuildGauge()
                   .Name("lazymesh_store_queued_rows")
                   .Help("Dependencies that wait to be written")
                   .Register(registry)
                   .Add({})),
        commit_seconds(
            prometheus::BuildHistogram()
                .Name("lazymesh_store_commit_seconds")
                .Help("How long a transaction took")
                .Register(registry)
                .Add({}, prometheus::Histogram::BucketBoundaries{0.0001, 0.0005, 0.001, 0.005, 0.01,
                                                                 0.05, 0.1, 0.5, 1, 5})) {}

  static prometheus::Counter& counter(prometheus::Registry& registry, const char* name,
                                      const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
  }

  prometheus::Counter& saved;
  prometheus::Counter& removed;
  prometheus::Counter& dropped;
  prometheus::Counter& refused;
  prometheus::Counter& errors;
  prometheus::Gauge& queued;
  prometheus::Histogram& commit_seconds;
};

Error error_of(const std::string& path, const SQLite::Exception& exception) {
  const std::string reason = path + ": " + exception.what();
  switch (exception.getErrorCode()) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return {Code::kInvalidArgument, reason +
                                          "; move it away (its dependencies are learned again)"
                                          " or put a sound copy in its place"};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {Code::kPermissionDenied,
              reason + "; let this user write the file and its directory, or name another file"};
    case SQLITE_FULL:
    case SQLITE_IOERR:
      return {Code::kUnavailable, reason + "; look whether its disk is full or failing",
              Origin::kLocal, Retry::kSafe};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Code::kUnavailable, reason + "; end the other program that has it open",
              Origin::kLocal, Retry::kSafe};
    default:
      return {Code::kInternal, reason};
  }
}

std::int64_t to_column(WallTime time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

WallTime time_of(std::int64_t nanoseconds) {
  return WallTime{} +
         std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(nanoseconds));
}

// The connection and its statements. SQLite's failures are thrown.
class Table {
 public:
  explicit Table(SQLite::Database& database)
      : upsert_(database, R"(
          INSERT INTO dependencies
            (namespace, workload, host, port, protocol, reason, first_seen, last_seen, count)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
          ON CONFLICT DO UPDATE SET protocol = excluded.protocol, reason = excluded.reason,
            first_seen = min(first_seen, excluded.first_seen),
            last_seen = max(last_seen, excluded.last_seen),
            count = max(count, excluded.count))"),
        remove_(database,
                "DELETE FROM dependencies "
                "WHERE namespace = ? AND workload = ? AND host = ? AND port = ?"),
        select_(database,
                "SELECT namespace, workload, host, port, protocol, reason, first_seen, last_seen, "
                "count FROM dependencies ORDER BY namespace, workload, host, port") {}

  void save(const Dependency& dependency) {
    bind(upsert_, dependency.key);
    const std::string protocol(to_string(dependency.protocol));
    const std::string reason(to_string(dependency.reason));
    upsert_.bindNoCopy(5, protocol);
    upsert_.bindNoCopy(6, reason);
    upsert_.bind(7, to_column(dependency.first_seen));
    upsert_.bind(8, to_column(dependency.last_seen));
    constexpr std::uint64_t kMaxCount = std::numeric_limits<std::int64_t>::max();
    upsert_.bind(9, static_cast<std::int64_t>(std::min(dependency.count, kMaxCount)));
    upsert_.exec();
    upsert_.reset();
  }

  void remove(const DependencyKey& key) {
    bind(remove_, key);
    remove_.exec();
    remove_.reset();
  }

  /// A row that nothing of ours has written is left out and counted.
  std::vector<Dependency> load(std::size_t& senseless) {
    std::vector<Dependency> dependencies;
    while (select_.executeStep()) {
      const std::int64_t port = select_.getColumn(3);
      const auto protocol = mesh::parse_protocol(select_.getColumn(4).getString());
      const auto reason = mesh::parse_reason(select_.getColumn(5).getString());
      const std::int64_t count = select_.getColumn(8);
      if (!protocol || !reason || count < 0 || port < 0 ||
          port > std::numeric_limits<std::uint16_t>::max()) {
        ++senseless;
        continue;
      }
      dependencies.push_back({{{select_.getColumn(0).getString(), select_.getColumn(1).getString()},
                               select_.getColumn(2).getString(),
                               static_cast<std::uint16_t>(port)},
                              *protocol,
                              *reason,
                              time_of(select_.getColumn(6)),
                              time_of(select_.getColumn(7)),
                              static_cast<std::uint64_t>(count)});
    }
    select_.reset();
    return dependencies;
  }

  /// After a failure.
  void reset() {
    upsert_.tryReset();
    remove_.tryReset();
    select_.tryReset();
  }

 private:
  static void bind(SQLite::Statement& statement, const DependencyKey& key) {
    statement.bindNoCopy(1, key.source.namespace_);
    statement.bindNoCopy(2, key.source.name);
    statement.bindNoCopy(3, key.host);
    statement.bind(4, static_cast<std::int32_t>(key.port));
  }

  SQLite::Statement upsert_;
  SQLite::Statement remove_;
  SQLite::Statement select_;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(std::string path, FileLock file_lock, SQLite::Database database, SqliteLimits limits,
              prometheus::Registry& registry)
      : path_(std::move(path)),
        limits_(limits),
        metrics_(registry),
        file_lock_(std::move(file_lock)),
        database_(std::move(database)),
        table_(database_),
        thread_([this] { run(); }) {}

  ~SqliteStore() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_one();
    }
    thread_.join();
  }

  Result<std::vector<Dependency>> load() override {
    Write write;
    write.load = std::make_unique<std::promise<Loaded>>();
    auto result = write.load->get_future();
    enqueue(std::move(write));
    return result.get();
  }

  void save(std::vector<Dependency> dependencies, Committed committed) override {
    enqueue({std::move(dependencies), {}, std::move(committed), nullptr});
  }

  void remove(std::vector<DependencyKey> keys, Committed committed) override {
    enqueue({{}, std::move(keys), std::move(committed), nullptr});
  }

 private:
  using Loaded = Result<std::vector<Dependency>>;
  struct Write {
    std::vector<Dependency> saved;
    std::vector<DependencyKey> removed;
    Committed committed;  // null: may be dropped
    std::unique_ptr<std::promise<Loaded>> load;

    std::size_t rows() const { return saved.size() + removed.size(); }
  };

  void enqueue(Write write) {
    const std::size_t rows = write.rows();
    const bool may_be_dropped = !write.committed && !write.load;
    {
      const std::lock_guard lock(mutex_);
      if (queued_rows_ + rows <= (may_be_dropped ? limits_.queue / 2 : limits_.queue)) {
        queued_rows_ += rows;
        metrics_.queued.Set(static_cast<double>(queued_rows_));
        queue_.push_back(std::move(write));
        changed_.notify_one();
        return;
      }
    }
    if (may_be_dropped) {
      metrics_.dropped.Increment(static_cast<double>(rows));
      return;
    }
    metrics_.refused.Increment(static_cast<double>(rows));
    write.committed(fail(Code::kResourceExhausted,
                         path_ + ": " + std::to_string(limits_.queue) +
                             " dependencies wait to be written already; look at its disk",
                         Origin::kLocal, Retry::kSafe));
  }

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return !queue_.empty() || stopping_; });
      if (queue_.empty()) return;
      std::vector<Write> batch;
      std::size_t rows = 0;
      while (!queue_.empty() &&
             (batch.empty() || rows + queue_.front().rows() <= limits_.transaction)) {
        rows += queue_.front().rows();
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      lock.unlock();
      const auto result = commit(batch);
      lock.lock();
      queued_rows_ -= rows;  // before anybody is told, who may have more to write
      metrics_.queued.Set(static_cast<double>(queued_rows_));
      lock.unlock();
      tell(batch, result);
      batch.clear();
      lock.lock();
    }
  }

  void tell(std::vector<Write>& batch, const Result<void>& result) {
    for (auto& write : batch) {
      if (write.load) {
        write.load->set_value(read());
      } else if (write.committed) {
        write.committed(result);
      }
    }
  }

  Result<void> commit(const std::vector<Write>& batch) {
    const bool empty =
        std::all_of(batch.begin(), batch.end(), [](const Write& w) { return w.rows() == 0; });
    if (empty) return {};
    const auto start = system_clock().steady();
    std::size_t saved = 0;
    std::size_t removed = 0;
    try {
      SQLite::Transaction transaction(database_);
      for (const auto& write : batch) {
        for (const auto& dependency : write.saved) table_.save(dependency);
        for (const auto& key : write.removed) table_.remove(key);
        saved += write.saved.size();
        removed += write.removed.size();
      }
      transaction.commit();
    } catch (const SQLite::Exception& exception) {
      table_.reset();
      metrics_.errors.Increment();
      auto error = error_of(path_, exception);
      spdlog::error("store: {}", error.message);
      return tl::unexpected(std::move(error));
    }
    const std::chrono::duration<double> took = system_clock().steady() - start;
    metrics_.commit_seconds.Observe(took.count());
    metrics_.saved.Increment(static_cast<double>(saved));
    metrics_.removed.Increment(static_cast<double>(removed));
    return {};
  }

  Result<std::vector<Dependency>> read() {
    try {
      std::size_t senseless = 0;
      auto dependencies = table_.load(senseless);
      if (senseless != 0) {
        spdlog::warn("store: {}: {} rows of dependencies make no sense and are left out", path_,
                     senseless);
      }
      return dependencies;
    } catch (const SQLite::Exception& exception) {
      table_.reset();
      return tl::unexpected(error_of(path_, exception));
    }
  }

  const std::string path_;
  const SqliteLimits limits_;
  Metrics metrics_;

  std::mutex mutex_;  // guards the four below
  std::condition_variable changed_;
  std::deque<Write> queue_;
  std::size_t queued_rows_ = 0;  // in the queue or being written
  bool stopping_ = false;

  // The thread's own:
  FileLock file_lock_;
  SQLite::Database database_;
  Table table_;

  std::thread thread_;  // last: it uses all of the above
};

// Opened and brought to the present schema. SQLite's failures are thrown.
Result<SQLite::Database> open_database(const std::string& path) {
  SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kBusyMilliseconds);
  const std::string mode = database.execAndGet("PRAGMA journal_mode = WAL");
  if (mode != "wal") {
    return fail(Code::kInvalidArgument,
                "its file system cannot keep a write-ahead log (journal "
                "mode " +
                    mode + "); name a file on a local disk");
  }
  // A commit is on the disk: the log is flushed with each, of which there are few, since writes are
  // gathered.
  database.exec("PRAGMA synchronous = FULL");
  const std::string check = database.execAndGet("PRAGMA quick_check(1)");
  if (check != "ok") {
    return fail(Code::kInvalidArgument,
                "damaged (" + check +
                    "); move it away (its dependencies are learned again) or put "
                    "a sound copy in its place");
  }
  if (auto migrated = migrate(database); !migrated) return tl::unexpected(migrated.error());
  return database;
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(const std::string& path, prometheus::Registry& metrics,
                                           SqliteLimits limits) {
  auto lock = FileLock::acquire(path + ".lock");
  if (!lock) return tl::unexpected(std::move(lock).error().within("store"));
  try {
    auto database = open_database(path);
    if (!database) return tl::unexpected(std::move(database).error().within("store: " + path));
    return std::make_unique<SqliteStore>(path, std::move(*lock), std::move(*database), limits,
                                         metrics);
  } catch (const SQLite::Exception& exception) {
    return tl::unexpected(error_of(path, exception).within("store"));
  }
}

}  // namespace lazymesh::store
