// What a row of attempts comes to: outcomes, back-off, history. Pure. The lock's holder and every reader use the same
// functions. So a beat that died without a word counts the same for both.
#pragma once

#include <cstdint>
#include <string_view>

#include "shm/record/backoff.h"
#include "shm/segment/layout.h"

namespace pulse {

// How long no beat may come before that is silence, and how long the first one may take: ProxySQL itself needs a while
// to start, and its scheduler waits one interval before the first run.
constexpr int64_t silence_ns(int64_t interval_ns) { return 3 * interval_ns; }
constexpr int64_t first_beat_ns(int64_t interval_ns) {
  return silence_ns(interval_ns) > 10'000'000'000 ? silence_ns(interval_ns) : 10'000'000'000;
}

// The words beside the sections, as copied from the segment.
struct Marks {
  uint64_t phase_mark = 0;
  uint64_t end_mark = 0;
  int64_t ended_ns = 0;
};

inline uint64_t make_mark(uint64_t attempt, Phase phase) { return attempt << 8 | static_cast<uint8_t>(phase); }
inline uint64_t make_mark(uint64_t attempt, Outcome outcome) { return attempt << 8 | static_cast<uint8_t>(outcome); }

// The phase that `attempt` is in or ended in, by `marks`; none if the mark is another attempt's.
Phase phase_of(const Marks& marks, uint64_t attempt);

struct AttemptEnd {
  uint64_t attempt = 0;
  Outcome outcome = Outcome::none;
  Phase phase = Phase::none;
  int exit_code = 0;
  bool died = false;  // killed from outside, so without an exit code
  int64_t began_ns = 0;
  int64_t ended_ns = 0;
  uint32_t writes = 0;
  std::string_view message;
};

// Adds the end of one attempt to the record: its outcome, its duration, its line of the history. Back-off: after k
// timeouts in a row, the next attempt is not before min(interval * 2^k, backoff_max) after the end of the last;
// anything else but a death ends the row.
void fold(BeatRecord& record, const AttemptEnd& end, const BackoffPolicy& policy);

// Whether `attempt` began and is neither in the record nor known to have ended.
bool is_open(const BeatRecord& record, const Attempt& attempt, const Marks& marks);

// Folds in an attempt that ended without a record of its own. Either its timer's handler or its killer left an end
// mark, or the attempt died. Only a caller that holds the lock can know the latter, and passes `holder_gone`. Does
// nothing for an attempt that is already in the record or still runs. Returns whether it folded one.
bool fold_unrecorded(BeatRecord& record, const Attempt& attempt, const Marks& marks, const BackoffPolicy& policy,
                     int64_t now_ns, bool holder_gone);

// What of a record outlives a boot of the machine: the counts. Instants and rows of failures mean nothing any more.
BeatRecord counts_of(const BeatRecord& record);

}  // namespace pulse
