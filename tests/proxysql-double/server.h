// The whole double: what its parts share, and what several of them do together.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "src/base/result.h"
#include "tests/proxysql-double/admin_port.h"
#include "tests/proxysql-double/client_port.h"
#include "tests/proxysql-double/cluster.h"
#include "tests/proxysql-double/database.h"
#include "tests/proxysql-double/faults.h"
#include "tests/proxysql-double/journal.h"
#include "tests/proxysql-double/modules.h"
#include "tests/proxysql-double/options.h"
#include "tests/proxysql-double/page_tables.h"
#include "tests/proxysql-double/scheduler.h"
#include "tests/proxysql-double/variables.h"
#include "tests/proxysql-double/wedge.h"

namespace proxysql_double {

struct Server {
  // Reads the file and the database, loads everything to runtime and opens the ports.
  static pulse::Result<std::unique_ptr<Server>> start(const Options& options);

  Server(Options options_in, std::unique_ptr<Database> database_in);

  // LOAD ... TO RUNTIME with all that follows from it. `peer_epoch` after a pull.
  LoadStats load_to_runtime(Module module, std::optional<int64_t> peer_epoch = std::nullopt);

  // PROXYSQL RESTART: returns at once; connections drop, and the ports are back about two seconds later.
  void restart();

  // Counts proxysql_servers, memory and runtime, for the journal.
  void note_rows();

  std::chrono::seconds uptime() const;

  // All rows of stats_mysql_query_digest, those of the control command `digests` come from `more`. `reset` empties it.
  ResultSet digests(bool reset);
  void generate_digests(uint64_t count) { generated_digests_ = count; }

  const Options options;
  std::mutex statement_mutex;         // ProxySQL's sql_query_global_mutex: around every admin statement
  std::mutex proxysql_servers_mutex;  // around a refill of runtime_proxysql_servers
  std::atomic<int> empty_looks{0};    // under statement_mutex: so many statements are to find that table emptied
  std::unique_ptr<Database> database;
  Variables variables;
  Modules modules;
  Faults faults;
  Wedge wedge;
  Journal journal;
  PageTables page_tables;
  Scheduler scheduler;
  ClientPort mysql_port;
  ClientPort pgsql_port;
  Cluster cluster;
  AdminPort admin_port;

 private:
  pulse::Result<void> load_everything(bool read_file);
  pulse::Result<void> open_ports();

  std::atomic<uint64_t> generated_digests_{0};
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace proxysql_double
