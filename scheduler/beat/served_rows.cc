#include "scheduler/beat/served_rows.h"

#include <cerrno>
#include <string>
#include <vector>

#include "scheduler/admin/row_collector.h"
#include "scheduler/doctor/module_places.h"
#include "src/base/number.h"

namespace pulse {

namespace {

// Both counts. False if this version has no such table.
Result<bool> count(AdminSession& session, const std::string& table, TablePlaces& places, Deadline deadline) {
  auto answer = session.query(
      "SELECT (SELECT COUNT(*) FROM " + table + "), (SELECT COUNT(*) FROM runtime_" + table + ")", deadline);
  if (!answer && answer.error().text.find("no such table") != std::string::npos) return false;
  if (!answer) return answer.error();
  if (answer->rows.size() != 1 || answer->rows[0].size() != 2) return Error{"no count of " + table};
  places.at(Place::memory).count = to_number<size_t>(answer->rows[0][0]).value_or(SIZE_MAX);
  places.at(Place::runtime).count = to_number<size_t>(answer->rows[0][1]).value_or(SIZE_MAX);
  return true;
}

Result<void> read(AdminSession& session, const FileModule& module, TablePlaces& table, Place place, Deadline deadline) {
  RowCollector rows;
  const std::string from = (place == Place::runtime ? "runtime_" : "") + table.name;
  if (auto done = session.read("SELECT * FROM " + from, rows, deadline); !done) return done.error();
  table.at(place) = rows_of_proxysql(module, table.name, place, rows.names(), rows.rows());
  return {};
}

}  // namespace

Result<void> compare_with_runtime(AdminSession& session, const FileModule& module, Deadline deadline) {
  // All that a LOAD of the module takes, whether this version reads it from its file or not.
  std::vector<std::string> tables;
  each_table(module, true, [&](const char* table) { tables.emplace_back(table); });
  for (const std::string& name : tables) {
    TablePlaces table{name};
    const auto there = count(session, name, table, deadline);
    if (!there) return there.error();
    if (!*there && name == module.tables.front()) return Error{"no table " + name};
    if (!*there) continue;
    for (const Place place : {Place::memory, Place::runtime}) {
      if (table.at(place).count > kMostServedRows) {
        return Error{name + " has more than " + std::to_string(kMostServedRows) + " rows: not compared, not loaded",
                     EAGAIN};
      }
      if (auto done = read(session, module, table, place, deadline); !done) return done.error();
    }
    const auto different = differences(table, Place::memory, Place::runtime);
    if (different.empty()) continue;
    return Error{
        "memory isn't what this core serves: " + name + " " + different.front().key + " " + different.front().text,
        EAGAIN};
  }
  return {};
}

}  // namespace pulse
