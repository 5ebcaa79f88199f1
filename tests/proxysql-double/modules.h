// ProxySQL's modules and the ways between their layers: configuration file, disk, memory and runtime.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tests/proxysql-double/cnf.h"
#include "tests/proxysql-double/database.h"
#include "tests/proxysql-double/variables.h"

namespace proxysql_double {

enum class Module {
  admin_variables,
  mysql_query_rules,
  mysql_servers,
  mysql_users,
  mysql_variables,
  proxysql_servers,
  scheduler,
  pgsql_query_rules,  // ProxySQL 3 alone has these
  pgsql_servers,
  pgsql_users,
  pgsql_variables,
};

// What runtime_checksums_values says of one name.
struct Stamp {
  int64_t version = 0;
  int64_t epoch = 0;  // Unix time, seconds
  std::string checksum = "0x0000000000000000";
};

// What became of the variables of a load.
struct LoadStats {
  int records = 0;
  int updated = 0;
  int rejected = 0;
  int unknown = 0;
};

// Thread-safe.
class Modules {
 public:
  Modules(Database& database, Variables& variables) : database_(database), variables_(variables) {}

  // Each returns the number of rows that ProxySQL reports as affected.
  int64_t config_to_memory(Module module, const Cnf& cnf);
  int64_t disk_to_memory(Module module);
  int64_t memory_to_disk(Module module);
  int64_t runtime_to_memory(Module module);

  // Bumps the version and sets the epoch to now, or to that of the peer it was pulled from. The scheduler has no stamp,
  // nor have pgsql_variables (seen on 3.0.1). mysql_servers stamps mysql_servers_v2 too.
  LoadStats memory_to_runtime(Module module, std::optional<int64_t> peer_epoch = std::nullopt);

  // By the names of runtime_checksums_values.
  std::map<std::string, Stamp> stamps() const;
  Stamp stamp(const std::string& name) const;
  // False after `limit`. Returns at once when the version is already that high.
  bool wait_for_version(const std::string& name, int64_t version, std::chrono::milliseconds limit);

  // Empties memory and runtime tables; versions stay. For PROXYSQL RESTART.
  void forget_all(bool pgsql);

 private:
  LoadStats variables_to_runtime(const std::string& prefix);
  void drop_unknown_variable(const std::string& name, const std::string& value);
  void reset_refused_variable(const std::string& name, const std::string& value, bool read_only);
  void tables_to_runtime(Module module);
  void users_to_runtime(Module module);
  void refresh_runtime_variables(const std::string& prefix);
  void set_stamp(const std::string& name, const std::string& checksum, std::optional<int64_t> peer_epoch);

  Database& database_;
  Variables& variables_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Stamp> stamps_;
};

// All modules, in the order in which ProxySQL loads them as it boots; with `pgsql` those of ProxySQL 3.
const std::vector<Module>& all_modules(bool pgsql);

// The names in runtime_checksums_values, in its order.
std::vector<const char*> checksum_names(bool pgsql);

// The name in runtime_checksums_values ("mysql_servers"), which is also the table's.
std::string module_name(Module module);

// The tables of a module; empty for the two kinds of variables.
std::vector<std::string> module_tables(Module module);

// What the checksum covers and peers exchange: statements on the runtime tables, their columns in a stable order.
std::vector<std::string> content_queries(Module module);

// The checksum that a module with these answers to its content_queries() has. "0x0000000000000000" without rows.
std::string content_checksum(const std::vector<ResultSet>& contents);

// Writes pulled content into the memory tables.
void store_content(Database& database, Module module, const std::vector<ResultSet>& contents);

}  // namespace proxysql_double
