#include "shm/record/drains.h"

#include "shm/segment/boot.h"
#include "src/config/drain_steps.h"

namespace pulse {

bool is_draining(int64_t draining_since_ns, const DrainRecord& record, int64_t port_answers_since_ns) {
  if (draining_since_ns == 0) return false;
  const bool stopped =
      record.outcome == static_cast<uint8_t>(DrainOutcome::stopped) && record.ended_ns >= draining_since_ns;
  return !stopped || port_answers_since_ns <= record.ended_ns;
}

bool may_be_at_work(int64_t draining_since_ns, const DrainRecord& record, milliseconds timeout, int64_t now_ns) {
  if (draining_since_ns == 0 || record.ended_ns >= draining_since_ns) return false;
  const int64_t deadline_ns =
      record.began_ns >= draining_since_ns ? record.deadline_ns : draining_since_ns + nanoseconds(timeout).count();
  return now_ns < deadline_ns + nanoseconds(kAroundDrain).count();
}

DrainLeft judge_drain(const DrainRecord& record, int64_t draining_since_ns, int64_t proxysql_started_ns) {
  // Announced, and dead before it could write down of which boot it is: then only a ProxySQL that started later is
  // another one.
  const bool of_this_drain = record.began_ns >= draining_since_ns;
  const bool ended = of_this_drain && record.ended_ns >= record.began_ns;
  // It was seen to end, so whatever answers now is another one, however soon it came.
  if (ended && record.outcome == static_cast<uint8_t>(DrainOutcome::stopped)) return DrainLeft::other_boot;
  const bool same_boot = of_this_drain && record.proxysql_started_ns != 0
                             ? is_same_boot(record.proxysql_started_ns, proxysql_started_ns)
                             : proxysql_started_ns <= draining_since_ns;
  if (!same_boot) return DrainLeft::other_boot;
  return ended ? DrainLeft::stays : DrainLeft::died;
}

bool has_left_changes(const DrainRecord& record, int64_t proxysql_started_ns) {
  return record.outcome != static_cast<uint8_t>(DrainOutcome::undone) && record.proxysql_started_ns != 0 &&
         is_same_boot(record.proxysql_started_ns, proxysql_started_ns);
}

}  // namespace pulse
