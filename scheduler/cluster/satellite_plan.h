// What a satellite's beat does about what it saw. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "scheduler/cluster/cluster_rows.h"
#include "scheduler/cluster/membership.h"
#include "scheduler/cluster/plan.h"
#include "src/config/settings.h"

namespace pulse {

struct SatelliteInput {
  const Seen& seen;
  const std::vector<ServerEntry>& bootstrap;  // of the configuration file
  std::chrono::milliseconds peer_timeout;
  const CoreList& list;
  bool resync_requested;
  bool remembers = true;  // beats know from each other for how long a core has been silent; not without a segment
};

// Between any two statements proxysql_servers is not empty. While a core is alive, its table is the cores' business:
// they load it, ProxySQL pulls it. But ProxySQL doesn't pull any more once this node has loaded a table of its own,
// which has the newest epoch then: from there on the plan follows the list of members, if there is one that may be
// acted on.
Plan plan_satellite(const SatelliteInput& input);

}  // namespace pulse
