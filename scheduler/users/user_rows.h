// Rows of mysql_users and pgsql_users, as far as a sync looks at them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"

namespace pulse {

// The names that differ between the two protocols.
struct UsersTable {
  const char* table;   // "mysql_users"
  const char* module;  // "MYSQL USERS", as LOAD has it
  bool has_schema;     // default_schema and schema_locked
};

inline constexpr UsersTable kMysqlUsers = {"mysql_users", "MYSQL USERS", true};
inline constexpr UsersTable kPgsqlUsers = {"pgsql_users", "PGSQL USERS", false};

// A row, or one of the two that runtime has of each user. The columns that only people set are one number.
struct UserRow {
  std::string name;
  std::string password;
  std::string comment;
  bool active = true;
  bool backend = true;
  bool frontend = true;
  int32_t hostgroup = 0;
  uint64_t rest = 0;  // of hostgroup and all columns that aren't above

  bool operator==(const UserRow&) const = default;
};

// Sorted by name, then backend, then frontend.
using UserRows = std::vector<UserRow>;
void sort(UserRows& rows);

// "SELECT username, ... FROM mysql_users": the columns as user_row() takes them.
std::string select_users(const UsersTable& table, const std::string& place);

// An error if the row isn't what that statement gives.
Result<UserRow> user_row(const UsersTable& table, const std::vector<std::optional<std::string_view>>& cells);

// `rest` of a row that a sync makes: ProxySQL's defaults.
uint64_t rest_of_new_row(const UsersTable& table, int32_t hostgroup);

// Whether a sync has made the row: its comment is the mark, or begins with the mark and a space.
bool is_ours(const UserRow& row, std::string_view mark);

// The comment of a row that is on its way out: it isn't active any more, and goes after the next load.
std::string removed_comment(std::string_view mark);

// What a load of `memory` makes of it: a user's two sides as two rows.
UserRows as_served(const UserRows& memory);

}  // namespace pulse
