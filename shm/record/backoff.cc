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

ProxySQLProcess watched(const BeatRecord& record) {
  return {record.proxysql_pid, record.proxysql_start_ticks, record.proxysql_pid_namespace,
          record.proxysql_threads_most};
}

void watch(BeatRecord& record, const ProxySQLProcess& process) {
  record.proxysql_pid = process.pid;
  record.proxysql_start_ticks = process.start_ticks;
  record.proxysql_pid_namespace = process.pid_namespace;
  record.proxysql_threads_most = process.threads;
}

Admission admit(BeatRecord& record, int64_t now_ns, ProcessNow found, uint32_t threads) {
  if (now_ns >= record.next_attempt_ns) return Admission::attempt;
  if (record.proxysql_pid == 0 || found == ProcessNow::unknown) return Admission::held_back;
  if (found == ProcessNow::gone) {
    // Nothing of the old row of timeouts is left.
    watch(record, {});
    return Admission::attempt_proxysql_ended;
  }
  record.proxysql_threads_most = std::max(record.proxysql_threads_most, threads);
  const bool dropped = threads + record.consecutive_timeouts <= record.proxysql_threads_most;
  return dropped ? Admission::attempt_threads_dropped : Admission::held_back;
}

}  // namespace pulse
