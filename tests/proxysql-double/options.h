// The command line: ProxySQL's own options that tests use, and the double's.
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "src/base/result.h"

namespace proxysql_double {

// Whether a version's text, "3.0.1-39-g596d5ba", is of that version or of a later one.
inline bool is_at_least(const std::string& version, const std::array<int, 3>& least) {
  std::array<int, 3> parts{};
  std::sscanf(version.c_str(), "%d.%d.%d", &parts[0], &parts[1], &parts[2]);
  return parts >= least;
}

struct Options {
  std::string config_file = "/etc/proxysql.cnf";
  std::string data_dir;  // else the file's datadir, else /var/lib/proxysql
  bool initial = false;  // drop proxysql.db and start from the file
  bool reload = false;   // merge the file over proxysql.db

  // The double's own.
  std::string control_path;  // unix socket for faults and inspection; none if empty
  std::string version = "2.7.1-16-g2726c27";
  bool die_with_parent = false;

  // Newer 3.x: a protocol that is off has no port, and no rows in its statistics.
  bool mysql = true;
  bool pgsql = true;

  // 3.0.10 and later: the OK of LOAD ... VARIABLES TO RUNTIME says what was rejected and what is unknown.
  bool counts_variables() const { return is_at_least(version, {3, 0, 10}); }

  // ProxySQL 3: PostgreSQL's modules, tables, variables and port, and PAUSE for both protocols. It is told by
  // `version`.
  bool has_pgsql() const { return std::atoi(version.c_str()) >= 3; }
};

// Errors name the argument; code is 1, as ProxySQL exits.
pulse::Result<Options> parse_options(int argc, char** argv);

}  // namespace proxysql_double
