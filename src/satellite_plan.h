// What a satellite's beat does about what it saw. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "src/config.h"
#include "src/observe.h"

namespace pulse {

struct Step {
  std::string statement;
  std::string reason;
  // Run in its place when it is refused; without any, a refusal ends the beat.
  std::vector<std::string> instead = {};
  // Before this statement the beat reads proxysql_servers again and stops if it is empty: an empty table that is
  // loaded isolates the satellite, and its peers pull the emptiness.
  bool needs_rows = false;
};

struct SatelliteInput {
  const Seen& seen;
  const std::vector<ServerEntry>& bootstrap;  // of the configuration file
  std::chrono::milliseconds peer_timeout;
  int64_t now_ns;
  int64_t servers_loaded_ns;  // boottime of the last LOAD PROXYSQL SERVERS TO RUNTIME; 0: none
  bool resync_requested;
};

struct Plan {
  std::vector<Step> steps;
  std::string situation;  // why there are steps, or why there are none although not all is well; "" when all is well
  bool deferred = false;  // the last step is left to a later beat
};

// An ordered list of idempotent statements. Between any two of them proxysql_servers is not empty, and a beat that
// runs the plan anew from there arrives at the same end.
Plan plan_satellite(const SatelliteInput& input);

}  // namespace pulse
