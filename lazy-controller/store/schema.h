#pragma once

#include <SQLiteCpp/Database.h>

#include "base/result.h"

namespace lazymesh::store {

/// Bring the database to the present schema, from an empty file or from any earlier one, in one
/// transaction. An error if it is another program's or of a newer release. SQLite's own failures
/// are thrown (SQLite::Exception).
Result<void> migrate(SQLite::Database& database);

}  // namespace lazymesh::store
