// The rows that a list of the configuration file puts into ProxySQL's table of that name, as ProxySQL reads them: which
// columns it takes, of which type, which rows it skips, and which its tables refuse.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "src/config/cnf.h"

namespace pulse {

// Column and value, as text. Columns that the file doesn't give are absent, but for those of the key, which have
// ProxySQL's defaults then. Names are the table's: "hostname" where the file says "address".
using FileRow = std::map<std::string, std::string>;

struct FileTable {
  std::string name;  // of ProxySQL's table; of variables, the module's name
  // Columns whose values tell rows apart. None for a table that is not known here: all of them do.
  std::vector<std::string> key;
  std::vector<FileRow> rows;  // one for each key, the last of the file; sorted
  // Columns that the file gives and ProxySQL doesn't take from it, in some row: a number in quotes, a boolean, one that
  // it never reads. It takes its default instead.
  std::set<std::string> mistyped = {};
};

// A row, and where it stands.
struct ListedRow {
  const CnfSetting* setting;
  FileRow cells;

  // The cell's value; `otherwise` where the file gives none that ProxySQL takes.
  std::string get(const char* column, const char* otherwise) const;
  int64_t number(const char* column, int64_t otherwise) const;

  std::set<std::string> mistyped = {};
};

// Rows that ProxySQL tries to store and its table doesn't take: a number out of its range, a quote that ends ProxySQL's
// statement, two host groups that must differ.
enum class Refused { left_out, kept };

// The rows that are in the table afterwards, in the order of the file; those that another one replaces aren't.
// `list` may be null. Of a table that is not known here each group is a row.
std::vector<ListedRow> listed_rows(std::string_view table, const CnfSetting* list, Refused refused = Refused::left_out);

// A row of the file that never comes into the table as it stands there.
struct LostRow {
  enum class Reason {
    incomplete,  // `column` is missing, or of another type
    refused,     // a value that the table doesn't take
    replaced,    // `by` has the same key, or a value that must be the only one
  };
  const CnfSetting* setting;
  Reason reason;
  std::string column = {};
  const CnfSetting* by = nullptr;
};

// In the order of the file. None of a table that is not known here.
std::vector<LostRow> lost_rows(std::string_view table, const CnfSetting* list);

// The rows that the file means, sorted: with those that the table refuses, for what is loaded without them takes them
// away from those who are served.
FileTable read_table(std::string_view name, const CnfSetting* list);

// The columns of a table that is known here, and what one of them holds after ProxySQL has stored the row: the file's
// value, or else ProxySQL's. None: NULL.
std::vector<std::string> stored_columns(std::string_view table);
std::optional<std::string> stored_cell(std::string_view table, const ListedRow& row, const std::string& column);

// A variable's value as ProxySQL stores it: numbers and booleans may stand in quotes. None: it stores nothing. A value
// of a type that it doesn't take (16032L, 1.5, a list) is stored as "", which no variable has for long.
std::optional<std::string> variable_text(const CnfSetting& setting);

}  // namespace pulse
