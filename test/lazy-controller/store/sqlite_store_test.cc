#include <atomic>
#include <csignal>
#include <fstream>
#include <future>
#include <latch>
#include <limits>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lazy-controller/store/store.h"
#include "test/lazy-controller/store/support.h"

// How often this process has flushed a file to the disk: what SQLite calls ends up here.
static std::atomic<int> flushes = 0;
extern "C" int fdatasync(int file) {
  ++flushes;
  return static_cast<int>(::syscall(SYS_fdatasync, file));
}

namespace lazymesh::store {
namespace {

using mesh::Dependency;
using test::dependency;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SqliteStore : public testing::Test {
 protected:
  std::unique_ptr<Store> open(SqliteLimits limits = {}) {
    auto store = open_sqlite(path_, metrics_, limits);
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }
  std::string error_of_open() {
    const auto store = open_sqlite(path_, metrics_);
    return store ? "no error" : store.error().message;
  }
  static Result<void> save(Store& store, std::vector<Dependency> dependencies) {
    const auto done = std::make_shared<std::promise<Result<void>>>();
    store.save(std::move(dependencies), [done](Result<void> result) { done->set_value(result); });
    return done->get_future().get();
  }
  static Result<void> remove(Store& store, std::vector<mesh::DependencyKey> keys) {
    const auto done = std::make_shared<std::promise<Result<void>>>();
    store.remove(std::move(keys), [done](Result<void> result) { done->set_value(result); });
    return done->get_future().get();
  }
  void sql(const std::string& statements) {
    SQLite::Database(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec(statements);
  }
  double metric(const std::string& name) const {
    for (const auto& family : metrics_.Collect()) {
      if (family.name != name) continue;
      const auto& value = family.metric.at(0);
      return family.type == prometheus::MetricType::Gauge ? value.gauge.value : value.counter.value;
    }
    return -1;
  }

  test::TemporaryDirectory directory_;
  std::string path_ = directory_.file("store.db");
  prometheus::Registry metrics_;
};

TEST_F(SqliteStore, KeepsEveryFieldAcrossReopening) {
  auto first = dependency(1);
  auto second = dependency(2);
  second.protocol = mesh::Protocol::kTls;
  second.reason = mesh::Reason::kDeclared;
  second.count = std::numeric_limits<std::int64_t>::max();
  second.key.port = 65535;
  second.first_seen = WallTime{} - std::chrono::seconds(1);
  ASSERT_TRUE(save(*open(), {second, first}));
  EXPECT_THAT(open()->load().value(), ElementsAre(first, second));
}

TEST_F(SqliteStore, WhatIsCommittedIsOnTheDisk) {
  const auto store = open();
  ASSERT_TRUE(save(*store, {dependency(1)}));
  const int before = flushes;
  ASSERT_TRUE(save(*store, {dependency(2)}));
  EXPECT_GT(flushes, before);
}

TEST_F(SqliteStore, LoadsWhatWasSavedBeforeIt) {
  const auto store = open();
  EXPECT_THAT(store->load().value(), IsEmpty());
  store->save({dependency(1)}, nullptr);
  EXPECT_THAT(store->load().value(), ElementsAre(dependency(1)));
}

TEST_F(SqliteStore, AnUpdateWidensTheTimesAndNeverLowersTheCount) {
  const auto store = open();
  const auto old = dependency(5);
  auto late = old;
  late.first_seen += std::chrono::seconds(10);
  late.last_seen += std::chrono::seconds(10);
  late.count = 2;
  late.reason = mesh::Reason::kImported;
  late.protocol = mesh::Protocol::kTcp;
  ASSERT_TRUE(save(*store, {old}));
  ASSERT_TRUE(save(*store, {late}));
  auto both = late;
  both.first_seen = old.first_seen;
  both.count = 5;
  EXPECT_THAT(store->load().value(), ElementsAre(both));
}

TEST_F(SqliteStore, WritesInTheOrderOfTheCalls) {
  const auto store = open();
  store->save({dependency(1), dependency(2)}, nullptr);
  store->remove({dependency(1).key, dependency(3).key}, nullptr);
  store->save({dependency(3)}, nullptr);
  EXPECT_THAT(store->load().value(), ElementsAre(dependency(2), dependency(3)));
  EXPECT_TRUE(remove(*store, {dependency(2).key}));
  EXPECT_THAT(store->load().value(), ElementsAre(dependency(3)));
}

TEST_F(SqliteStore, WritesWhatIsQueuedBeforeItCloses) {
  {
    const auto store = open({.queue = 100'000, .transaction = 10});
    for (int i = 0; i < 1000; ++i) store->save({dependency(i)}, nullptr);
  }
  EXPECT_EQ(open()->load().value().size(), 1000U);
}

TEST_F(SqliteStore, TellsTheWritesOfOneTransactionInOrder) {
  std::vector<int> told;
  {
    const auto store = open();
    for (int i = 0; i < 100; ++i) {
      store->save({dependency(i)}, [&told, i](Result<void> result) {
        ASSERT_TRUE(result);
        told.push_back(i);
      });
    }
    store->save({}, [&told](Result<void>) { told.push_back(100); });
  }
  ASSERT_EQ(told.size(), 101U);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
}

TEST_F(SqliteStore, ShowsScopesToWhoeverLooks) {
  const auto store = open();
  auto other_port = dependency(1);
  other_port.key.port = 3306;
  ASSERT_TRUE(save(*store, {dependency(1), other_port}));
  SQLite::Database reader(path_, SQLite::OPEN_READONLY);
  EXPECT_EQ(reader.execAndGet("PRAGMA journal_mode").getString(), "wal");
  SQLite::Statement scopes(reader, "SELECT namespace, workload, host FROM scopes");
  ASSERT_TRUE(scopes.executeStep());
  EXPECT_EQ(scopes.getColumn(0).getString(), "shop");
  EXPECT_EQ(scopes.getColumn(1).getString(), "web-1");
  EXPECT_EQ(scopes.getColumn(2).getString(), "service-1.shop.svc.cluster.local");
  EXPECT_FALSE(scopes.executeStep());
}

TEST_F(SqliteStore, LeavesOutRowsThatMakeNoSense) {
  ASSERT_TRUE(save(*open(), {dependency(1), dependency(2), dependency(3)}));
  sql("UPDATE dependencies SET protocol = 'carrier pigeon' WHERE workload = 'web-1'");
  sql("UPDATE dependencies SET port = 70000 WHERE workload = 'web-2'");
  EXPECT_THAT(open()->load().value(), ElementsAre(dependency(3)));
}

// Holds the store's thread in a callback until it is let go, so that the queue fills.
class Hold {
 public:
  explicit Hold(Store& store) {
    store.save({}, [latches = latches_](Result<void>) {
      latches->held.count_down();
      latches->let_go.wait();
    });
    latches_->held.wait();
  }
  ~Hold() { latches_->let_go.count_down(); }

 private:
  struct Latches {
    std::latch held{1};
    std::latch let_go{1};
  };
  std::shared_ptr<Latches> latches_ = std::make_shared<Latches>();
};

TEST_F(SqliteStore, AFullQueueDropsUpdatesFirstAndThenRefuses) {
  const auto store = open({.queue = 10, .transaction = 5});
  std::vector<Code> refused;
  {
    const Hold hold(*store);
    const auto tell = [&](Result<void> result) {
      if (!result) refused.push_back(result.error().code);
    };
    for (int i = 0; i < 6; ++i) store->save({dependency(i)}, nullptr);
    for (int i = 10; i < 15; ++i) store->save({dependency(i)}, tell);
    store->save({dependency(20), dependency(21)}, tell);
    store->remove({dependency(0).key}, tell);
    EXPECT_EQ(metric("lazymesh_store_queued_rows"), 10);
  }
  ASSERT_TRUE(save(*store, {}));  // all are done
  EXPECT_THAT(refused, ElementsAre(Code::kResourceExhausted, Code::kResourceExhausted));
  EXPECT_EQ(store->load().value().size(), 10U);
  EXPECT_EQ(metric("lazymesh_store_dropped_rows_total"), 1);
  EXPECT_EQ(metric("lazymesh_store_refused_rows_total"), 3);
  EXPECT_TRUE(save(*store, {dependency(20)}));
  EXPECT_EQ(metric("lazymesh_store_queued_rows"), 0);
}

// A file size limit stands for a full disk: the write fails, and later there is room again.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(SqliteStore, AFullDiskFailsTheWriteAndLaterOnesSucceed) {
  const auto store = open();
  ASSERT_TRUE(save(*store, {dependency(0)}));
  std::vector<Dependency> many;
  for (int i = 0; i < 20'000; ++i) many.push_back(dependency(i));
  {
    const FileSizeLimit limit(256 * 1024);
    const auto full = save(*store, many);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, Code::kUnavailable);
    EXPECT_EQ(full.error().retry, Retry::kSafe);
    EXPECT_THAT(full.error().message, HasSubstr(path_));
    EXPECT_THAT(full.error().message, HasSubstr("disk"));
  }
  EXPECT_EQ(metric("lazymesh_store_errors_total"), 1);
  EXPECT_EQ(store->load().value().size(), 1U);
  EXPECT_TRUE(save(*store, many));
  EXPECT_EQ(store->load().value().size(), 20'000U);
}

using OpenSqlite = SqliteStore;

TEST_F(OpenSqlite, HeldByAnotherIsAnErrorThatNamesIt) {
  const auto store = open();
  const auto error = error_of_open();
  EXPECT_THAT(error, HasSubstr(path_));
  EXPECT_THAT(error, HasSubstr("process " + std::to_string(::getpid())));
}

TEST_F(OpenSqlite, MayBeHeldAgainAfterwards) {
  open().reset();
  EXPECT_NE(open(), nullptr);
}

TEST_F(OpenSqlite, AMissingDirectoryIsAnErrorWithARemedy) {
  path_ = directory_.file("missing/store.db");
  EXPECT_THAT(error_of_open(), HasSubstr("make the directory"));
  EXPECT_THAT(error_of_open(), HasSubstr("missing/store.db"));
}

TEST_F(OpenSqlite, ADirectoryIsNoStore) {
  path_ = directory_.file("directory");
  std::filesystem::create_directory(path_);
  EXPECT_THAT(error_of_open(), HasSubstr(path_));
}

TEST_F(OpenSqlite, AnUnwritableDirectoryIsAnErrorWithARemedy) {
  path_ = "/proc/store.db";
  EXPECT_THAT(error_of_open(), HasSubstr("/proc/store.db"));
  EXPECT_THAT(error_of_open(), HasSubstr("name another file"));
}

TEST_F(OpenSqlite, WhatIsNoDatabaseIsLeftAlone) {
  std::ofstream(path_) << std::string(10'000, 'x');
  EXPECT_THAT(error_of_open(), HasSubstr("move it away"));
  EXPECT_EQ(std::filesystem::file_size(path_), 10'000U);
}

TEST_F(OpenSqlite, ADamagedDatabaseIsFound) {
  {
    const auto store = open();
    std::vector<Dependency> many;
    for (int i = 0; i < 2000; ++i) many.push_back(dependency(i));
    ASSERT_TRUE(save(*store, many));
  }
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(3 * 4096);
  file << std::string(8 * 4096, 'x');
  file.close();
  EXPECT_THAT(error_of_open(), HasSubstr("move it away"));
}

TEST_F(OpenSqlite, AnotherProgramsDatabaseIsLeftAlone) {
  sql("CREATE TABLE recipes (name TEXT)");
  EXPECT_THAT(error_of_open(), HasSubstr("another program"));
  EXPECT_THAT(error_of_open(), HasSubstr(path_));
}

TEST_F(OpenSqlite, ANewerSchemaIsLeftAlone) {
  open().reset();
  sql("PRAGMA user_version = 99");
  EXPECT_THAT(error_of_open(), HasSubstr("newer release"));
}

}  // namespace
}  // namespace lazymesh::store
