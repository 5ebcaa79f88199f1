// What of configuration files has been applied to the cluster, as this node knows it: its own loads, and what the other
// cores' daemons report.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "shm/segment/layout_proxysql.h"

namespace pulse {

// One content that has been applied from a file.
struct AppliedFile {
  Content content;
  int64_t revision;  // the highest of the workload's revisions whose file had this content; 0: not known
  int64_t at;        // epoch seconds of the last load, for people: the wall clock may have stepped
};

inline constexpr size_t kAppliedFiles = 8;

struct AppliedModule {
  std::array<char, 32> name;  // as in src/config/modules
  uint32_t count;
  uint32_t unused;
  std::array<AppliedFile, kAppliedFiles> files;  // the latest one last; the oldest gives way
};

struct Applied {
  uint32_t count;
  uint32_t unused;
  std::array<AppliedModule, kModules> modules;
};

// What the daemons of the other cores say, as the daemon read it from their /status. A round asks each core of the list
// once, with a deadline. A beat loads no file that the reports may know as applied before the round about its list has
// ended, or some seconds have passed: so the daemon asks at once when the list changes.
struct PeerReports {
  uint64_t boot_id;    // of the machine
  int64_t round_ns;    // when the last whole round ended; 0: none has
  int64_t list_ns;     // Members::changed_ns of the list that the round was about
  int64_t failing_ns;  // since when not every core has answered; 0: all did
  uint32_t cores;      // asked: those of the list but this one
  uint32_t answered;   // with a report, in the last round
  uint32_t silent;     // answered without one: a Pulse that is older than reports
  uint32_t unused;
  std::array<char, 256> error;  // of the last core that didn't answer, "" if all did
  Applied applied;              // of all reports since this machine's boot
};

}  // namespace pulse
