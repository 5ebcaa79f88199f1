#include "tests/proxysql-double/database.h"

#include <sqlite3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "tests/proxysql-double/schema.h"

namespace proxysql_double {
namespace {

using StatementOwner = std::unique_ptr<sqlite3_stmt, decltype(&::sqlite3_finalize)>;

std::string create_table(const std::string& schema, const std::string& name, const std::string& columns) {
  return "CREATE TABLE IF NOT EXISTS " + schema + "." + name + " (\n    " + columns + ")";
}

Row current_row(sqlite3_stmt* statement) {
  Row row;
  for (int i = 0; i < ::sqlite3_column_count(statement); ++i) {
    const auto* text = reinterpret_cast<const char*>(::sqlite3_column_text(statement, i));
    row.push_back(text == nullptr ? Value() : Value(std::string(text)));
  }
  return row;
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c;
    if (c == '\'') out += c;
  }
  return out + "'";
}

void append_item(std::string& list, const std::string& item) {
  if (!list.empty()) list += ',';
  list += item;
}

pulse::Result<std::unique_ptr<Database>> Database::open(const std::string& data_dir, bool initial, bool pgsql,
                                                        bool* new_disk) {
  const std::string disk = data_dir + "/proxysql.db";
  if (initial) ::rename(disk.c_str(), (disk + ".bak").c_str());
  *new_disk = ::access(disk.c_str(), F_OK) != 0;

  sqlite3* handle = nullptr;
  if (::sqlite3_open_v2(":memory:", &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
                        nullptr) != SQLITE_OK) {
    return pulse::Error{"open an in-memory database", 1};
  }
  std::unique_ptr<Database> database(new Database(handle));
  const std::pair<std::string, std::string> schemas[] = {
      {disk, "disk"}, {":memory:", "stats"}, {data_dir + "/proxysql_stats.db", "stats_history"}, {":memory:", "rt"}};
  for (const auto& [file, name] : schemas) {
    const Answer answer = database->run("ATTACH DATABASE " + quoted(file) + " AS " + name);
    if (answer.kind == Answer::Kind::error) return pulse::Error{"open " + file + ": " + answer.text, 1};
  }
  const Answer writable = database->run("PRAGMA disk.synchronous=OFF");
  if (writable.kind == Answer::Kind::error) return pulse::Error{"open " + disk + ": " + writable.text, 1};
  database->create_tables(pgsql);
  return database;
}

Database::~Database() { ::sqlite3_close_v2(handle_); }

void Database::create_tables(bool pgsql) {
  for (const TableDefinition& table : configuration_tables()) {
    if (table.pgsql && !pgsql) continue;
    execute(create_table("main", table.name, table.columns));
    execute(create_table("main", "runtime_" + table.name, table.columns));
    execute(create_table("disk", table.name, table.columns));
    execute(create_table("rt", table.name, table.columns));
  }
  execute(create_table("main", checksums_table().name, checksums_table().columns));
  for (const TableDefinition& table : statistics_tables()) {
    if (table.pgsql && !pgsql) continue;
    execute(create_table("stats", table.name, table.columns));
    if (table.name.ends_with("_query_digest")) {
      execute(create_table("stats", table.name + "_reset", table.columns));
    }
  }
  execute(
      "CREATE TABLE IF NOT EXISTS stats_history.mysql_connections (timestamp INT NOT NULL PRIMARY KEY, "
      "Client_Connections_connected INT NOT NULL)");
  execute(
      "CREATE TABLE IF NOT EXISTS stats_history.history_mysql_query_digest (dump_time INT, hostgroup INT, schemaname "
      "VARCHAR NOT NULL, username VARCHAR NOT NULL, client_address VARCHAR NOT NULL, digest VARCHAR NOT NULL, "
      "digest_text VARCHAR NOT NULL, count_star INTEGER NOT NULL, first_seen INTEGER NOT NULL, last_seen INTEGER NOT "
      "NULL, sum_time INTEGER NOT NULL, min_time INTEGER NOT NULL, max_time INTEGER NOT NULL, sum_rows_affected "
      "INTEGER "
      "NOT NULL, sum_rows_sent INTEGER NOT NULL)");
}

Answer Database::run(std::string_view sql) {
  const Lock lock(mutex_);
  sqlite3_stmt* prepared = nullptr;
  if (::sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &prepared, nullptr) != SQLITE_OK) {
    return Answer::admin_error(::sqlite3_errmsg(handle_));
  }
  const StatementOwner statement(prepared, &::sqlite3_finalize);
  if (prepared == nullptr) return Answer::ok();

  ResultSet set;
  const int columns = ::sqlite3_column_count(prepared);
  for (int i = 0; i < columns; ++i) set.columns.emplace_back(::sqlite3_column_name(prepared, i));
  int step = SQLITE_ROW;
  while ((step = ::sqlite3_step(prepared)) == SQLITE_ROW) set.rows.push_back(current_row(prepared));
  if (step != SQLITE_DONE) return Answer::admin_error(::sqlite3_errmsg(handle_));
  return columns > 0 ? Answer::rows(std::move(set)) : Answer::ok(::sqlite3_changes(handle_));
}

ResultSet Database::query(const std::string& sql) {
  Answer answer = run(sql);
  if (answer.kind == Answer::Kind::error) {
    std::fprintf(stderr, "proxysql-double: %s: %s\n", sql.c_str(), answer.text.c_str());
    std::abort();
  }
  return std::move(answer.set);
}

void Database::execute(const std::string& sql) { query(sql); }

int64_t Database::count(const std::string& sql) {
  const ResultSet set = query(sql);
  return set.rows.empty() ? 0 : std::strtoll(set.rows[0][0].value_or("0").c_str(), nullptr, 10);
}

bool Database::statistics_locked() {
  const Lock lock(mutex_);
  return ::sqlite3_get_autocommit(handle_) == 0 && ::sqlite3_txn_state(handle_, "stats") != SQLITE_TXN_NONE;
}

bool Database::writer_active() {
  const Lock lock(mutex_);
  return ::sqlite3_get_autocommit(handle_) == 0 && ::sqlite3_txn_state(handle_, "stats_history") == SQLITE_TXN_WRITE;
}

void Database::abandon_transaction() {
  const Lock lock(mutex_);
  if (::sqlite3_get_autocommit(handle_) == 0) ::sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace proxysql_double
