#include "tests/proxysql-double/cnf.h"

#include <libconfig.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "src/config/cnf_text.h"

namespace proxysql_double {
namespace {

// Owns a libconfig document.
class Document {
 public:
  Document() { config_init(&config_); }
  ~Document() { config_destroy(&config_); }
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;
  config_t* get() { return &config_; }

 private:
  config_t config_{};
};

std::string scalar_text(config_setting_t* setting) {
  switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
      return std::to_string(config_setting_get_int(setting));
    case CONFIG_TYPE_INT64:
      return std::to_string(config_setting_get_int64(setting));
    case CONFIG_TYPE_FLOAT:
      return std::to_string(config_setting_get_float(setting));
    case CONFIG_TYPE_BOOL:
      return config_setting_get_bool(setting) != 0 ? "true" : "false";
    case CONFIG_TYPE_STRING:
      return config_setting_get_string(setting);
    default:
      return "";
  }
}

std::vector<std::pair<std::string, std::string>> members(config_setting_t* group, const std::string& prefix) {
  std::vector<std::pair<std::string, std::string>> found;
  for (int i = 0; group != nullptr && i < config_setting_length(group); ++i) {
    config_setting_t* member = config_setting_get_elem(group, static_cast<unsigned>(i));
    if (config_setting_name(member) == nullptr || config_setting_is_aggregate(member) != 0) continue;
    found.emplace_back(prefix + config_setting_name(member), scalar_text(member));
  }
  return found;
}

// The names that ProxySQL's file allows beside the columns' own.
std::string column_name(const std::string& table, const std::string& key) {
  if (key == "address" && (table == "mysql_servers" || table == "proxysql_servers")) return "hostname";
  if (key == "hostgroup" && table == "mysql_servers") return "hostgroup_id";
  return key;
}

std::string boolean_as_number(const std::string& text) {
  if (text == "true") return "1";
  return text == "false" ? "0" : text;
}

std::vector<CnfRow> rows_of(config_setting_t* list, const std::string& table) {
  std::vector<CnfRow> rows;
  for (int i = 0; list != nullptr && i < config_setting_length(list); ++i) {
    CnfRow row;
    for (auto& [key, value] : members(config_setting_get_elem(list, static_cast<unsigned>(i)), "")) {
      row.emplace_back(column_name(table, key), boolean_as_number(value));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

pulse::Result<Cnf> read_cnf(const std::string& path) {
  std::ifstream file(path);
  if (!file) return pulse::system_error("open " + path, errno);
  std::stringstream text;
  text << file.rdbuf();

  Document document;
  if (config_read_string(document.get(), pulse::without_trailing_commas(text.str()).c_str()) != CONFIG_TRUE) {
    return pulse::Error{"Parse error at " + path + ":" + std::to_string(config_error_line(document.get())) + " - " +
                            config_error_text(document.get()),
                        1};
  }
  Cnf cnf;
  cnf.admin_variables = members(config_lookup(document.get(), "admin_variables"), "admin-");
  cnf.mysql_variables = members(config_lookup(document.get(), "mysql_variables"), "mysql-");
  for (const char* table : {"mysql_servers", "mysql_replication_hostgroups", "mysql_users", "mysql_query_rules",
                            "proxysql_servers", "scheduler"}) {
    cnf.tables[table] = rows_of(config_lookup(document.get(), table), table);
  }
  const char* data_dir = nullptr;
  if (config_lookup_string(document.get(), "datadir", &data_dir) == CONFIG_TRUE) cnf.data_dir = data_dir;
  return cnf;
}

}  // namespace proxysql_double
