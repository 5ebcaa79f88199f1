// Whose configuration file counts, and whether it is to be loaded. Pure.
//
// A file counts when it changes, not when something restarts. What has been applied is known by content and revision,
// from the segment and from the other cores: a core loads its file's module only if its revision is the greatest and
// the cluster hasn't had this content from a file of that revision.
#pragma once

#include <chrono>
#include <string>

#include "scheduler/cluster/core_input.h"
#include "shm/record/applied.h"

namespace pulse {

// Which revision is the newest is only decided by a list that was known to be right this long after ProxySQL's start:
// before, or while discovery fails, a newer core may have come, and this one's file must not win over that one's.
inline constexpr std::chrono::seconds kListAfterStart{1};

// So long a core that would load its file waits for the other cores to say what has been applied.
inline constexpr std::chrono::seconds kReportsPatience{10};

// With core.authority = "always": a ProxySQL that has been up for longer, and serves what was loaded, isn't given a
// file of which nothing is known.
inline constexpr std::chrono::seconds kFoundServing{60};

// Where this core stands among the cores of the list.
struct Rank {
  int64_t revision = 0;  // its own; its time of creation where the cores' revisions aren't known
  RevisionKind kind = RevisionKind::none;
  std::string unknown;    // why that can't be told; "" if it can
  std::string outranked;  // why the file of another revision counts; "" if none does
  std::string follows;    // which core of the same revision comes first; "" if this one does
  std::string too_early;  // why nothing may be loaded from the file yet; "" if it may
  std::string unasked;    // which cores couldn't be asked what has been applied, and nobody waits for them any longer
};

// `record` is this boot's, with the newest revision that was ever seen.
Rank rank_of(const CoreInput& input, const CoreRecord& record);

// Why the membership can't be acted on.
std::string why_no_membership(const CoreInput& input);

// Notes in the record which revisions the list names.
void note_cores(const CoreInput& input, CoreRecord& record);

// Enters the contents of a file that has changed.
void take_file(const CoreInput& input, const Rank& rank, CoreRecord& record);

// This core's standing, for all modules. With core.apply = "on_boot", once aside is aside for this boot of ProxySQL.
void decide_standing(const CoreInput& input, const Rank& rank, CoreRecord& record);

// With core.apply = "on_change": decides on one module and says why in it. True if this core is to load it from its
// file now. `stamped`: it was loaded in this boot of ProxySQL.
bool decide_module(const CoreInput& input, const Rank& rank, bool stamped, CoreModule& module, Applied& applied);

}  // namespace pulse
