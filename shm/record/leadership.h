// Who leads the nodes of one role, as the segment says it, and the rule of leader.mode = "lowest". Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "shm/segment/layout.h"

namespace pulse {

// What a reader of the segment may make of `state` at `now_ns`.
struct Leadership {
  bool is_self = false;
  int64_t handover_ns = 0;   // no other node becomes the leader before; 0: not known
  std::string reason;        // why this node isn't the leader: "proxysql-1 is", "pulse.leader.mode is \"none\"", ...
  bool other_leads = false;  // the reason is that another node does: all is well
};

// Leadership ends with the instant in `state`, whether the daemon that wrote it still runs or not.
Leadership leadership(const LeaderState& state, uint64_t boot_id, int64_t now_ns);

// The leader among the listed members of one role: of the ready ones, the first in the list's order, which is that of
// addresses. A list is acted on only if it is of this boot, complete, and was known to be right within `max_age`.
struct Lowest {
  bool is_self = false;
  std::string holder;    // "10.0.0.1:6032", with the pod's name where there is one
  std::string unusable;  // why nothing can be said, "" if it can
};
Lowest lowest(const Members& members, const Discovery& discovery, bool of_cores, uint64_t boot_id, int64_t now_ns,
              std::chrono::milliseconds max_age);

}  // namespace pulse
