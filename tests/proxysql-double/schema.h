// The tables of ProxySQL 2.7.1 that the double has, and of 3.0.1 those of PostgreSQL.
#pragma once

#include <string>
#include <vector>

namespace proxysql_double {

struct TableDefinition {
  std::string name;
  std::string columns;  // what stands between the parentheses of CREATE TABLE
  bool pgsql = false;   // ProxySQL 3 alone has it
};

// Each exists as NAME and runtime_NAME in main, and as NAME in disk.
const std::vector<TableDefinition>& configuration_tables();

// In schema stats. The query digests exist with the ending _reset too.
const std::vector<TableDefinition>& statistics_tables();

// runtime_checksums_values, in main only.
const TableDefinition& checksums_table();

}  // namespace proxysql_double
