// The SQLite schemas behind the admin interface.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "src/base/result.h"
#include "tests/proxysql-double/answer.h"

struct sqlite3;

namespace proxysql_double {

// 'it''s'
std::string quoted(std::string_view text);
// Adds an item to a list that commas separate.
void append_item(std::string& list, const std::string& item);

// One connection with the schemas main, disk (DIR/proxysql.db), stats, stats_history (DIR/proxysql_stats.db) and rt,
// the double's own record of what is loaded to runtime. Thread-safe: one statement at a time.
class Database {
 public:
  // Sets `*new_disk` when proxysql.db didn't exist or was dropped because of `initial`. `pgsql`: with ProxySQL 3's
  // tables.
  static pulse::Result<std::unique_ptr<Database>> open(const std::string& data_dir, bool initial, bool pgsql,
                                                       bool* new_disk);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs the first statement of `sql` and drops the rest, as the admin interface does.
  Answer run(std::string_view sql);

  // Statements of the double itself; `what` can't fail but by a bug, which ends the process with a message.
  ResultSet query(const std::string& sql);
  void execute(const std::string& sql);
  int64_t count(const std::string& sql);

  // Several statements as one.
  using Lock = std::unique_lock<std::recursive_mutex>;
  Lock hold() { return Lock(mutex_); }
  // Without waiting; doesn't own the lock when another thread's statement is running.
  Lock try_hold() { return Lock(mutex_, std::try_to_lock); }

  // Some client has left a transaction open that has touched the statistics. ProxySQL refreshes them through a second
  // connection, which then waits for ever.
  bool statistics_locked();
  // Some client has left a transaction open that writes.
  bool writer_active();
  // Ends what a client has left open.
  void abandon_transaction();

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}
  void create_tables(bool pgsql);

  std::recursive_mutex mutex_;
  sqlite3* handle_;
};

}  // namespace proxysql_double
