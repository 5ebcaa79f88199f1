// What a core's plan is made of, and what its parts share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/cluster/cluster_rows.h"
#include "scheduler/cluster/membership.h"
#include "scheduler/cluster/plan.h"
#include "shm/segment/layout.h"
#include "src/config/settings.h"

namespace pulse {

// Is a module or a table named?
inline bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// What the other cores' daemons have said about what was applied; the rest of PeerReports.
struct Reports {
  bool any = false;        // of this boot of the machine
  int64_t round_ns = 0;    // as in PeerReports
  int64_t list_ns = 0;     // as there
  int64_t failing_ns = 0;  // as there
  std::string error;
};

// The contents of the configuration file's modules, read because the file has changed.
struct FileContents {
  uint64_t identity = 0;
  std::string error;  // why the rows can't be read; all else is then empty
  std::vector<std::pair<std::string, Content>> modules;
};

inline constexpr Applied kNothingApplied{};
inline constexpr MendRecord kNoMends{};

struct CoreInput {
  const Seen& seen;
  const CoreList& list;
  const Config& config;
  const CoreRecord& record;     // as the last beat left it
  int64_t proxysql_started_ns;  // boottime, of the ProxySQL that was seen
  int64_t now_ns;
  const Applied& applied = kNothingApplied;  // what this core knows, with what the reports say
  Reports reports = {};                      // of the other cores
  const FileContents* file = nullptr;        // null: the file is as it was when the record's contents were read
  bool resync_requested = false;
  bool syncs_pgsql = false;                      // this ProxySQL's version does
  const SatelliteReports* satellites = nullptr;  // of this boot of the machine; null: nobody reads them here
  const MendRecord& mends = kNoMends;            // as the last beat left it
  bool reads_later_tables = false;               // this ProxySQL does, see FileModule
};

struct CorePlan {
  Plan plan;
  CoreRecord record;  // to be published, after settle_core()
  Applied applied;    // the same
  MendRecord mends;   // the same, after settle_mends()
};

// This core in the list; null where the list may not be acted on or lacks it.
const Core* self_of(const CoreInput& input);

// Whether `core` comes before `self` where one core is to act for all (both of one list): the greatest revision first;
// of several, and where nobody says, the one that was created last; of several, the lowest address.
bool comes_before(const Core& core, const Core& self);

// ProxySQL's row of a core; null if it has none.
const ServerRow* server_row(const Seen& seen, const ServerKey& server);

}  // namespace pulse
