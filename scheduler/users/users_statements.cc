#include "scheduler/users/users_statements.h"

#include <algorithm>

namespace pulse {

namespace {

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '*' || c == '-';
  });
}

void append_text(std::string& to, std::string_view text) {
  if (is_plain(text)) {
    to.append("'").append(text).append("'");
    return;
  }
  constexpr char kDigits[] = "0123456789ABCDEF";
  to += "CAST(x'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    to += kDigits[byte >> 4];
    to += kDigits[byte & 15];
  }
  to += "' AS TEXT)";
}

// "the row `alias` is one that a sync has made"
std::string ours(const std::string& alias, std::string_view mark) {
  const std::string comment = alias + ".comment";
  const std::string with_space = std::string(mark) + " ";
  return "(" + comment + "=" + sql_text(mark) + " OR substr(CAST(" + comment + " AS BLOB), 1, " +
         std::to_string(with_space.size()) + ")=CAST(" + sql_text(with_space) + " AS BLOB))";
}

constexpr const char* kColumns =
    "username, password, active, use_ssl, default_hostgroup, transaction_persistent, fast_forward, backend, frontend, "
    "max_connections, attributes, comment";

}  // namespace

std::string sql_text(std::string_view text) {
  std::string quoted;
  append_text(quoted, text);
  return quoted;
}

std::string write_users(const UsersTable& table, const UserRows& writes, std::string_view mark) {
  const std::string name = table.table;
  std::string text = "INSERT OR REPLACE INTO " + name + " (" + kColumns +
                     (table.has_schema ? ", default_schema, schema_locked" : "") +
                     ") WITH v(name, password, active, hostgroup, backend, frontend, comment) AS (VALUES ";
  text.reserve(text.size() + writes.size() * 160);
  bool first = true;
  for (const UserRow& row : writes) {
    if (!first) text += ',';
    first = false;
    text += '(';
    append_text(text, row.name);
    text += ',';
    append_text(text, row.password);
    text += row.active ? ",1," : ",0,";
    text += std::to_string(row.hostgroup);
    text += row.backend ? ",1," : ",0,";
    text += row.frontend ? "1," : "0,";
    append_text(text, row.comment);
    text += ')';
  }
  return text +
         ") SELECT v.name, v.password, v.active, coalesce(m.use_ssl, 0), coalesce(m.default_hostgroup, v.hostgroup), "
         "coalesce(m.transaction_persistent, 1), coalesce(m.fast_forward, 0), v.backend, v.frontend, "
         "coalesce(m.max_connections, 10000), coalesce(m.attributes, ''), v.comment" +
         (table.has_schema ? ", m.default_schema, coalesce(m.schema_locked, 0)" : "") + " FROM v LEFT JOIN " + name +
         " m ON m.username=v.name AND m.backend=v.backend AND m.frontend=v.frontend WHERE NOT EXISTS (SELECT 1 FROM " +
         name + " h WHERE h.username=v.name AND NOT " + ours("h", mark) + ")";
}

std::string sweep_users(const UsersTable& table, std::string_view mark) {
  return std::string("DELETE FROM ") + table.table + " WHERE active=0 AND comment=" + sql_text(removed_comment(mark));
}

std::string count_unsaved_users(const UsersTable& table, std::string_view mark) {
  const std::string name = table.table;
  const std::string columns = kColumns + std::string(table.has_schema ? ", default_schema, schema_locked" : "");
  const auto side = [&](const std::string& place) {
    return "SELECT " + columns + " FROM " + place + "." + name + " t WHERE " + ours("t", mark);
  };
  return "SELECT (SELECT count(*) FROM (" + side("main") + " EXCEPT " + side("disk") + ")) + (SELECT count(*) FROM (" +
         side("disk") + " EXCEPT " + side("main") + "))";
}

std::string delete_saved_users(const UsersTable& table, std::string_view mark) {
  const std::string name = table.table;
  return "DELETE FROM disk." + name + " WHERE " + ours(name, mark) +
         " AND username NOT IN (SELECT username FROM main." + name + ")";
}

std::string save_users(const UsersTable& table, std::string_view mark) {
  const std::string name = table.table;
  return "INSERT OR REPLACE INTO disk." + name + " SELECT * FROM main." + name + " AS t WHERE " + ours("t", mark) +
         " AND NOT EXISTS (SELECT 1 FROM disk." + name + " d WHERE d.username=t.username AND NOT " + ours("d", mark) +
         ")";
}

}  // namespace pulse
