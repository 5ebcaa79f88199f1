// A module of configuration in the four places that have one: the file, ProxySQL's memory, its runtime and its disk.
// Which rows differ between them. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "src/config/file_rows.h"
#include "src/config/modules.h"

namespace pulse {

// In the order in which a configuration goes through them, but for the disk.
enum class Place : uint8_t { file, memory, runtime, disk };
inline constexpr size_t kPlaces = 4;

// One table in one place.
struct PlaceRows {
  bool known = false;  // it was read, or counted: the file has that group, ProxySQL that table
  size_t count = 0;
  std::map<std::string, FileRow> rows = {};  // by key as it is shown, such as "0 10.0.0.1 3306"
};

struct TablePlaces {
  std::string name;      // of variables: the module's
  bool compared = true;  // false: too large, only counted
  std::array<PlaceRows, kPlaces> places = {};

  PlaceRows& at(Place place) { return places[static_cast<size_t>(place)]; }
  const PlaceRows& at(Place place) const { return places[static_cast<size_t>(place)]; }
};

struct ModulePlaces {
  const FileModule* module = nullptr;
  std::vector<TablePlaces> tables = {};
};

// The file's rows of a table. `file` may be null: the file has no such group.
PlaceRows rows_of_file(const FileTable* file);

// The rows that ProxySQL answers with, as memory would have them: at runtime a user stands once for clients and once
// for backends, a server that is shunned is one that is meant to be online, and one that is OFFLINE_HARD is none.
// `module` of variables: only its own rows count.
PlaceRows rows_of_proxysql(const FileModule& module, std::string_view table, Place place,
                           const std::vector<std::string>& columns, const std::vector<std::vector<std::string>>& rows);

struct RowDifference {
  std::string key;
  std::string text;  // "in memory and at runtime, not in the file", "weight: 1 in the file, 2 in memory"
};

// What differs between two places, by key. Of the file only the columns that it gives count, and of variables only
// those that it has. Empty if one of them isn't known. Values of secrets aren't shown.
std::vector<RowDifference> differences(const TablePlaces& table, Place one, Place other);

// What memory has and would be lost: it is neither on disk nor in the file. And what is on disk alone.
std::vector<RowDifference> unsaved_differences(const TablePlaces& table);

// What differs between any two places: one line for each row, for `doctor --diff`.
std::vector<RowDifference> all_differences(const TablePlaces& table);

// "2 rows in the file, 3 in memory, 3 at runtime, 2 on disk"
std::string counts_text(const TablePlaces& table);

}  // namespace pulse
