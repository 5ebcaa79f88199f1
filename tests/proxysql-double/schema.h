// The tables of ProxySQL 2.7.1 that the double has.
#pragma once

#include <string>
#include <vector>

namespace proxysql_double {

struct TableDefinition {
  std::string name;
  std::string columns;  // what stands between the parentheses of CREATE TABLE
};

// Each exists as NAME and runtime_NAME in main, and as NAME in disk.
const std::vector<TableDefinition>& configuration_tables();

// In schema stats. stats_mysql_query_digest exists with the ending _reset too.
const std::vector<TableDefinition>& statistics_tables();

// runtime_checksums_values, in main only.
const TableDefinition& checksums_table();

}  // namespace proxysql_double
