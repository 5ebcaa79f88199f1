#include "scheduler/drain/variables_sync.h"

#include "src/base/number.h"

namespace pulse {

namespace {

struct Version {
  int64_t version = 0;
  int64_t epoch = 0;
  std::string checksum;
};

Version version_of(const std::vector<std::string>& row) {
  return {to_number<int64_t>(row[1]).value_or(0), to_number<int64_t>(row[2]).value_or(0), row[3]};
}

}  // namespace

std::string variables_sync_statement() {
  return "SELECT 'own', version, epoch, checksum FROM runtime_checksums_values WHERE name = 'mysql_variables'"
         " UNION ALL SELECT 'peer', version, epoch, checksum FROM stats_proxysql_servers_checksums"
         " WHERE name = 'mysql_variables'"
         " UNION ALL SELECT 'diffs', variable_value, '', '' FROM GLOBAL_VARIABLES"
         " WHERE variable_name = 'admin-cluster_mysql_variables_diffs_before_sync'";
}

VariablesSync variables_sync_of(const AdminResult& answer) {
  Version own;
  bool pulls = false;
  for (const auto& row : answer.rows) {
    if (row.size() != 4) continue;
    if (row[0] == "own") own = version_of(row);
    if (row[0] == "diffs") pulls = to_number<int64_t>(row[1]).value_or(0) > 0;
  }
  VariablesSync sync;
  if (!pulls || own.checksum.empty()) return sync;
  for (const auto& row : answer.rows) {
    if (row.size() != 4 || row[0] != "peer") continue;
    const Version theirs = version_of(row);
    if (theirs.version <= 1 || theirs.checksum.empty() || theirs.checksum == own.checksum) continue;
    if (theirs.epoch > own.epoch || own.version == 1) {
      sync.pull_due = true;
    } else {
      ++sync.overtaken;
    }
  }
  if (sync.pull_due) sync.overtaken = 0;  // that one brings what there is
  return sync;
}

std::string overtaken_text(const VariablesSync& sync) {
  return "mysql_variables differ from " + std::to_string(sync.overtaken) +
         (sync.overtaken == 1 ? " core's" : " cores'") +
         " and are newer: what a core has loaded during the drain doesn't arrive any more. Run LOAD MYSQL VARIABLES TO "
         "RUNTIME on a core; status says whether they still differ";
}

}  // namespace pulse
