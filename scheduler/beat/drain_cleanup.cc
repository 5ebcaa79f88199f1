#include "scheduler/beat/drain_cleanup.h"

#include <string>

#include "shm/record/drains.h"
#include "shm/segment/names.h"
#include "src/base/log.h"

namespace pulse {

bool DrainCleanup::stands_aside() {
  layout_.with([&](Layout& layout) { since_.ns = layout.draining_since_ns.load(std::memory_order_acquire); });
  if (!found() || system_.try_drain_lock()) return false;
  layout_.with([](Layout& layout) { layout.skipped_busy.fetch_add(1, std::memory_order_relaxed); });
  return true;
}

bool DrainCleanup::has_stopped_proxysql() {
  DrainRecord drain{};
  return found() && read(drain) && drain.ended_ns >= since_.ns &&
         drain.outcome == static_cast<uint8_t>(DrainOutcome::stopped);
}

Result<void> DrainCleanup::end(const Config& config, BootTime proxysql_started, Deadline deadline) {
  DrainRecord drain{};
  if (!read(drain)) return {};
  const DrainLeft left = judge_drain(drain, since_.ns, proxysql_started.ns);
  if (left == DrainLeft::stays) return {};
  if (left == DrainLeft::died) {
    if (auto undone = system_.undo_drain(config, drain, deadline); !undone) return undone;
    const bool began = drain.began_ns >= since_.ns;
    log_warning(std::string("a drain was killed in phase ") + name(static_cast<DrainPhase>(began ? drain.phase : 0)) +
                ": undone, ProxySQL is back in service");
    drain.outcome = static_cast<uint8_t>(DrainOutcome::undone);
  } else {
    log_info("ProxySQL has been started since it was drained: back in service");
  }
  layout_.with([&](Layout& layout) {
    if (left == DrainLeft::died) layout.drain.publish(drain);
    layout.draining_since_ns.store(0, std::memory_order_release);
  });
  return {};
}

bool DrainCleanup::read(DrainRecord& record) {
  bool read = false;
  layout_.with([&](Layout& layout) { read = layout.drain.read(record); });
  return read;
}

}  // namespace pulse
