// The rows that a configuration file gives to ProxySQL's modules, as ProxySQL would store them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "src/config/modules.h"
#include "src/config/table_rows.h"

namespace pulse {

struct FileRows {
  std::vector<FileTable> tables;  // those with rows, sorted by name; of all modules
  std::string secret;             // what the nodes of a cluster share and nobody else knows: the hashes' key

  const FileTable* find(std::string_view name) const;
};

// The first half of a keyed hash; both words 0: the file has no rows for it.
using ContentHash = std::array<uint64_t, 2>;

// Reads the whole file with all that it includes. error().text names file and line.
Result<FileRows> read_file_rows(const std::string& path);

// The same from a text, for tests; `path` stands in the messages, and files are included as ProxySQL does it.
Result<FileRows> parse_file_rows(const std::string& text, const std::string& path);

// A hash of the module's rows: the same for the same rows in whatever order, layout or spelling, without the variables
// that belong to one node. `otherwise` is the key where the file itself has no credentials.
ContentHash content_hash(const FileRows& rows, const FileModule& module, const std::string& otherwise);

// What the module's memory tables lack or have too much, compared with the file: of one table, as SELECT * gives it.
// "" if it holds the file's rows, each with all values that the file gives, and no other row. Values that are secrets
// aren't named. A module of variables may hold others beside the file's.
std::string difference(const FileTable& file, const std::vector<std::string>& columns,
                       const std::vector<std::vector<std::string>>& memory);

// Whether two texts are one value of a column: numbers and booleans are the same in quotes or not, passwords only
// letter by letter.
bool same_value(const std::string& column, const std::string& one, const std::string& other);

}  // namespace pulse
