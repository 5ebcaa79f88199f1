#include "src/config/table_rows.h"

#include <algorithm>

#include "src/base/number.h"
#include "src/config/table_rules.h"

namespace pulse {

namespace {

// What SQLite stores of a text that ProxySQL puts between two `quote` as it is. None: the statement fails.
std::optional<std::string> unquoted(std::string_view text, char quote) {
  std::string stored;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == quote && (++i == text.size() || text[i] != quote)) return std::nullopt;
    stored += text[i];
  }
  return stored;
}

bool same_text(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

// As it stands in the file, for what ProxySQL doesn't take: a change of it is one of the file.
std::optional<std::string> shown(const CnfSetting& setting) {
  if (setting.is(CnfType::text)) return std::string(setting.text);
  if (setting.is_number() || setting.is(CnfType::boolean)) return std::to_string(setting.number);
  return std::nullopt;
}

CnfType type_of(const ColumnRule& column) {
  return column.kind == ColumnKind::number ? CnfType::integer : CnfType::text;
}

// The first of the column's names under which the file gives a value of its type; null if there is none.
const CnfSetting* find_value(const CnfSetting& row, const ColumnRule& column) {
  for (const char* name : {column.alias, column.name}) {
    const CnfSetting* found = name == nullptr ? nullptr : row.find(name);
    if (found != nullptr && found->is(type_of(column))) return found;
  }
  return nullptr;
}

const ColumnRule* find_column(const TableRules& rules, std::string_view name) {
  const auto found = std::find_if(rules.columns.begin(), rules.columns.end(), [&](const ColumnRule& column) {
    return name == column.name || (column.alias != nullptr && name == column.alias);
  });
  return found == rules.columns.end() ? nullptr : &*found;
}

enum class Fate { stored, skipped, refused };

// Takes the column's value from the file.
Fate take(const CnfSetting& setting, const ColumnRule& column, ListedRow& row) {
  const CnfSetting* found = column.read ? find_value(setting, column) : nullptr;
  if (found == nullptr) {
    if (column.otherwise == nullptr) return Fate::skipped;
    if (column.key) row.cells[column.name] = column.otherwise;
    return Fate::stored;
  }
  std::string& cell = row.cells[column.name];
  if (column.kind == ColumnKind::number) {
    int64_t number = found->number;
    if (column.negative_is_null && number < 0) {
      cell = column.otherwise;
      return Fate::stored;
    }
    if (column.flag) number = number == 0 ? 0 : 1;
    cell = std::to_string(number);
    return number < column.least || number > column.most ? Fate::refused : Fate::stored;
  }
  cell = found->text;
  if (!column.words.empty()) {
    const auto known = [&](const char* word) { return same_text(cell, word); };
    if (std::none_of(column.words.begin(), column.words.end(), known)) cell = column.otherwise;
  }
  if (column.quote == '\0') return Fate::stored;
  auto text = unquoted(cell, column.quote);
  if (!text) return Fate::refused;
  cell = std::move(*text);
  return Fate::stored;
}

// What is in the row beside what ProxySQL takes from it.
void take_rest(const CnfSetting& setting, const TableRules& rules, ListedRow& row) {
  for (const CnfSetting& cell : CnfChildren(&setting)) {
    const ColumnRule* column = find_column(rules, cell.name);
    if (column != nullptr && column->read && find_value(setting, *column) != nullptr) continue;
    const auto text = shown(cell);
    if (column == nullptr) {
      if (text) row.cells.try_emplace(std::string(cell.name), *text);
      continue;
    }
    row.mistyped.insert(column->name);
    if (text && !column->key) row.cells.try_emplace(column->name, *text);
  }
}

bool holds(const ListedRow& row, const TableRules& rules) {
  for (size_t i = 0; i < rules.distinct.size(); ++i) {
    for (size_t j = i + 1; j < rules.distinct.size(); ++j) {
      if (row.cells.at(rules.distinct[i]) == row.cells.at(rules.distinct[j])) return false;
    }
  }
  return rules.holds == nullptr || rules.holds(row);
}

// INSERT OR REPLACE: rows in the order of the file, where each takes the place of those that it can't stand beside.
class Replacement {
 public:
  Replacement(std::vector<ListedRow>& rows, const TableRules& rules) : rows_(rows), rules_(rules) {}

  void run() {
    std::vector<char> gone(rows_.size(), 0);
    for (size_t row = 0; row < rows_.size(); ++row) {
      for (size_t other : others(row)) {
        gone[other] = 1;
        each_value(other, [&](const std::string& value) { holders_.erase(value); });
      }
      each_value(row, [&](const std::string& value) { holders_[value] = row; });
    }
    size_t place = 0;
    std::erase_if(rows_, [&](const ListedRow&) { return gone[place++] != 0; });
  }

 private:
  // Each value that no other row may have, with what it is a value of.
  template <class Take>
  void each_value(size_t row, Take take) const {
    const FileRow& cells = rows_[row].cells;
    std::string key = "key";
    for (const ColumnRule& column : rules_.columns) {
      if (!column.key) continue;
      const std::string& value = cells.at(column.name);
      key += ' ' + std::to_string(value.size()) + ' ' + value;
    }
    take(key);
    for (const char* column : rules_.unique) take(column + (' ' + cells.at(column)));
  }

  std::set<size_t> others(size_t row) const {
    std::set<size_t> found;
    each_value(row, [&](const std::string& value) {
      if (const auto holder = holders_.find(value); holder != holders_.end()) found.insert(holder->second);
    });
    return found;
  }

  std::vector<ListedRow>& rows_;
  const TableRules& rules_;
  std::map<std::string, size_t> holders_;
};

// The row as a whole, where it isn't skipped.
Fate take_row(const CnfSetting& setting, const TableRules& rules, ListedRow& row) {
  Fate fate = Fate::stored;
  for (const ColumnRule& column : rules.columns) {
    const Fate one = take(setting, column, row);
    if (one == Fate::skipped) return one;
    if (one == Fate::refused) fate = one;
  }
  take_rest(setting, rules, row);
  return holds(row, rules) ? fate : Fate::refused;
}

ListedRow any_row(const CnfSetting& setting) {
  ListedRow row{&setting, {}};
  for (const CnfSetting& cell : CnfChildren(&setting)) {
    if (const auto text = shown(cell)) row.cells[std::string(cell.name)] = *text;
  }
  return row;
}

}  // namespace

std::string ListedRow::get(const char* column, const char* otherwise) const {
  const auto found = mistyped.count(column) != 0 ? cells.end() : cells.find(column);
  return found == cells.end() ? otherwise : found->second;
}

int64_t ListedRow::number(const char* column, int64_t otherwise) const {
  return to_number<int64_t>(get(column, "")).value_or(otherwise);
}

std::vector<ListedRow> listed_rows(std::string_view table, const CnfSetting* list, Refused refused) {
  std::vector<ListedRow> rows;
  const TableRules* rules = find_table_rules(table);
  for (const CnfSetting& setting : CnfChildren(list)) {
    if (!setting.is(CnfType::group)) continue;
    if (rules == nullptr) {
      rows.push_back(any_row(setting));
      continue;
    }
    ListedRow row{&setting, {}};
    const Fate fate = take_row(setting, *rules, row);
    if (fate == Fate::skipped || (fate == Fate::refused && refused == Refused::left_out)) continue;
    rows.push_back(std::move(row));
  }
  if (rules != nullptr) Replacement(rows, *rules).run();
  return rows;
}

std::vector<LostRow> lost_rows(std::string_view table, const CnfSetting* list) {
  std::vector<LostRow> lost;
  const TableRules* rules = find_table_rules(table);
  if (rules == nullptr) return lost;
  std::vector<ListedRow> rows;
  for (const CnfSetting& setting : CnfChildren(list)) {
    if (!setting.is(CnfType::group)) continue;
    ListedRow row{&setting, {}};
    const Fate fate = take_row(setting, *rules, row);
    if (fate == Fate::stored) rows.push_back(std::move(row));
    if (fate == Fate::refused) lost.push_back({&setting, LostRow::Reason::refused});
    if (fate != Fate::skipped) continue;
    const auto missing = std::find_if(rules->columns.begin(), rules->columns.end(), [&](const ColumnRule& column) {
      return column.otherwise == nullptr && find_value(setting, column) == nullptr;
    });
    lost.push_back({&setting, LostRow::Reason::incomplete, missing->name});
  }
  // The one that replaces a row is the next one that can't stand beside it.
  std::vector<ListedRow> kept = rows;
  Replacement(kept, *rules).run();
  std::set<const CnfSetting*> stands;
  for (const ListedRow& row : kept) stands.insert(row.setting);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (stands.count(rows[i].setting) != 0) continue;
    for (size_t j = i + 1; j < rows.size(); ++j) {
      std::vector<ListedRow> pair = {rows[i], rows[j]};
      Replacement(pair, *rules).run();
      if (pair.size() == 2) continue;
      lost.push_back({rows[i].setting, LostRow::Reason::replaced, "", rows[j].setting});
      break;
    }
  }
  std::stable_sort(lost.begin(), lost.end(),
                   [](const LostRow& a, const LostRow& b) { return a.setting->line < b.setting->line; });
  return lost;
}

FileTable read_table(std::string_view name, const CnfSetting* list) {
  FileTable table{std::string(name), {}, {}};
  if (const TableRules* rules = find_table_rules(name)) {
    for (const ColumnRule& column : rules->columns) {
      if (column.key) table.key.emplace_back(column.name);
    }
  }
  for (ListedRow& row : listed_rows(name, list, Refused::kept)) {
    table.mistyped.merge(row.mistyped);
    table.rows.push_back(std::move(row.cells));
  }
  std::sort(table.rows.begin(), table.rows.end());
  return table;
}

std::vector<std::string> stored_columns(std::string_view table) {
  std::vector<std::string> columns;
  const TableRules* rules = find_table_rules(table);
  if (rules == nullptr) return columns;
  for (const ColumnRule& column : rules->columns) columns.emplace_back(column.name);
  return columns;
}

std::optional<std::string> stored_cell(std::string_view table, const ListedRow& row, const std::string& column) {
  const TableRules* rules = find_table_rules(table);
  const ColumnRule* rule = rules == nullptr ? nullptr : find_column(*rules, column);
  const auto cell = row.cells.find(column);
  const bool given = cell != row.cells.end() && row.mistyped.count(column) == 0;
  if (rule == nullptr) return std::nullopt;
  const std::string value = given ? cell->second : rule->otherwise == nullptr ? "" : rule->otherwise;
  const bool null = value.empty() && (rule->null_by_default && (!given || rule->kind == ColumnKind::number));
  return null ? std::nullopt : std::optional(value);
}

std::optional<std::string> variable_text(const CnfSetting& setting) {
  if (setting.is(CnfType::boolean)) return setting.number != 0 ? "true" : "false";
  if (setting.is(CnfType::integer)) return std::to_string(setting.number);
  if (setting.is(CnfType::text)) return unquoted(setting.text, '"');
  return "";
}

}  // namespace pulse
