#include "tests/proxysql-double/cnf.h"

#include "src/config/cnf.h"
#include "src/config/table_rows.h"

namespace proxysql_double {
namespace {

using NamedValues = std::vector<std::pair<std::string, std::string>>;

// ProxySQL puts the prefix before each name, whatever the name is.
NamedValues variables_of(const pulse::CnfSetting* group, const std::string& prefix) {
  NamedValues found;
  if (group == nullptr || !group->is(pulse::CnfType::group)) return found;
  for (const pulse::CnfSetting& variable : pulse::CnfChildren(group)) {
    const auto value = pulse::variable_text(variable);
    if (value) found.emplace_back(prefix + std::string(variable.name), *value);
  }
  return found;
}

// The rows as the product reads them, too: tests/config-corpus holds both to what a real server stores.
std::vector<CnfRow> rows_of(const pulse::CnfSetting* list, const std::string& table) {
  std::vector<CnfRow> rows;
  for (const pulse::ListedRow& listed : pulse::listed_rows(table, list)) {
    CnfRow row;
    for (const std::string& column : pulse::stored_columns(table)) {
      if (const auto value = pulse::stored_cell(table, listed, column)) row.emplace_back(column, *value);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

pulse::Result<Cnf> read_cnf(const std::string& path) {
  const auto file = pulse::read_cnf(path);
  if (!file) return pulse::Error{"Parse error at " + file.error().text, 1};
  Cnf cnf;
  const pulse::CnfSetting& root = file->root();
  cnf.admin_variables = variables_of(root.find("admin_variables"), "admin-");
  cnf.mysql_variables = variables_of(root.find("mysql_variables"), "mysql-");
  cnf.pgsql_variables = variables_of(root.find("pgsql_variables"), "pgsql-");
  for (const char* table :
       {"mysql_servers", "mysql_replication_hostgroups", "mysql_users", "mysql_query_rules", "proxysql_servers",
        "scheduler", "pgsql_servers", "pgsql_replication_hostgroups", "pgsql_users", "pgsql_query_rules",
        "mysql_hostgroup_attributes", "pgsql_hostgroup_attributes", "mysql_query_rules_fast_routing",
        "pgsql_query_rules_fast_routing"}) {
    cnf.tables[table] = rows_of(root.find(table), table);
  }
  if (const auto* data_dir = root.find("datadir"); data_dir != nullptr && data_dir->is(pulse::CnfType::text)) {
    cnf.data_dir = data_dir->text;
  }
  return cnf;
}

}  // namespace proxysql_double
