// The one list of ProxySQL's modules of configuration. Another module is another row.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace pulse {

// A module of configuration: how commands name it, where its checksum stands, and the tables that its groups of the
// configuration file fill (ProxySQL_Config.cpp; a group is named as its table).
struct FileModule {
  const char* name;      // as core.modules and stats_proxysql_servers_checksums have it; a group of the file, too
  const char* command;   // LOAD <command> TO RUNTIME
  const char* checksum;  // the module whose checksum moves only with a load
  std::span<const char* const> tables;  // the first one mustn't be empty when it is loaded; none: variables
  bool serves = false;                  // a satellite that has received this one can serve clients
  // ProxySQL 3 alone has it, and syncs it since 3.0.7. It never shows what a peer holds of it: nothing is decided by
  // that.
  bool pgsql = false;
  // Tables of the module's that ProxySQL reads from its file since 3.0.10 alone. Before, their rows in the file mean
  // nothing, and those that ProxySQL has aren't the file's: they are left alone.
  std::span<const char* const> later_tables = {};
};

namespace detail {

inline constexpr const char* kMysqlServers[] = {
    "mysql_servers",           "mysql_replication_hostgroups", "mysql_group_replication_hostgroups",
    "mysql_galera_hostgroups", "mysql_aws_aurora_hostgroups",  "mysql_servers_ssl_params"};
inline constexpr const char* kMysqlServersLater[] = {"mysql_hostgroup_attributes"};
inline constexpr const char* kMysqlUsers[] = {"mysql_users"};
inline constexpr const char* kMysqlQueryRules[] = {"mysql_query_rules"};
inline constexpr const char* kMysqlQueryRulesLater[] = {"mysql_query_rules_fast_routing"};
inline constexpr const char* kPgsqlServers[] = {"pgsql_servers", "pgsql_replication_hostgroups"};
inline constexpr const char* kPgsqlServersLater[] = {"pgsql_hostgroup_attributes"};
inline constexpr const char* kPgsqlUsers[] = {"pgsql_users"};
inline constexpr const char* kPgsqlQueryRules[] = {"pgsql_query_rules"};
inline constexpr const char* kPgsqlQueryRulesLater[] = {"pgsql_query_rules_fast_routing"};

}  // namespace detail

// In the order in which a core loads them.
inline constexpr FileModule kFileModules[] = {
    {"mysql_servers", "MYSQL SERVERS", "mysql_servers_v2", detail::kMysqlServers, true, false,
     detail::kMysqlServersLater},
    {"mysql_users", "MYSQL USERS", "mysql_users", detail::kMysqlUsers, true},
    {"mysql_query_rules", "MYSQL QUERY RULES", "mysql_query_rules", detail::kMysqlQueryRules, false, false,
     detail::kMysqlQueryRulesLater},
    {"mysql_variables", "MYSQL VARIABLES", "mysql_variables", {}},
    {"admin_variables", "ADMIN VARIABLES", "admin_variables", {}},
    {"pgsql_servers", "PGSQL SERVERS", "pgsql_servers_v2", detail::kPgsqlServers, true, true,
     detail::kPgsqlServersLater},
    {"pgsql_users", "PGSQL USERS", "pgsql_users", detail::kPgsqlUsers, true, true},
    {"pgsql_query_rules", "PGSQL QUERY RULES", "pgsql_query_rules", detail::kPgsqlQueryRules, false, true,
     detail::kPgsqlQueryRulesLater},
    {"pgsql_variables", "PGSQL VARIABLES", "pgsql_variables", {}, false, true},
};

constexpr std::span<const FileModule> file_modules() { return kFileModules; }

// Their names, for core.modules.
inline constexpr auto kModuleNames = [] {
  std::array<const char*, std::size(kFileModules)> names{};
  for (size_t i = 0; i < names.size(); ++i) names[i] = kFileModules[i].name;
  return names;
}();

// The module that a row of stats_proxysql_servers_checksums is about, by either of its names; null if there is none.
const FileModule* find_file_module(std::string_view name);

// The module whose rows the checksum of this name is of, where cores see each other's: MySQL's servers, users and
// query rules. Null for any other: a node's variables may be its own.
const FileModule* find_row_module(std::string_view checksum);

// Calls `take` with each table of the module's that this ProxySQL reads from its file.
template <class Take>
void each_table(const FileModule& module, bool reads_later_tables, Take take) {
  for (const char* table : module.tables) take(table);
  if (!reads_later_tables) return;
  for (const char* table : module.later_tables) take(table);
}

// Calls `take` with each group of the configuration file that a module is loaded from.
template <class Take>
void each_file_group(Take take) {
  for (const FileModule& module : kFileModules) {
    if (module.tables.empty()) take(module.name);
    each_table(module, true, take);
  }
}

}  // namespace pulse
