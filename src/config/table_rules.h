// How ProxySQL reads the lists of its configuration file: one row here for each column of its tables. Seen on 2.7.1 and
// 3.0; tests/config-corpus holds what a real server made of each.
#pragma once

#include <climits>
#include <cstdint>
#include <span>
#include <string_view>

namespace pulse {

struct ListedRow;

enum class ColumnKind : uint8_t { number, text };

struct ColumnRule {
  const char* name;
  ColumnKind kind = ColumnKind::number;
  const char* otherwise = "";  // where the file has no value of that type; null: the row is skipped
  int64_t least = INT_MIN;     // a row with a number beyond these is refused as a whole
  int64_t most = INT_MAX;
  const char* alias = nullptr;  // another name, which comes first
  bool key = false;
  bool read = true;                         // false: whatever the file says, it is `otherwise`
  bool flag = false;                        // any other number than 0 is 1
  bool negative_is_null = false;            // a number below 0 is `otherwise`
  bool null_by_default = false;             // NULL where the file has no value
  char quote = '\0';                        // of a text: one of these in it, unless doubled, loses the row
  std::span<const char* const> words = {};  // of a text: any other is `otherwise`; letters' case doesn't count
};

struct TableRules {
  const char* name;
  std::span<const ColumnRule> columns;
  std::span<const char* const> distinct = {};     // columns with values that must differ from each other
  std::span<const char* const> unique = {};       // a row replaces any other with the same value in one of these
  bool (*holds)(const ListedRow& row) = nullptr;  // what else the table asks of a row
};

// Null for a table that is not known here.
const TableRules* find_table_rules(std::string_view table);

}  // namespace pulse
