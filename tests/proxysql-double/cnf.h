// proxysql.cnf as plain data.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "src/base/result.h"

namespace proxysql_double {

// One element of a list such as mysql_servers: column names (those of the table) and values as text.
using CnfRow = std::vector<std::pair<std::string, std::string>>;

struct Cnf {
  // Names with their prefix, "mysql-" or "admin-", as in global_variables.
  std::vector<std::pair<std::string, std::string>> admin_variables;
  std::vector<std::pair<std::string, std::string>> mysql_variables;
  std::vector<std::pair<std::string, std::string>> pgsql_variables;
  std::map<std::string, std::vector<CnfRow>> tables;  // by table name
  std::string data_dir;                               // the file's datadir; empty if absent
};

// Reads the groups and lists that the double knows and ignores all others. The error carries file and line.
pulse::Result<Cnf> read_cnf(const std::string& path);

}  // namespace proxysql_double
