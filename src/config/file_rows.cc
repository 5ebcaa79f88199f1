#include "src/config/file_rows.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "src/base/hmac.h"
#include "src/config/cnf.h"

namespace pulse {

namespace {

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

// A variable is stored under its name with the module's prefix before it, also where the file gives one already: then
// ProxySQL knows none of that name.
FileTable take_variables(const char* name, const CnfSetting& group) {
  const std::string prefix = std::string(name).substr(0, std::string_view(name).find('_')) + "-";
  FileTable table{name, {"variable_name"}, {}};
  for (const CnfSetting& variable : CnfChildren(group.is(CnfType::group) ? &group : nullptr)) {
    const auto value = variable_text(variable);
    if (!value || (value->empty() && !variable.is(CnfType::text))) continue;  // nothing that ProxySQL takes
    table.rows.push_back({{"variable_name", prefix + std::string(variable.name)}, {"variable_value", *value}});
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

FileRows take_file_rows(const Cnf& cnf) {
  FileRows rows;
  const auto take = [&](const char* name, bool variables) {
    const CnfSetting* group = cnf.root().find(name);
    if (group == nullptr || group->length == 0) return;
    FileTable table = variables ? take_variables(name, *group) : read_table(name, group);
    if (table.name == "admin_variables") rows.secret = secret_of(table);
    rows.tables.push_back(std::move(table));
  };
  for (const FileModule& module : file_modules()) {
    if (module.tables.empty()) take(module.name, true);
    each_table(module, true, [&](const char* table) { take(table, false); });
  }
  std::sort(rows.tables.begin(), rows.tables.end(),
            [](const FileTable& a, const FileTable& b) { return a.name < b.name; });
  return rows;
}

}  // namespace

const FileTable* FileRows::find(std::string_view name) const {
  const auto found = std::find_if(tables.begin(), tables.end(), [&](const FileTable& one) { return one.name == name; });
  return found == tables.end() ? nullptr : &*found;
}

Result<FileRows> parse_file_rows(const std::string& text, const std::string& path) {
  const auto cnf = parse_cnf(text, path);
  if (!cnf) return cnf.error();
  return take_file_rows(*cnf);
}

Result<FileRows> read_file_rows(const std::string& path) {
  const auto cnf = read_cnf(path);
  if (!cnf) return cnf.error();
  return take_file_rows(*cnf);
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
  each_table(module, true, add);
  if (text.empty()) return {};
  const auto digest = hmac_sha256(rows.secret.empty() ? otherwise : rows.secret, text);
  ContentHash hash{};
  std::memcpy(hash.data(), digest.data(), sizeof hash);
  return hash;
}

bool same_value(const std::string& column, const std::string& one, const std::string& other) {
  if (one == other) return true;
  if (column == "status") return same_text(one, other);
  return column != "password" && canonical(one) == canonical(other);
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
