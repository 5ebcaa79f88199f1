#include "tests/proxysql-double/modules.h"

#include <cinttypes>
#include <cstdio>
#include <ctime>

#include "tests/proxysql-double/log.h"
#include "tests/proxysql-double/options.h"

namespace proxysql_double {
namespace {

// Variables that ProxySQL neither syncs nor counts into the checksum, because they belong to one node.
constexpr const char* kOwnVariables =
    "('mysql-threads','mysql-interfaces','pgsql-threads','pgsql-interfaces','admin-pgsql_ifaces',"
    "'admin-mysql_ifaces','admin-restapi_enabled','admin-restapi_port',"
    "'admin-telnet_admin_ifaces','admin-telnet_stats_ifaces','admin-web_enabled','admin-web_port')";

bool holds_variables(Module module) { return module_tables(module).empty(); }

std::string prefix_of(Module module) {
  if (module == Module::pgsql_variables) return "pgsql-";
  return module == Module::admin_variables ? "admin-" : "mysql-";
}

void clear(Database& database, const std::string& table) { database.execute("DELETE FROM " + table); }

// Replaces the rows of `to` by those of `from`.
// OR REPLACE: another connection may refill runtime_proxysql_servers in between, see stats_tables.cc.
void copy_table(Database& database, const std::string& from, const std::string& to, const std::string& filter = "") {
  clear(database, to);
  database.execute("INSERT OR REPLACE INTO " + to + " SELECT * FROM " + from + filter);
}

Answer insert_row(Database& database, const std::string& table, const std::string& names, const std::string& values) {
  return database.run("INSERT OR REPLACE INTO " + table + names + " VALUES (" + values + ")");
}

void store_variable(Database& database, const std::string& table, const std::string& name, const std::string& value) {
  insert_row(database, table, "", quoted(name) + "," + quoted(value));
}

// FNV-1a. It moves with content only; 0 stands for no rows.
class Fnv {
 public:
  void add(const ResultSet& set) {
    for (const Row& row : set.rows) {
      for (const Value& value : row) add(value.value_or("\x01"));
    }
  }
  std::string text() const {
    char buffer[24];
    std::snprintf(buffer, sizeof(buffer), "0x%016" PRIX64, any_ ? hash_ : 0);
    return buffer;
  }

 private:
  void add(const std::string& bytes) {
    any_ = true;
    for (const char c : bytes) hash_ = (hash_ ^ static_cast<uint8_t>(c)) * 0x100000001B3;
    hash_ = (hash_ ^ 0xFF) * 0x100000001B3;
  }
  uint64_t hash_ = 0xCBF29CE484222325;
  bool any_ = false;
};

}  // namespace

const std::vector<Module>& all_modules(bool pgsql) {
  static const std::vector<Module> mysql = {
      Module::admin_variables,  Module::mysql_variables,   Module::mysql_users, Module::mysql_servers,
      Module::proxysql_servers, Module::mysql_query_rules, Module::scheduler};
  static const std::vector<Module> both = [] {
    std::vector<Module> all = mysql;
    all.insert(all.end(),
               {Module::pgsql_variables, Module::pgsql_users, Module::pgsql_servers, Module::pgsql_query_rules});
    return all;
  }();
  return pgsql ? both : mysql;
}

std::vector<const char*> checksum_names(bool pgsql) {
  std::vector<const char*> names = {"admin_variables", "mysql_query_rules", "mysql_servers",   "mysql_users",
                                    "mysql_variables", "proxysql_servers",  "mysql_servers_v2"};
  if (pgsql) names.insert(names.end(), {"pgsql_query_rules", "pgsql_servers", "pgsql_users", "pgsql_variables"});
  return names;
}

std::string module_name(Module module) {
  switch (module) {
    case Module::admin_variables:
      return "admin_variables";
    case Module::mysql_query_rules:
      return "mysql_query_rules";
    case Module::mysql_servers:
      return "mysql_servers";
    case Module::mysql_users:
      return "mysql_users";
    case Module::mysql_variables:
      return "mysql_variables";
    case Module::proxysql_servers:
      return "proxysql_servers";
    case Module::pgsql_query_rules:
      return "pgsql_query_rules";
    case Module::pgsql_servers:
      return "pgsql_servers";
    case Module::pgsql_users:
      return "pgsql_users";
    case Module::pgsql_variables:
      return "pgsql_variables";
    case Module::scheduler:
      break;
  }
  return "scheduler";
}

std::vector<std::string> module_tables(Module module) {
  if (module == Module::admin_variables || module == Module::mysql_variables || module == Module::pgsql_variables) {
    return {};
  }
  if (module == Module::mysql_servers) {
    return {"mysql_servers", "mysql_replication_hostgroups", "mysql_hostgroup_attributes"};
  }
  if (module == Module::pgsql_servers) {
    return {"pgsql_servers", "pgsql_replication_hostgroups", "pgsql_hostgroup_attributes"};
  }
  if (module == Module::mysql_query_rules) return {"mysql_query_rules", "mysql_query_rules_fast_routing"};
  if (module == Module::pgsql_query_rules) return {"pgsql_query_rules", "pgsql_query_rules_fast_routing"};
  return {module_name(module)};
}

std::vector<std::string> content_queries(Module module) {
  switch (module) {
    case Module::admin_variables:
    case Module::mysql_variables:
    case Module::pgsql_variables:
      return {"SELECT * FROM runtime_global_variables WHERE variable_name LIKE '" + prefix_of(module) +
              "%' AND variable_name NOT IN " + kOwnVariables + " ORDER BY variable_name"};
    case Module::mysql_servers:
      return {
          "SELECT hostgroup_id, hostname, port, gtid_port, CASE status WHEN 'SHUNNED' THEN 'ONLINE' ELSE status END "
          "AS status, weight, compression, max_connections, max_replication_lag, use_ssl, max_latency_ms, comment "
          "FROM runtime_mysql_servers WHERE status<>'OFFLINE_HARD' ORDER BY hostgroup_id, hostname, port",
          "SELECT * FROM runtime_mysql_replication_hostgroups ORDER BY writer_hostgroup"};
    case Module::mysql_users:
      return {"SELECT * FROM runtime_mysql_users ORDER BY username, backend"};
    case Module::mysql_query_rules:
      return {"SELECT * FROM runtime_mysql_query_rules ORDER BY rule_id"};
    case Module::pgsql_servers:
      return {"SELECT * FROM runtime_pgsql_servers WHERE status<>'OFFLINE_HARD' ORDER BY hostgroup_id, hostname, port"};
    case Module::pgsql_users:
      return {"SELECT * FROM runtime_pgsql_users ORDER BY username, backend"};
    case Module::pgsql_query_rules:
      return {"SELECT * FROM runtime_pgsql_query_rules ORDER BY rule_id"};
    case Module::proxysql_servers:
      return {"SELECT hostname, port, weight, comment FROM runtime_proxysql_servers ORDER BY hostname, port"};
    case Module::scheduler:
      break;
  }
  return {};
}

std::string content_checksum(const std::vector<ResultSet>& contents) {
  Fnv hash;
  for (const ResultSet& set : contents) hash.add(set);
  return hash.text();
}

void store_content(Database& database, Module module, const std::vector<ResultSet>& contents) {
  const auto lock = database.hold();
  database.execute("SAVEPOINT store_content");
  std::vector<std::string> tables = module_tables(module);
  if (holds_variables(module)) {
    tables = {"global_variables"};
    database.execute("DELETE FROM main.global_variables WHERE variable_name LIKE '" + prefix_of(module) +
                     "%' AND variable_name NOT IN " + kOwnVariables);
  }
  for (size_t i = 0; i < contents.size() && i < tables.size(); ++i) {
    if (!holds_variables(module)) clear(database, "main." + tables[i]);
    for (const Row& row : contents[i].rows) {
      std::string values;
      for (const Value& value : row) append_item(values, value ? quoted(*value) : "NULL");
      insert_row(database, "main." + tables[i], "", values);
    }
  }
  database.execute("RELEASE store_content");
}

int64_t Modules::config_to_memory(Module module, const Cnf& cnf) {
  const auto lock = database_.hold();
  int64_t rows = 0;
  if (holds_variables(module)) {
    const auto& variables = module == Module::admin_variables   ? cnf.admin_variables
                            : module == Module::mysql_variables ? cnf.mysql_variables
                                                                : cnf.pgsql_variables;
    for (const auto& [name, value] : variables) {
      store_variable(database_, "main.global_variables", name, value);
      ++rows;
    }
    return rows;
  }
  const bool reads_all = is_at_least(variables_.text("admin-version"), {3, 0, 10});
  for (const std::string& table : module_tables(module)) {
    const bool is_late = table.ends_with("_fast_routing") || table.ends_with("_hostgroup_attributes");
    if (is_late && !reads_all) continue;
    const auto list = cnf.tables.find(table);
    if (list == cnf.tables.end()) continue;
    for (const CnfRow& row : list->second) {
      std::string names;
      std::string values;
      for (const auto& [name, value] : row) {
        append_item(names, name);
        append_item(values, quoted(value));
      }
      const Answer answer = insert_row(database_, "main." + table, "(" + names + ")", values);
      if (answer.kind == Answer::Kind::error) {
        log_error("Admin: a row of " + table + " in the config file is not usable: " + answer.text);
      } else {
        ++rows;
      }
    }
  }
  return rows;
}

int64_t Modules::disk_to_memory(Module module) {
  const auto lock = database_.hold();
  if (holds_variables(module)) {
    const std::string source = " FROM disk.global_variables WHERE variable_name LIKE '" + prefix_of(module) + "%'";
    database_.execute("INSERT OR REPLACE INTO main.global_variables SELECT *" + source);
    return database_.count("SELECT count(*)" + source);
  }
  for (const std::string& table : module_tables(module)) {
    copy_table(database_, "disk." + table, "main." + table);
  }
  return 0;
}

int64_t Modules::memory_to_disk(Module module) {
  const auto lock = database_.hold();
  database_.execute("SAVEPOINT copy_to_disk");
  int64_t rows = 0;
  if (holds_variables(module)) {
    const std::string source = " FROM main.global_variables WHERE variable_name LIKE '" + prefix_of(module) + "%'";
    database_.execute("INSERT OR REPLACE INTO disk.global_variables SELECT *" + source);
    rows = database_.count("SELECT count(*)" + source);
  }
  for (const std::string& table : module_tables(module)) {
    copy_table(database_, "main." + table, "disk." + table);
  }
  database_.execute("RELEASE copy_to_disk");
  return rows;
}

int64_t Modules::runtime_to_memory(Module module) {
  const auto lock = database_.hold();
  if (holds_variables(module)) {
    for (const auto& [name, value] : variables_.with_prefix(prefix_of(module))) {
      store_variable(database_, "main.global_variables", name, value);
    }
    return 0;
  }
  for (const std::string& table : module_tables(module)) {
    copy_table(database_, "rt." + table, "main." + table);
  }
  return 0;
}

void Modules::drop_unknown_variable(const std::string& name, const std::string& value) {
  log_warning("Impossible to set not existing variable " + name + " with value \"" + value +
              "\". Deleting. If the variable name is correct, this version doesn't support it");
  database_.execute("DELETE FROM main.global_variables WHERE variable_name=" + quoted(name));
}

void Modules::reset_refused_variable(const std::string& name, const std::string& value, bool read_only) {
  const std::string current = variables_.text(name);
  log_warning(std::string("Impossible to set ") + (read_only ? "read-only " : "") + "variable " +
              name.substr(name.find('-') + 1) + " with value \"" + value + "\". Resetting to current \"" + current +
              "\".");
  store_variable(database_, "main.global_variables", name, current);
}

LoadStats Modules::variables_to_runtime(const std::string& prefix) {
  LoadStats stats;
  const ResultSet memory =
      database_.query("SELECT * FROM main.global_variables WHERE variable_name LIKE '" + prefix + "%'");
  for (const Row& row : memory.rows) {
    const std::string& name = *row[0];
    const std::string& value = *row[1];
    const Variables::Outcome outcome = variables_.set(name, value);
    ++stats.records;
    if (outcome == Variables::Outcome::set) {
      ++stats.updated;
    } else if (outcome == Variables::Outcome::unknown) {
      ++stats.unknown;
      drop_unknown_variable(name, value);
    } else {
      ++stats.rejected;
      reset_refused_variable(name, value, outcome == Variables::Outcome::read_only);
    }
  }
  if (prefix == "admin-") return stats;
  const int64_t wait_timeout = variables_.number(prefix + "wait_timeout");
  if (wait_timeout < 5000) {
    log_warning("mysql-wait_timeout is set to a low value: " + std::to_string(wait_timeout) + "ms");  // of both
  }
  return stats;
}

// Runtime keeps a user's two sides as two rows.
void Modules::users_to_runtime(Module module) {
  const std::string table = module_name(module);
  const std::string schema =
      module == Module::mysql_users ? "ifnull(default_schema,''), schema_locked, " : std::string();
  const std::string columns =
      "username, password, active, use_ssl, default_hostgroup, " + schema + "transaction_persistent, fast_forward, ";
  const std::string rest = ", max_connections, attributes, comment FROM main." + table + " WHERE active=1 AND ";
  const std::string insert = "INSERT OR REPLACE INTO rt." + table + " SELECT " + columns;
  clear(database_, "rt." + table);
  database_.execute(insert + "0, 1" + rest + "frontend=1");
  database_.execute(insert + "1, 0" + rest + "backend=1");
}

void Modules::tables_to_runtime(Module module) {
  for (const std::string& table : module_tables(module)) {
    const char* filter = table.ends_with("_query_rules") ? " WHERE active=1" : "";
    if (module == Module::mysql_users || module == Module::pgsql_users) {
      users_to_runtime(module);
    } else {
      copy_table(database_, "main." + table, "rt." + table, filter);
    }
    copy_table(database_, "rt." + table, "main.runtime_" + table);
  }
}

void Modules::refresh_runtime_variables(const std::string& prefix) {
  database_.execute("DELETE FROM main.runtime_global_variables");
  for (const auto& [name, value] : variables_.with_prefix(prefix)) {
    store_variable(database_, "main.runtime_global_variables", name, value);
  }
}

LoadStats Modules::memory_to_runtime(Module module, std::optional<int64_t> peer_epoch) {
  LoadStats stats;
  const auto lock = database_.hold();
  database_.execute("SAVEPOINT load_to_runtime");
  if (holds_variables(module)) {
    stats = variables_to_runtime(prefix_of(module));
    refresh_runtime_variables(prefix_of(module));
  } else {
    tables_to_runtime(module);
  }
  std::vector<ResultSet> contents;
  for (const std::string& query : content_queries(module)) contents.push_back(database_.query(query));
  database_.execute("RELEASE load_to_runtime");
  if (module == Module::scheduler || module == Module::pgsql_variables) return stats;

  if (module == Module::mysql_servers) {
    set_stamp("mysql_servers_v2", content_checksum(contents), peer_epoch);
    contents.resize(1);
  }
  set_stamp(module_name(module), content_checksum(contents), peer_epoch);
  return stats;
}

void Modules::set_stamp(const std::string& name, const std::string& checksum, std::optional<int64_t> peer_epoch) {
  const std::lock_guard lock(mutex_);
  Stamp& stamp = stamps_[name];
  ++stamp.version;
  stamp.epoch = peer_epoch.value_or(std::time(nullptr));
  stamp.checksum = checksum;
  changed_.notify_all();
  log_info("Computed checksum for '" + name + "' was '" + stamp.checksum + "', with epoch '" +
           std::to_string(stamp.epoch) + "'");
}

std::map<std::string, Stamp> Modules::stamps() const {
  const std::lock_guard lock(mutex_);
  return stamps_;
}

Stamp Modules::stamp(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = stamps_.find(name);
  return found == stamps_.end() ? Stamp{} : found->second;
}

bool Modules::wait_for_version(const std::string& name, int64_t version, std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return stamps_[name].version >= version; });
}

void Modules::forget_all(bool pgsql) {
  const auto lock = database_.hold();
  database_.abandon_transaction();
  database_.execute("DELETE FROM main.global_variables");
  for (const Module module : all_modules(pgsql)) {
    for (const std::string& table : module_tables(module)) {
      clear(database_, "main." + table);
      clear(database_, "rt." + table);
    }
  }
}

}  // namespace proxysql_double
