#include "scheduler/doctor/admin_questions.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "scheduler/admin/admin_errors.h"
#include "scheduler/admin/proxysql_version.h"
#include "scheduler/admin/row_collector.h"
#include "scheduler/cluster/cluster_query.h"
#include "src/base/number.h"

namespace pulse {

namespace {

constexpr std::array kOfProxysql = {Place::memory, Place::runtime, Place::disk};

std::string table_in(Place place, const std::string& table) {
  if (place == Place::runtime) return "runtime_" + table;
  return (place == Place::disk ? "disk." : "main.") + table;
}

class Questions {
 public:
  Questions(AdminSession& session, const FileRows* file, Deadline deadline, AdminSeen& seen)
      : session_(session), file_(file), deadline_(deadline), seen_(seen) {}

  void all() {
    cluster() && scheduler() && variables();
    for (const FileModule& module : file_modules()) {
      if (ended_) return;
      if (module.pgsql && !pgsql_) continue;
      one_module(module, kMostComparedRows);
    }
  }

  void one_module(const FileModule& module, size_t most) {
    ModulePlaces places{&module, {}};
    if (module.tables.empty()) {
      read_variables(module, places);
    } else {
      for (const char* table : module.tables) {
        if (!ended_) read_table_places(module, table, most, places);
      }
    }
    seen_.modules.push_back(std::move(places));
  }

 private:
  // Empty if ProxySQL refuses the statement, as it does of a table that its version lacks. Any other error ends it all.
  std::optional<RowCollector> rows(const std::string& statement) {
    RowCollector collector;
    const auto done = session_.read(statement, collector, deadline_);
    if (done) {
      seen_.answers = AdminSeen::Answers::yes;
      return collector;
    }
    // After that no further statement is understood.
    ended_ = !is_refusal(done.error()) || collector.is_full();
    last_error_ = done.error();
    if (!ended_) return std::nullopt;
    if (seen_.answers == AdminSeen::Answers::yes) {
      seen_.unread = done.error().text;
    } else {
      seen_.answers = done.error().code == ETIMEDOUT ? AdminSeen::Answers::never : AdminSeen::Answers::failed;
      seen_.why = done.error().text;
    }
    return std::nullopt;
  }

  bool cluster() {
    auto answer = rows(observe_statement(Look::everything, pgsql_));
    if (!answer) return fail();
    const AdminResult result{answer->take_rows()};
    if (!pgsql_ && has_pgsql(version_in(result))) {
      pgsql_ = true;
      return cluster();
    }
    auto parsed = parse_seen(result, Look::everything);
    if (!parsed) {
      last_error_ = parsed.error();
      return fail();
    }
    seen_.cluster = std::move(*parsed);
    return true;
  }

  bool fail() {
    if (ended_) return false;
    ended_ = true;
    seen_.answers = AdminSeen::Answers::failed;
    seen_.why = last_error_.text;
    return false;
  }

  bool scheduler() {
    std::string statement;
    for (const Place place : kOfProxysql) {
      const char* name = place == Place::memory ? "memory" : place == Place::runtime ? "runtime" : "disk";
      statement += std::string(statement.empty() ? "" : " UNION ALL ") + "SELECT '" + name +
                   "', id, active, interval_ms, filename, arg1, arg2, arg3, arg4, arg5 FROM " +
                   table_in(place, "scheduler");
    }
    auto answer = rows(statement);
    if (!answer) return !ended_;
    for (auto& row : answer->take_rows()) {
      if (row.size() != 10) continue;
      ScheduledRow entry{row[0], row[1], row[2] == "1", to_number<int64_t>(row[3]).value_or(0), row[4]};
      for (size_t i = 5; i < row.size() && !row[i].empty(); ++i) entry.arguments.push_back(row[i]);
      seen_.scheduler.push_back(std::move(entry));
    }
    return true;
  }

  bool variables() {
    auto answer = rows("SELECT variable_name, variable_value FROM runtime_global_variables");
    if (!answer) return !ended_;
    for (auto& row : answer->take_rows()) {
      if (row.size() == 2) seen_.variables[row[0]] = row[1];
    }
    return true;
  }

  const FileTable* of_file(const std::string& name) const { return file_ == nullptr ? nullptr : file_->find(name); }

  void read_variables(const FileModule& module, ModulePlaces& places) {
    TablePlaces table{module.name};
    table.at(Place::file) = rows_of_file(of_file(module.name));
    for (const Place place : kOfProxysql) {
      // In upper case: the name in lower case makes ProxySQL fill runtime_global_variables anew.
      const std::string from = place == Place::memory    ? "GLOBAL_VARIABLES"
                               : place == Place::runtime ? "runtime_global_variables"
                                                         : "disk.GLOBAL_VARIABLES";
      auto answer = rows("SELECT variable_name, variable_value FROM " + from);
      if (ended_) return;
      if (answer) table.at(place) = rows_of_proxysql(module, module.name, place, answer->names(), answer->rows());
    }
    places.tables.push_back(std::move(table));
  }

  void read_table_places(const FileModule& module, const std::string& name, size_t most, ModulePlaces& places) {
    TablePlaces table{name};
    table.at(Place::file) = rows_of_file(of_file(name));
    const bool is_counted = count(table);
    if (ended_) return;
    if (!is_counted) return;  // this version has no such table
    for (const Place place : kOfProxysql) table.compared = table.compared && table.at(place).count <= most;
    if (table.compared) {
      for (const Place place : kOfProxysql) {
        if (table.at(place).count == 0) continue;
        auto answer = rows("SELECT * FROM " + table_in(place, name));
        if (ended_) return;
        if (answer) table.at(place) = rows_of_proxysql(module, name, place, answer->names(), answer->rows());
      }
    }
    places.tables.push_back(std::move(table));
  }

  bool count(TablePlaces& table) {
    std::string statement = "SELECT ";
    for (const Place place : kOfProxysql) {
      statement += std::string(place == Place::memory ? "" : ", ") + "(SELECT COUNT(*) FROM " +
                   table_in(place, table.name) + ")";
    }
    auto answer = rows(statement);
    if (!answer || answer->rows().size() != 1 || answer->rows().front().size() != kOfProxysql.size()) return false;
    for (size_t i = 0; i < kOfProxysql.size(); ++i) {
      PlaceRows& place = table.at(kOfProxysql[i]);
      place.known = true;
      place.count = to_number<size_t>(answer->rows().front()[i]).value_or(0);
    }
    return true;
  }

  AdminSession& session_;
  const FileRows* file_;
  const Deadline deadline_;
  AdminSeen& seen_;
  bool ended_ = false;
  bool pgsql_ = false;  // this version has PostgreSQL's tables
  Error last_error_;
};

}  // namespace

bool ScheduledRow::runs_beat() const {
  return std::find(arguments.begin(), arguments.end(), "beat") != arguments.end();
}

void ask_admin(AdminSession& session, const FileRows* file, const FileModule* only, Deadline deadline,
               AdminSeen& seen) {
  Questions questions(session, file, deadline, seen);
  if (only == nullptr) return questions.all();
  questions.one_module(*only, SIZE_MAX);
}

}  // namespace pulse
