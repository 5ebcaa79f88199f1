#include "shm/record/backoff.h"

#include <algorithm>

namespace pulse {

BackoffPolicy backoff_policy(const BeatRecord& record) {
  const int64_t interval_ms = record.interval_ms == 0 ? 5000 : record.interval_ms;
  const int64_t most_ms = record.backoff_max_ms == 0 ? 30'000 : record.backoff_max_ms;
  return {interval_ms * 1'000'000, most_ms * 1'000'000};
}

int64_t wait_after(uint32_t timeouts, const BackoffPolicy& policy) {
  int64_t wait = policy.interval_ns;
  for (uint32_t k = 0; k < timeouts && wait < policy.backoff_max_ns; ++k) wait *= 2;
  return std::min(wait, policy.backoff_max_ns);
}

Admission admit(BeatRecord& record, int64_t now_ns, const ParentThreads& parent) {
  if (now_ns >= record.next_attempt_ns) return Admission::attempt;
  if (parent.pid == 0) return Admission::held_back;
  const bool same = record.parent_pid == parent.pid && record.parent_start_ticks == parent.start_ticks;
  if (!same) {
    // Another ProxySQL than the one that was wedged: nothing of the old row of timeouts is left.
    const bool known_before = record.parent_pid != 0;
    record.parent_pid = parent.pid;
    record.parent_start_ticks = parent.start_ticks;
    record.parent_threads_most = parent.threads;
    return known_before ? Admission::attempt_threads_dropped : Admission::held_back;
  }
  record.parent_threads_most = std::max(record.parent_threads_most, parent.threads);
  const bool dropped = parent.threads + record.consecutive_timeouts <= record.parent_threads_most;
  return dropped ? Admission::attempt_threads_dropped : Admission::held_back;
}

}  // namespace pulse
