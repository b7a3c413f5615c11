#include "lazy-controller/store/schema.h"

#include <array>
#include <string>

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Transaction.h>

namespace lazymesh::store {
namespace {

// "LZMH": marks the file as ours (SQLite's application_id).
constexpr int kApplicationId = 0x4c5a4d48;

// Each brings the schema from its index to the next version (SQLite's user_version). Times are
// nanoseconds since 1970.
constexpr std::array kMigrations = {
    R"(CREATE TABLE dependencies (
         namespace TEXT NOT NULL, workload TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL,
         protocol TEXT NOT NULL, reason TEXT NOT NULL,
         first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, count INTEGER NOT NULL,
         PRIMARY KEY (namespace, workload, host, port)) STRICT, WITHOUT ROWID;
       CREATE VIEW scopes AS SELECT DISTINCT namespace, workload, host FROM dependencies;)",
};

}  // namespace

Result<void> migrate(SQLite::Database& database) {
  constexpr int kVersion = kMigrations.size();
  SQLite::Transaction transaction(database);
  const int application = database.execAndGet("PRAGMA application_id");
  const int objects = database.execAndGet("SELECT count(*) FROM sqlite_schema");
  if (application != kApplicationId && objects != 0) {
    return fail(Code::kInvalidArgument,
                "a database of another program; name another file for the store");
  }
  const int version = database.execAndGet("PRAGMA user_version");
  if (version > kVersion) {
    return fail(Code::kInvalidArgument, "its schema " + std::to_string(version) +
                                            " is of a newer release (this one knows " +
                                            std::to_string(kVersion) +
                                            "); run that release, or name another file");
  }
  for (auto step = static_cast<std::size_t>(version); step < kMigrations.size(); ++step) {
    database.exec(kMigrations[step]);
  }
  database.exec("PRAGMA application_id = " + std::to_string(kApplicationId));
  database.exec("PRAGMA user_version = " + std::to_string(kVersion));
  transaction.commit();
  return {};
}

}  // namespace lazymesh::store
