#include "tests/proxysql-double/saved_config.h"

#include <algorithm>
#include <cctype>

namespace proxysql_double {
namespace {

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '"' ? std::string("\\\"") : std::string(1, c);
  return out;
}

void add_variables(Database& database, const std::string& prefix, std::string& text) {
  text += prefix + "_variables =\n{\n";
  for (const Row& row : database
                            .query("SELECT substr(variable_name, " + std::to_string(prefix.size() + 2) +
                                   "), variable_value FROM main.global_variables WHERE variable_name LIKE '" + prefix +
                                   "-%' AND variable_value <> '' ORDER BY variable_name")
                            .rows) {
    text += "\t" + *row[0] + "=\"" + *row[1] + "\"\n";
  }
  text += "}\n\n";
}

void add_table(Database& database, const std::string& table, std::string& text) {
  const ResultSet set = database.query("SELECT * FROM main." + table);
  text += table + ":\n(\n";
  for (size_t i = 0; i < set.rows.size(); ++i) {
    text += i == 0 ? "\t{\n" : ",\n\t{\n";
    for (size_t column = 0; column < set.columns.size(); ++column) {
      const Value& value = set.rows[i][column];
      if (!value || value->empty()) continue;
      const bool bare = is_number(*value) && set.columns[column] != "password";
      text += "\t\t" + set.columns[column] + "=" + (bare ? *value : "\"" + escaped(*value) + "\"") + "\n";
    }
    text += "\t}";
  }
  text += "\n)\n\n";
}

}  // namespace

std::string saved_config(Database& database, bool pgsql) {
  const auto lock = database.hold();
  std::string text = "# A configuration file.\n";
  for (const char* prefix : {"admin", "mysql", "pgsql"}) {
    if (pgsql || std::string(prefix) != "pgsql") add_variables(database, prefix, text);
  }
  for (const char* table : {"mysql_users", "mysql_query_rules", "mysql_servers", "pgsql_users", "pgsql_query_rules",
                            "pgsql_servers", "scheduler", "proxysql_servers"}) {
    if (pgsql || !std::string(table).starts_with("pgsql")) add_table(database, table, text);
  }
  return text;
}

}  // namespace proxysql_double
