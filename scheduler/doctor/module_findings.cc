// Of the configuration's modules: file against memory, memory against runtime and disk.
#include <algorithm>

#include "scheduler/doctor/findings.h"
#include "src/base/show.h"

namespace pulse {

namespace {

// What decides who gets in and where ProxySQL listens: a file that says otherwise than what runs is a trap.
bool is_of_access(const std::string& key) {
  constexpr const char* kNames[] = {"admin-admin_credentials", "admin-mysql_ifaces", "admin-cluster_username",
                                    "admin-cluster_password", "mysql-interfaces"};
  return std::find(std::begin(kNames), std::end(kNames), key) != std::end(kNames);
}

// "2 rows (0 10.0.0.1 3306: weight: 1 in memory, 2 at runtime; ...)"
std::string shown(const std::vector<RowDifference>& rows) {
  constexpr size_t kShown = 2;
  std::string text = counted(rows.size(), "row") + " (";
  for (size_t i = 0; i < std::min(rows.size(), kShown); ++i) {
    text += (i == 0 ? "" : "; ") + rows[i].key + ": " + rows[i].text;
  }
  return text + (rows.size() > kShown ? "; ..." : "") + ")";
}

class Comparison {
 public:
  Comparison(const Examined& all, const ModulePlaces& module) : all_(all), module_(*module.module) {
    for (const TablePlaces& table : module.tables) one(table);
    if (list_.empty()) {
      std::string counts;
      for (const TablePlaces& table : module.tables) {
        if (table.at(Place::memory).count == 0 && !table.at(Place::file).known) continue;
        counts +=
            (counts.empty() ? "" : "; ") + (table.name == module_.name ? "" : table.name + ": ") + counts_text(table);
      }
      list_.push_back({Severity::ok, module_.name, counts.empty() ? "empty everywhere" : counts});
    }
  }

  Findings take() { return std::move(list_); }

 private:
  // The table, where it isn't named as its module.
  std::string subject(const TablePlaces& table) const { return table.name == module_.name ? "" : table.name + ": "; }

  std::string command(const char* verb, const char* direction) const {
    return std::string(verb) + " " + module_.command + " " + direction;
  }

  void say(Severity severity, const std::string& what, const std::string& means, const std::string& action) {
    list_.push_back({severity, module_.name, what, means,
                     "proxysql-pulse doctor --diff " + std::string(module_.name) + " shows all. " + action});
  }

  void one(const TablePlaces& table) {
    if (!table.compared) {
      list_.push_back({Severity::notice, module_.name, table.name + " is large, only counted: " + counts_text(table),
                       "", "proxysql-pulse doctor --diff " + std::string(module_.name) + " compares all rows"});
      return;
    }
    const auto unloaded = differences(table, Place::memory, Place::runtime);
    if (!unloaded.empty()) {
      say(Severity::warning, subject(table) + "memory and runtime differ in " + shown(unloaded),
          "somebody has changed memory and not loaded it: the next " + command("LOAD", "TO RUNTIME") +
              " of anybody takes it into service" +
              (std::string_view(module_.name) == "mysql_variables" ? ", a drain's too" : ""),
          command("LOAD", "TO RUNTIME") + " takes it into service, " + command("SAVE", "TO MEMORY") + " drops it");
    }
    file(table);
    // What the file has as well isn't lost: a core loads its file without saving it.
    const auto unsaved = unsaved_differences(table);
    if (!unsaved.empty()) {
      say(Severity::notice, subject(table) + "memory and disk differ in " + shown(unsaved),
          "ProxySQL starts with what is on disk, until it pulls from a core",
          command("SAVE", "TO DISK") + " keeps what is in memory");
    }
  }

  void file(const TablePlaces& table) {
    auto rows = differences(table, Place::file, Place::memory);
    std::vector<RowDifference> access;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(access),
                 [](const RowDifference& row) { return is_of_access(row.key); });
    std::erase_if(rows, [](const RowDifference& row) { return is_of_access(row.key); });
    const std::string bring = command("LOAD", "FROM CONFIG") + ", " + command("LOAD", "TO RUNTIME") + ", " +
                              command("SAVE", "TO DISK") + " make it the file's; or write into the file what runs";
    if (!access.empty()) {
      say(Severity::warning, "file and ProxySQL say otherwise who gets in, or where it listens: " + shown(access),
          "ProxySQL runs on its proxysql.db, which wins over the file once it exists; whoever trusts the file is "
          "refused, and a ProxySQL without that database listens and lets in as the file says",
          bring);
    }
    if (rows.empty()) return;
    const Config& config = all_.node.config;
    const std::string changed = "changed at the admin interface";
    say(Severity::notice, subject(table) + "file and memory differ in " + shown(rows),
        config.is_satellite() ? "a satellite takes this from the cores"
        : config.is_core()    ? changed + ", or the file of another revision counts: see core_files in status"
                              : changed + ", or in the file and not loaded since",
        config.is_satellite() ? "where the satellite's own rows are meant, they belong into the cores' file" : bring);
  }

  const Examined& all_;
  const FileModule& module_;
  Findings list_;
};

}  // namespace

Findings module_findings(const Examined& all) {
  Findings list;
  for (const ModulePlaces& module : all.admin.modules) {
    if (module.module == nullptr) continue;
    Findings found = Comparison(all, module).take();
    std::move(found.begin(), found.end(), std::back_inserter(list));
  }
  return list;
}

}  // namespace pulse
