// What a core's plan is made of, and what its parts share.
#pragma once

#include <cstdint>

#include "scheduler/cluster/cluster_rows.h"
#include "scheduler/cluster/membership.h"
#include "scheduler/cluster/plan.h"
#include "shm/segment/layout.h"
#include "src/config/settings.h"

namespace pulse {

struct CoreInput {
  const Seen& seen;
  const CoreList& list;
  const Config& config;
  const CoreRecord& record;     // as the last beat left it
  int64_t proxysql_started_ns;  // boottime, of the ProxySQL that was seen
  int64_t now_ns;
  bool resync_requested = false;
};

struct CorePlan {
  Plan plan;
  CoreRecord record;  // to be published, after settle_core()
};

// This core in the list; null where the list may not be acted on or lacks it.
const Core* self_of(const CoreInput& input);

// Whether `core` comes before `self` where one core is to act for all (both of one list): the newest first; of several
// from the same second, and where nobody says how old they are, the lowest address.
bool comes_before(const Core& core, const Core& self);

// ProxySQL's row of a core; null if it has none.
const ServerRow* server_row(const Seen& seen, const ServerKey& server);

}  // namespace pulse
