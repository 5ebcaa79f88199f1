#include "scheduler/doctor/module_places.h"

#include <algorithm>
#include <optional>
#include <set>

namespace pulse {

namespace {

constexpr const char* kIn[kPlaces] = {"in the file", "in memory", "at runtime", "on disk"};

const char* in(Place place) { return kIn[static_cast<size_t>(place)]; }

bool is_variables(const TablePlaces& table) {
  const FileModule* module = find_file_module(table.name);
  return module != nullptr && module->tables.empty();
}

// "mysql-", "admin-"
std::string prefix_of(const FileModule& module) {
  return std::string(module.name).substr(0, std::string_view(module.name).find('_')) + "-";
}

bool is_secret(const std::string& key, const std::string& column) {
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  return column == "password" || (column == "variable_value" && (has(key, "password") || has(key, "credentials")));
}

bool is_hash(const std::string& password) { return password.size() == 41 && password.front() == '*'; }

// A password may be stored as it is in one place and as its hash in the other: whether these are the same isn't told.
bool same_cell(const std::string& column, const std::string& one, const std::string& other) {
  if (column == "password" && is_hash(one) != is_hash(other)) return true;
  return same_value(column, one, other);
}

std::string key_text(const FileRow& row, const std::vector<std::string>& key) {
  std::string text;
  for (const std::string& column : key) {
    const auto cell = row.find(column);
    text += (text.empty() ? "" : " ") + (cell == row.end() ? "" : cell->second);
  }
  if (!key.empty()) return text;
  for (const auto& [column, value] : row)
    text.append(text.empty() ? "" : ", ").append(column).append(" ").append(value);
  return text;
}

// ProxySQL lists a user twice at runtime; `backend` and `frontend` are then of either row. For the file, which has one
// row for both, the name is the key.
std::vector<std::string> key_of(std::string_view table) {
  return table == "mysql_users" || table == "pgsql_users" ? std::vector<std::string>{"username"}
                                                          : read_table(table, nullptr).key;
}

std::optional<FileRow> as_in_memory(std::string_view table, Place place, FileRow row) {
  if (place != Place::runtime || (table != "mysql_servers" && table != "pgsql_servers")) return row;
  const auto status = row.find("status");
  if (status == row.end()) return row;
  if (status->second == "OFFLINE_HARD") return std::nullopt;
  if (status->second.starts_with("SHUNNED")) status->second = "ONLINE";
  return row;
}

void enter(PlaceRows& to, const std::string& key, FileRow row) {
  const auto [at, is_new] = to.rows.try_emplace(key, std::move(row));
  if (is_new) return;
  for (const char* column : {"backend", "frontend"}) {
    const auto cell = row.find(column);
    if (cell != row.end() && cell->second == "1") at->second[column] = "1";
  }
}

// A rule or a user that isn't active is never at runtime. Rules aren't unless they say so, users are.
bool rests(const FileRow& row) {
  const auto active = row.find("active");
  const bool is_rule = row.count("rule_id") != 0;
  if (active == row.end()) return is_rule;
  return active->second == "0" && (is_rule || row.count("username") != 0);
}

bool is_absent_on_purpose(const FileRow& row, const TablePlaces& table, Place has, Place lacks) {
  if (lacks == Place::runtime && rests(row)) return true;
  return is_variables(table) && lacks == Place::file && has != Place::file;
}

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i != 0) text += i + 1 == parts.size() ? " and " : ", ";
    text += parts[i];
  }
  return text;
}

// "weight: 1 in the file and on disk, 2 in memory"; "" if all that know the column agree.
std::string column_text(const std::string& key, const std::string& column,
                        const std::vector<std::pair<Place, const FileRow*>>& rows) {
  std::vector<std::pair<std::string, std::vector<std::string>>> values;  // and where
  for (const auto& [place, row] : rows) {
    const auto cell = row->find(column);
    if (cell == row->end()) continue;
    const auto same = std::find_if(values.begin(), values.end(),
                                   [&](const auto& value) { return same_cell(column, value.first, cell->second); });
    if (same == values.end()) {
      values.push_back({cell->second, {in(place)}});
    } else {
      same->second.emplace_back(in(place));
    }
  }
  if (values.size() < 2) return "";
  std::string text = column == "variable_value" ? "" : column + ": ";
  if (is_secret(key, column)) return text + "not the same " + join({in(rows.front().first), in(rows.back().first)});
  for (size_t i = 0; i < values.size(); ++i) {
    text +=
        (i == 0 ? "" : ", ") + (values[i].first.empty() ? "nothing" : values[i].first) + " " + join(values[i].second);
  }
  return text;
}

std::vector<RowDifference> compare(const TablePlaces& table, const std::vector<Place>& wanted) {
  std::vector<RowDifference> list;
  std::vector<Place> places;
  for (const Place place : wanted) {
    if (table.at(place).known) places.push_back(place);
  }
  if (places.size() < 2 || !table.compared) return list;
  std::set<std::string> keys;
  for (const Place place : places) {
    for (const auto& [key, row] : table.at(place).rows) keys.insert(key);
  }
  for (const std::string& key : keys) {
    std::vector<std::pair<Place, const FileRow*>> rows;
    std::vector<std::string> has, lacks, texts;
    std::set<std::string> columns;
    for (const Place place : places) {
      const auto row = table.at(place).rows.find(key);
      if (row == table.at(place).rows.end()) continue;
      rows.emplace_back(place, &row->second);
      has.emplace_back(in(place));
      for (const auto& [column, value] : row->second) columns.insert(column);
    }
    for (const Place place : places) {
      if (table.at(place).rows.count(key) != 0) continue;
      if (!is_absent_on_purpose(*rows.front().second, table, rows.front().first, place)) lacks.emplace_back(in(place));
    }
    if (!lacks.empty()) texts.push_back(join(has) + ", not " + join(lacks));
    for (const std::string& column : columns) {
      if (std::string text = column_text(key, column, rows); !text.empty()) texts.push_back(std::move(text));
    }
    std::string text;
    for (const std::string& one : texts) text += (text.empty() ? "" : "; ") + one;
    if (!text.empty()) list.push_back({key, std::move(text)});
  }
  return list;
}

}  // namespace

PlaceRows rows_of_file(const FileTable* file) {
  PlaceRows out;
  if (file == nullptr) return out;
  out.known = true;
  const std::vector<std::string> key = file->name.ends_with("_users") ? key_of(file->name) : file->key;
  for (FileRow row : file->rows) {
    // What ProxySQL reads otherwise than it stands there can't be compared.
    for (const std::string& column : file->mistyped) row.erase(column);
    const std::string text = key_text(row, key);
    enter(out, text, std::move(row));
  }
  out.count = out.rows.size();
  return out;
}

PlaceRows rows_of_proxysql(const FileModule& module, std::string_view table, Place place,
                           const std::vector<std::string>& columns, const std::vector<std::vector<std::string>>& rows) {
  PlaceRows out;
  out.known = true;
  const bool variables = module.tables.empty();
  const std::vector<std::string> key = variables ? std::vector<std::string>{"variable_name"} : key_of(table);
  for (const std::vector<std::string>& cells : rows) {
    FileRow row;
    for (size_t i = 0; i < std::min(columns.size(), cells.size()); ++i) row[columns[i]] = cells[i];
    if (variables && !row["variable_name"].starts_with(prefix_of(module))) continue;
    auto meant = as_in_memory(table, place, std::move(row));
    if (!meant) continue;
    const std::string text = key_text(*meant, key);
    enter(out, text, std::move(*meant));
  }
  out.count = out.rows.size();
  return out;
}

std::vector<RowDifference> differences(const TablePlaces& table, Place one, Place other) {
  if (!table.at(one).known || !table.at(other).known) return {};
  return compare(table, {one, other});
}

std::vector<RowDifference> unsaved_differences(const TablePlaces& table) {
  TablePlaces rest = table;
  for (const auto& [key, file] : table.at(Place::file).rows) {
    const auto row = rest.at(Place::memory).rows.find(key);
    if (row == rest.at(Place::memory).rows.end()) continue;
    const size_t all = file.size();
    size_t same = 0;
    for (const auto& [column, value] : file) {
      const auto cell = row->second.find(column);
      if (cell == row->second.end() || !same_cell(column, value, cell->second)) continue;
      row->second.erase(cell);
      ++same;
    }
    if (same == all && table.at(Place::disk).rows.count(key) == 0) rest.at(Place::memory).rows.erase(row);
  }
  return differences(rest, Place::memory, Place::disk);
}

std::vector<RowDifference> all_differences(const TablePlaces& table) {
  return compare(table, {Place::file, Place::memory, Place::runtime, Place::disk});
}

std::string counts_text(const TablePlaces& table) {
  std::string text;
  for (size_t i = 0; i < kPlaces; ++i) {
    const PlaceRows& rows = table.places[i];
    if (!rows.known) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(rows.count) +
            (text.empty() ? (rows.count == 1 ? " row " : " rows ") : " ") + kIn[i];
  }
  return text.empty() ? "nowhere" : text;
}

}  // namespace pulse
