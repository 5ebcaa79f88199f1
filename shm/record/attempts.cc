#include "shm/record/attempts.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "shm/segment/names.h"
#include "src/base/exit_code.h"

namespace pulse {

Phase phase_of(const Marks& marks, uint64_t attempt) {
  if (marks.phase_mark >> 8 != attempt) return Phase::none;
  const auto phase = static_cast<uint8_t>(marks.phase_mark & 0xFF);
  return phase <= static_cast<uint8_t>(Phase::publish) ? static_cast<Phase>(phase) : Phase::none;
}

void fold(BeatRecord& record, const AttemptEnd& end, const BackoffPolicy& policy) {
  record.attempt = end.attempt;
  // Stamps may be anything, if somebody has scribbled over the segment.
  int64_t duration = 0;
  if (__builtin_sub_overflow(end.ended_ns, end.began_ns, &duration) || duration < 0) duration = 0;
  const auto* const bound = std::lower_bound(kDurationBoundsNs.begin(), kDurationBoundsNs.end(), duration);
  ++record.durations[static_cast<size_t>(bound - kDurationBoundsNs.begin())];
  if (__builtin_add_overflow(record.duration_ns, duration, &record.duration_ns)) record.duration_ns = duration;
  set_text(record.message, end.message);
  record.next_attempt_ns = 0;
  record.proxysql_threads_most = 0;
  const bool timed_out = end.outcome == Outcome::timed_out || end.outcome == Outcome::overdue;
  if (end.outcome == Outcome::ok) {
    ++record.ok;
    record.last_ok_ns = end.ended_ns;
    record.consecutive_failures = 0;
    record.failing_since_ns = 0;
  } else {
    ++(timed_out ? record.timed_out : record.failed);
    if (end.outcome == Outcome::overdue) ++record.killed_overdue;
    if (record.consecutive_failures++ == 0) record.failing_since_ns = end.began_ns;
  }
  if (timed_out) {
    if (record.consecutive_timeouts++ == 0) record.wedged_since_ns = end.began_ns;
  } else if (!end.died) {
    record.consecutive_timeouts = 0;
    record.wedged_since_ns = 0;
  }
  if (record.consecutive_timeouts > 0) {
    const int64_t wait = wait_after(record.consecutive_timeouts, policy);
    if (__builtin_add_overflow(end.ended_ns, wait, &record.next_attempt_ns)) record.next_attempt_ns = 0;
  }
  record.history[record.history_count++ % kHistory] = Ended{end.ended_ns,
                                                            duration,
                                                            static_cast<uint8_t>(end.outcome),
                                                            static_cast<uint8_t>(end.phase),
                                                            static_cast<uint16_t>(end.exit_code),
                                                            end.writes};
}

bool is_open(const BeatRecord& record, const Attempt& attempt, const Marks& marks) {
  return attempt.id > record.attempt && marks.end_mark >> 8 != attempt.id;
}

bool fold_unrecorded(BeatRecord& record, const Attempt& attempt, const Marks& marks, const BackoffPolicy& policy,
                     int64_t now_ns, bool holder_gone) {
  if (attempt.id <= record.attempt) return false;
  const bool marked = marks.end_mark >> 8 == attempt.id;
  if (!marked && !holder_gone) return false;
  AttemptEnd end;
  end.attempt = attempt.id;
  end.phase = phase_of(marks, attempt.id);
  end.began_ns = attempt.began_ns;
  end.ended_ns = marked ? marks.ended_ns : now_ns;
  std::string message;
  if (marked && (marks.end_mark & 0xFF) == static_cast<uint8_t>(Outcome::timed_out)) {
    end.outcome = Outcome::timed_out;
    end.exit_code = kExitTimeout;
    message = std::string("ended by its hard timeout in phase ") + name(end.phase);
  } else if (marked) {
    end.outcome = Outcome::overdue;
    message = std::string("stuck past its deadline in phase ") + name(end.phase) + " and killed by a later one";
  } else {
    // Its own timer would have left a mark: it was killed from outside, which says nothing about ProxySQL.
    end.outcome = Outcome::failed;
    end.died = true;
    message = std::string("killed in phase ") + name(end.phase);
  }
  end.message = message;
  fold(record, end, policy);
  return true;
}

BeatRecord counts_of(const BeatRecord& record) {
  BeatRecord counts{};
  counts.attempt = record.attempt;
  counts.ok = record.ok;
  counts.failed = record.failed;
  counts.timed_out = record.timed_out;
  counts.killed_overdue = record.killed_overdue;
  counts.duration_ns = record.duration_ns;
  counts.durations = record.durations;
  return counts;
}

}  // namespace pulse
