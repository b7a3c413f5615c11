#pragma once

#include <string>

#include "egress/on_demand/table.h"

namespace lazymesh::egress {

/// Table::Status as the admin page shows it.
std::string state_json(const Table::Status& status);

}  // namespace lazymesh::egress
