// The daemon's part of the segment: the members of the cluster, and how discovery fares.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "src/config/words.h"

namespace pulse {

struct Member {                  // of the cluster, as discovered
  std::array<char, 128> name;    // of the pod; "" where the source knows none
  std::array<char, 48> address;  // numeric, without brackets
  int64_t created_at;            // epoch seconds; 0 where the source doesn't say
  int64_t revision;              // of the workload's template that made it; 0 where the source doesn't say
  uint32_t port;                 // of the admin interface
  uint8_t is_core;
  uint8_t is_self;
  uint8_t ready;
  uint8_t unused;
};

inline constexpr size_t kMembers = 1024;

// The list as it is. Cores come first, ordered by address and port, so that a beat reads no more than it needs.
struct Members {
  int64_t changed_ns;
  uint64_t boot_id;  // of the machine: a list from before its last boot is none
  uint32_t count;
  uint32_t cores;  // of count
  std::array<Member, kMembers> members;
};

// How discovery fares. `ok_ns` is the last instant at which the list was known to be right: a beat acts on a list only
// if that is recent, and if no core was left out.
struct Discovery {
  uint64_t boot_id;
  int64_t ok_ns;
  int64_t looked_ns;          // last answer or failure of any kind
  int64_t failing_since_ns;   // 0: the last look was good
  uint64_t failures;          // ever
  uint32_t members_left_out;  // more than kMembers; cores only where Members has nobody else
  uint8_t source;
  std::array<uint8_t, 3> unused;
  std::array<char, 256> error;         // of the last look, "" if it was good
  std::array<char, 128> no_revisions;  // why the members' revisions aren't known; "" if they are
};

}  // namespace pulse
