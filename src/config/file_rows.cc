#include "src/config/file_rows.h"

#include <libconfig.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>

#include "src/base/file.h"
#include "src/base/hmac.h"
#include "src/config/cnf_text.h"

namespace pulse {

namespace {

struct KeyColumn {
  const char* name;
  const char* otherwise;  // ProxySQL's default; null: a row without it is skipped, or refused
};

// As ProxySQL_Config.cpp reads the groups.
struct TableRules {
  const char* name;
  std::vector<KeyColumn> key;
  std::vector<std::pair<const char*, const char*>> spellings = {};  // of the file, and of the table
};

const std::vector<TableRules>& table_rules() {
  static const std::vector<TableRules> rules = {
      {"mysql_servers",
       {{"hostgroup_id", nullptr}, {"hostname", nullptr}, {"port", "3306"}},
       {{"address", "hostname"}, {"hostgroup", "hostgroup_id"}}},
      {"mysql_users", {{"username", nullptr}}},
      {"mysql_query_rules", {{"rule_id", nullptr}}},
      {"mysql_replication_hostgroups", {{"writer_hostgroup", nullptr}}},
      {"mysql_group_replication_hostgroups", {{"writer_hostgroup", nullptr}}},
      {"mysql_galera_hostgroups", {{"writer_hostgroup", nullptr}}},
      {"mysql_aws_aurora_hostgroups", {{"writer_hostgroup", nullptr}}},
  };
  return rules;
}

const TableRules* find_rules(std::string_view table) {
  const auto& rules = table_rules();
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const TableRules& one) { return table == one.name; });
  return found == rules.end() ? nullptr : &*found;
}

// Numbers and booleans may stand in quotes, and a number may have zeros before it: what ProxySQL stores is one text.
std::string canonical(std::string_view value) {
  if (value == "true") return "1";
  if (value == "false") return "0";
  int64_t number = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
  if (!value.empty() && parsed.ec == std::errc{} && parsed.ptr == value.data() + value.size()) {
    return std::to_string(number);
  }
  return std::string(value);
}

bool same_text(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) {
           return std::tolower(x) == std::tolower(y);
         });
}

bool is_status(std::string_view text) {
  constexpr std::string_view kAll[] = {"ONLINE", "SHUNNED", "OFFLINE_SOFT", "OFFLINE_HARD"};
  return std::any_of(std::begin(kAll), std::end(kAll), [&](std::string_view one) { return same_text(text, one); });
}

bool same_value(const std::string& column, const std::string& file, const std::string& memory) {
  if (file == memory) return true;
  if (column == "status") return same_text(file, memory);
  return column != "password" && canonical(file) == canonical(memory);
}

// The columns that hold texts, of all tables; all others hold numbers.
bool is_text(std::string_view column) {
  constexpr std::string_view kTexts[] = {
      "attributes",  "check_type", "client_addr",  "comment",         "default_schema", "digest",
      "domain_name", "error_msg",  "hostname",     "match_digest",    "OK_msg",         "match_pattern",
      "password",    "proxy_addr", "re_modifiers", "replace_pattern", "schemaname",     "servers_defaults",
      "ssl_ca",      "ssl_capath", "ssl_cert",     "ssl_cipher",      "ssl_crl",        "ssl_crlpath",
      "ssl_key",     "status",     "tls_version",  "username"};
  return std::find(std::begin(kTexts), std::end(kTexts), column) != std::end(kTexts);
}

bool fits(std::string_view column, const config_setting_t* setting) {
  return config_setting_type(setting) == (is_text(column) ? CONFIG_TYPE_STRING : CONFIG_TYPE_INT);
}

// None for what is no single value. A boolean is a word in a variable, and a number in a table.
enum class Booleans { words, numbers };

std::optional<std::string> value_of(const config_setting_t* setting, Booleans booleans) {
  switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
      return std::to_string(config_setting_get_int64(setting));
    case CONFIG_TYPE_BOOL:
      if (booleans == Booleans::numbers) return config_setting_get_bool(setting) == CONFIG_TRUE ? "1" : "0";
      return config_setting_get_bool(setting) == CONFIG_TRUE ? "true" : "false";
    case CONFIG_TYPE_STRING:
      return config_setting_get_string(setting);
    default:
      return std::nullopt;
  }
}

FileRow take_members(const config_setting_t* group, Booleans booleans) {
  FileRow row;
  for (int i = 0; i < config_setting_length(group); ++i) {
    const config_setting_t* member = config_setting_get_elem(group, static_cast<unsigned>(i));
    const char* name = config_setting_name(member);
    const auto value = name == nullptr ? std::nullopt : value_of(member, booleans);
    if (value) row[name] = *value;
  }
  return row;
}

// Notes the columns that are mistyped, and takes those of the key away, which ProxySQL takes for absent.
void check_types(const config_setting_t* group, FileRow& row, FileTable& table) {
  for (int i = 0; i < config_setting_length(group); ++i) {
    const config_setting_t* member = config_setting_get_elem(group, static_cast<unsigned>(i));
    std::string name = config_setting_name(member);
    if (name == "address") name = "hostname";
    if (name == "hostgroup") name = "hostgroup_id";
    if (fits(name, member)) continue;
    table.mistyped.insert(name);
    if (std::find(table.key.begin(), table.key.end(), name) == table.key.end()) continue;
    row.erase(config_setting_name(member));
  }
}

// False for a row that ProxySQL skips.
bool complete(FileRow& row, const TableRules& rules) {
  for (const auto& [from, to] : rules.spellings) {
    const auto found = row.find(from);
    if (found == row.end()) continue;
    std::string value = std::move(found->second);
    row.erase(found);
    row[to] = std::move(value);
  }
  for (const KeyColumn& column : rules.key) {
    if (row.count(column.name) != 0) continue;
    if (column.otherwise == nullptr) return false;
    row[column.name] = column.otherwise;
  }
  return true;
}

FileTable take_table(const char* name, const config_setting_t* list) {
  FileTable table{name, {}, {}};
  const TableRules* rules = find_rules(name);
  if (rules != nullptr) {
    for (const KeyColumn& column : rules->key) table.key.emplace_back(column.name);
  }
  for (int i = 0; i < config_setting_length(list); ++i) {
    const config_setting_t* element = config_setting_get_elem(list, static_cast<unsigned>(i));
    if (element == nullptr || config_setting_is_group(element) == CONFIG_FALSE) continue;
    FileRow row = take_members(element, Booleans::numbers);
    check_types(element, row, table);
    if (rules != nullptr && !complete(row, *rules)) continue;
    const auto status = row.find("status");
    const bool known = status != row.end() && is_status(status->second);
    if (status != row.end() && !known) status->second = "ONLINE";  // as ProxySQL does
    // INSERT OR REPLACE.
    std::erase_if(table.rows, [&](const FileRow& other) {
      return !table.key.empty() && std::all_of(table.key.begin(), table.key.end(), [&](const std::string& column) {
        return other.at(column) == row.at(column);
      });
    });
    table.rows.push_back(std::move(row));
  }
  std::sort(table.rows.begin(), table.rows.end());
  return table;
}

// "wait_timeout" and "mysql-wait_timeout" are the same variable.
FileTable take_variables(const char* name, config_setting_t* group) {
  const std::string prefix = std::string(name).substr(0, std::string_view(name).find('_')) + "-";
  FileTable table{name, {"variable_name"}, {}};
  for (auto& [variable, value] : take_members(group, Booleans::words)) {
    const bool prefixed = variable.rfind(prefix, 0) == 0;
    const config_setting_t* setting = config_setting_get_member(group, variable.c_str());
    if (setting != nullptr && config_setting_type(setting) == CONFIG_TYPE_INT64) continue;  // ProxySQL takes none
    table.rows.push_back({{"variable_name", prefixed ? variable : prefix + variable}, {"variable_value", value}});
  }
  std::sort(table.rows.begin(), table.rows.end());
  return table;
}

std::string secret_of(const FileTable& admin) {
  std::string user, password, credentials;
  for (const FileRow& row : admin.rows) {
    const std::string& name = row.at("variable_name");
    const std::string& value = row.at("variable_value");
    if (name == "admin-cluster_username") user = value;
    if (name == "admin-cluster_password") password = value;
    if (name == "admin-admin_credentials") credentials = value;
  }
  return password.empty() ? credentials : user + ":" + password;
}

// Variables that belong to one node: ProxySQL neither syncs them nor counts them into its checksum, so that the same
// file may give each node its own.
bool is_of_one_node(std::string_view variable) {
  const std::string_view name = variable.substr(variable.find('-') + 1);
  constexpr std::string_view kOwn[] = {"interfaces",          "threads",     "mysql_ifaces",        "pgsql_ifaces",
                                       "telnet_admin_ifaces", "web_enabled", "telnet_stats_ifaces", "web_port",
                                       "restapi_enabled",     "restapi_port"};
  return std::find(std::begin(kOwn), std::end(kOwn), name) != std::end(kOwn);
}

void append(std::string& text, std::string_view part) {
  text += std::to_string(part.size());
  text += ':';
  text += part;
}

std::string key_of(const FileRow& row, const std::vector<std::string>& key) {
  std::string text;
  if (!key.empty()) {
    for (const std::string& column : key) append(text, row.at(column));
    return text;
  }
  for (const auto& [column, value] : row) append(text, value);
  return text;
}

// "app" or "1 10.0.0.1 3306": keys are no secrets.
std::string shown_key(const FileRow& row, const FileTable& table) {
  std::string text;
  for (const std::string& column : table.key) text += (text.empty() ? "" : " ") + row.at(column);
  return table.key.empty() ? "a row" : text;
}

}  // namespace

const FileTable* FileRows::find(std::string_view name) const {
  const auto found = std::find_if(tables.begin(), tables.end(), [&](const FileTable& one) { return one.name == name; });
  return found == tables.end() ? nullptr : &*found;
}

Result<FileRows> parse_file_rows(const std::string& text, const std::string& path) {
  config_t file;
  config_init(&file);
  const std::unique_ptr<config_t, void (*)(config_t*)> owner(&file, config_destroy);
  const std::string directory = path.substr(0, path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  if (!directory.empty()) config_set_include_dir(&file, directory.c_str());
  if (text.find('\0') != std::string::npos) return Error{path + ": holds a zero byte: not a configuration file"};
  if (config_read_string(&file, without_trailing_commas(text).c_str()) != CONFIG_TRUE) {
    const char* name = config_error_file(&file);
    return Error{(name == nullptr ? path : std::string(name)) + ":" + std::to_string(config_error_line(&file)) + ": " +
                 config_error_text(&file)};
  }
  FileRows rows;
  const auto take = [&](const char* name, bool variables) {
    config_setting_t* group = config_setting_get_member(config_root_setting(&file), name);
    if (group == nullptr || config_setting_length(group) <= 0) return;
    FileTable table = variables ? take_variables(name, group) : take_table(name, group);
    if (table.name == "admin_variables") rows.secret = secret_of(table);
    rows.tables.push_back(std::move(table));
  };
  for (const FileModule& module : file_modules()) {
    if (module.tables.empty()) take(module.name, true);
    for (const char* table : module.tables) take(table, false);
  }
  std::sort(rows.tables.begin(), rows.tables.end(),
            [](const FileTable& a, const FileTable& b) { return a.name < b.name; });
  return rows;
}

Result<FileRows> read_file_rows(const std::string& path) {
  const auto text = read_text_at_once(path);
  if (!text) return text.error();
  return parse_file_rows(*text, path);
}

ContentHash content_hash(const FileRows& rows, const FileModule& module, const std::string& otherwise) {
  std::string text;
  const auto add = [&](std::string_view name) {
    const FileTable* table = rows.find(name);
    if (table == nullptr) return;
    append(text, table->name);
    for (const FileRow& row : table->rows) {
      const auto variable = row.find("variable_name");
      if (variable != row.end() && is_of_one_node(variable->second)) continue;
      text += '\n';
      for (const auto& [column, value] : row) {
        append(text, column);
        append(text, value);
      }
    }
  };
  if (module.tables.empty()) add(module.name);
  for (const char* table : module.tables) add(table);
  if (text.empty()) return {};
  const auto digest = hmac_sha256(rows.secret.empty() ? otherwise : rows.secret, text);
  ContentHash hash{};
  std::memcpy(hash.data(), digest.data(), sizeof hash);
  return hash;
}

std::string difference(const FileTable& file, const std::vector<std::string>& columns,
                       const std::vector<std::vector<std::string>>& memory) {
  const bool variables = file.key.size() == 1 && file.key.front() == "variable_name";
  std::map<std::string, const FileRow*> wanted;
  for (const FileRow& row : file.rows) wanted[key_of(row, file.key)] = &row;
  std::set<std::string> found;
  for (const std::vector<std::string>& cells : memory) {
    FileRow row;
    for (size_t i = 0; i < std::min(columns.size(), cells.size()); ++i) row[columns[i]] = cells[i];
    for (const std::string& column : file.key) row.try_emplace(column);
    if (file.key.empty() && !file.rows.empty()) {  // not known here: by the columns that the file gives
      std::erase_if(row, [&](const auto& cell) { return file.rows.front().count(cell.first) == 0; });
    }
    const auto match = wanted.find(key_of(row, file.key));
    if (match == wanted.end()) {
      if (variables) continue;
      return file.name + " holds " + shown_key(row, file) + ", which the file lacks";
    }
    if (!found.insert(match->first).second) return file.name + " holds " + shown_key(row, file) + " twice";
    for (const auto& [column, value] : *match->second) {
      const auto cell = row.find(column);
      // No column of this version's table; or as ProxySQL reads it, which differs from version to version.
      if (cell == row.end() || file.mistyped.count(column) != 0) continue;
      if (same_value(column, value, cell->second)) continue;
      return file.name + ": " + column + " of " + shown_key(row, file) + " isn't as in the file";
    }
  }
  for (const auto& [key, row] : wanted) {
    if (found.count(key) == 0) return file.name + " lacks " + shown_key(*row, file) + ", which the file has";
  }
  return "";
}

}  // namespace pulse
