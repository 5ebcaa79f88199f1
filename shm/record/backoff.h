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
enum class Admission { attempt, held_back, attempt_threads_dropped, attempt_proxysql_ended };

// ProxySQL's process, as it was told at the end of an attempt that timed out, or as it is now.
struct ProxySQLProcess {
  int64_t pid = 0;  // 0: not known
  int64_t start_ticks = 0;
  uint64_t pid_namespace = 0;
  uint32_t threads = 0;
};

// The process whose threads a beat that is held back has to read; pid 0 if none is known.
ProxySQLProcess watched(const BeatRecord& record);

// From now on the record watches this one, with the threads that it has.
void watch(BeatRecord& record, const ProxySQLProcess& process);

// What a beat finds where the watched process was.
enum class ProcessNow {
  unknown,  // nobody is watched, or it can't be read: another container's beat, no /proc
  same,
  gone,  // it has ended; its pid may be another process's by now
};

// Decides whether a beat may make an attempt. A beat that is held back watches ProxySQL's own threads, whoever has
// started it. Each abandoned attempt has left one thread there, and all of them go when the admin interface answers
// again. So an attempt is admitted at once when as many threads have gone as there were timeouts in a row, and when
// that ProxySQL has ended. Nothing else ends a back-off early. Keeps the highest count in the record.
Admission admit(BeatRecord& record, int64_t now_ns, ProcessNow found, uint32_t threads);

}  // namespace pulse
