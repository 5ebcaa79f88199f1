// What a dump is made of: a table's name, its rows as CSV or JSON, the name of the file. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"

namespace pulse {

// A table that may be dumped. `reset`: its twin that ProxySQL empties as it is read.
struct DumpTable {
  std::string name;  // without "_reset"
  bool reset = false;

  std::string statement() const { return "SELECT * FROM " + name + (reset ? "_reset" : ""); }
};

// Takes stats_NAME or stats_NAME_reset. The error's text says why not, for a usage message.
Result<DumpTable> parse_dump_table(std::string_view name);

enum class DumpFormat { csv, jsonl };

// Writes rows of a result. Columns of times (epoch seconds) become RFC 3339 in UTC; a value there that is none, and
// everything else, stays as it is.
//
// CSV is RFC 4180: CRLF, and quotes only where they are needed; NULL is empty; bytes are not changed, whatever they
// are. JSON: an object per line, NULL is null, the columns of counts are numbers, all other values strings; each byte
// that isn't UTF-8 becomes U+FFFD.
class DumpWriter {
 public:
  // `pod` is the value of the first column, pod_name; `columns` are ProxySQL's names, which the header renames where
  // proxysql-agent does.
  DumpWriter(DumpFormat format, std::string_view pod, const std::vector<std::string_view>& columns);

  // Appends the line before the first row; JSON has none.
  void header(std::string& out) const;

  // Appends one row of as many cells as there are columns.
  void row(std::string& out, const std::vector<std::optional<std::string_view>>& cells) const;

 private:
  enum class Kind { text, number, time };
  struct Column {
    std::string begin;  // what comes before the value: a comma, or the name in JSON
    Kind kind;
  };

  const DumpFormat format_;
  std::string header_;
  std::string begin_;  // of a row, with pod_name
  std::vector<Column> columns_;
};

// "POD-TABLE-20250607T080910.123Z.csv". A slash in `pod` becomes an underscore.
std::string dump_file_name(std::string_view pod, std::string_view table, int64_t realtime_ns, DumpFormat format);

}  // namespace pulse
