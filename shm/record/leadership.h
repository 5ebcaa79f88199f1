// Who leads the nodes of one role, as the segment says it. Pure.
#pragma once

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

}  // namespace pulse
