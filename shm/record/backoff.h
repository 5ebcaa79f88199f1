// When the next attempt may be made after timeouts. Pure.
#pragma once

#include <cstdint>

#include "shm/segment/layout_beat.h"

namespace pulse {

struct BackoffPolicy {
  int64_t interval_ns;
  int64_t backoff_max_ns;
};

// The policy that a record carries from the last configuration that was read; that of the defaults before the first.
BackoffPolicy backoff_policy(const BeatRecord& record);

// How long after the last of `timeouts` timeouts in a row no attempt is made, in nanoseconds:
// min(interval * 2^timeouts, backoff_max).
int64_t wait_after(uint32_t timeouts, const BackoffPolicy& policy);

// What back-off allows at this moment.
enum class Admission { attempt, held_back, attempt_threads_dropped };

struct ParentThreads {
  int64_t pid = 0;  // 0: not known
  int64_t start_ticks = 0;
  uint32_t threads = 0;
};

// Decides whether a beat may make an attempt. A beat that is held back watches the threads of the parent (ProxySQL).
// Each abandoned attempt has left one thread there, and all of them go when the admin interface answers again. So an
// attempt is admitted at once when as many threads have gone as there were timeouts in a row. Keeps the highest count
// in the record.
Admission admit(BeatRecord& record, int64_t now_ns, const ParentThreads& parent);

}  // namespace pulse
