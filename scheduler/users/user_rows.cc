#include "scheduler/users/user_rows.h"

#include <algorithm>
#include <tuple>

#include "src/base/hash.h"
#include "src/base/number.h"

namespace pulse {

namespace {

constexpr size_t kNamed = 6;  // columns before those that only people set

constexpr const char* kRest[] = {"default_hostgroup", "use_ssl",         "transaction_persistent",
                                 "fast_forward",      "max_connections", "attributes"};
constexpr const char* kDefaults[] = {"", "0", "1", "0", "10000", ""};
constexpr const char* kSchema[] = {"default_schema", "schema_locked"};
constexpr const char* kSchemaDefaults[] = {"", "0"};

uint64_t add(uint64_t hash, std::string_view cell) { return fnv1a(std::string_view("\0", 1), fnv1a(cell, hash)); }

}  // namespace

void sort(UserRows& rows) {
  std::sort(rows.begin(), rows.end(), [](const UserRow& one, const UserRow& other) {
    return std::tie(one.name, one.backend, one.frontend) < std::tie(other.name, other.backend, other.frontend);
  });
}

std::string select_users(const UsersTable& table, const std::string& place) {
  std::string text = "SELECT username, password, comment, active, backend, frontend";
  for (const char* column : kRest) text.append(", ").append(column);
  if (table.has_schema) {
    for (const char* column : kSchema) text.append(", ").append(column);
  }
  return text + " FROM " + place + table.table;
}

Result<UserRow> user_row(const UsersTable& table, const std::vector<std::optional<std::string_view>>& cells) {
  const size_t wanted = kNamed + std::size(kRest) + (table.has_schema ? std::size(kSchema) : 0);
  if (cells.size() != wanted) return Error{std::string(table.table) + ": not the columns that were asked for"};
  const auto cell = [&](size_t i) { return cells[i].value_or(""); };
  UserRow row;
  row.name = cell(0);
  row.password = cell(1);
  row.comment = cell(2);
  row.active = cell(3) == "1";
  row.backend = cell(4) == "1";
  row.frontend = cell(5) == "1";
  const auto hostgroup = to_number<int32_t>(cell(kNamed));
  if (!hostgroup) return Error{std::string(table.table) + ": a default_hostgroup that is no number"};
  row.hostgroup = *hostgroup;
  row.rest = fnv1a("");
  for (size_t i = kNamed; i < wanted; ++i) row.rest = add(row.rest, cell(i));
  return row;
}

uint64_t rest_of_new_row(const UsersTable& table, int32_t hostgroup) {
  uint64_t rest = add(fnv1a(""), std::to_string(hostgroup));
  for (size_t i = 1; i < std::size(kDefaults); ++i) rest = add(rest, kDefaults[i]);
  if (table.has_schema) {
    for (const char* value : kSchemaDefaults) rest = add(rest, value);
  }
  return rest;
}

bool is_ours(const UserRow& row, std::string_view mark) {
  const std::string_view comment = row.comment;
  return comment.starts_with(mark) && (comment.size() == mark.size() || comment[mark.size()] == ' ');
}

std::string removed_comment(std::string_view mark) { return std::string(mark) + " (removed)"; }

UserRows as_served(const UserRows& memory) {
  UserRows served;
  for (const UserRow& row : memory) {
    if (!row.active || row.hostgroup < 0) continue;
    for (const bool backend : {false, true}) {
      if (!(backend ? row.backend : row.frontend)) continue;
      served.push_back(row);
      served.back().backend = backend;
      served.back().frontend = !backend;
    }
  }
  sort(served);
  return served;
}

}  // namespace pulse
