#include "scheduler/drain/announcement.h"

#include <unistd.h>

#include "scheduler/run/process.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"

namespace pulse {

Result<InstanceLock> try_drain_lock(const StateAccess& state, bool create) {
  return InstanceLock::try_take(state.path(), state.group(), create, ".drain.lock");
}

std::optional<JoinedDrain> judge_joined(const DrainRecord& record, int64_t began_boot_ns, bool stops) {
  if (record.ended_ns < began_boot_ns) return std::nullopt;
  const std::string message(text(record.message));
  switch (static_cast<DrainOutcome>(record.outcome)) {
    case DrainOutcome::stopped:
      return JoinedDrain{kExitOk, message};
    case DrainOutcome::drained:
      // It ran with other flags: ProxySQL is still to be shut down.
      if (stops) return std::nullopt;
      return JoinedDrain{kExitOk, message};
    case DrainOutcome::failed:
      return JoinedDrain{kExitStatement, message};
    case DrainOutcome::none:
    case DrainOutcome::undone:
      break;
  }
  return std::nullopt;
}

template <class Access>
void Announcement::with_layout(Access access) {
  if (state_.layout() == nullptr || lost_) return;
  if (guarded([&] { access(*state_.layout()); })) return;
  lost_ = true;
  log_error("the state segment " + state_.path() + " was cut short; the drain goes on without it");
}

Result<bool> Announcement::take_lock(bool create) {
  auto lock = try_drain_lock(state_, create);
  if (!lock) return lock.error();
  lock_ = std::move(*lock);
  return lock_->taken();
}

std::optional<int> Announcement::join(int64_t began_boot_ns, bool stops, MonotonicTime deadline) {
  log_info("drain: another one is under way, waiting for it");
  for (;;) {
    auto again = try_drain_lock(state_, false);
    if (again && again->taken()) {
      lock_ = std::move(*again);
      break;
    }
    if (clock_.now() >= deadline) {
      log_error("drain: another one is under way and doesn't end");
      return kExitTimeout;
    }
    clock_.sleep_until(clock_.now() + kPoll);
  }
  DrainRecord other{};
  bool read = false;
  with_layout([&](Layout& layout) { read = layout.drain.read(other); });
  const auto joined = read ? judge_joined(other, began_boot_ns, stops) : std::nullopt;
  if (!joined) return std::nullopt;
  if (joined->exit_code == kExitOk) {
    log_info("drain: " + joined->message);
  } else {
    log_error("drain: " + joined->message);
  }
  return joined->exit_code;
}

DrainBefore Announcement::announce(int64_t began_boot_ns) {
  began_boot_ns_ = began_boot_ns;
  DrainBefore before;
  with_layout([&](Layout& layout) {
    layout.draining_since_ns.store(began_boot_ns, std::memory_order_release);
    if (!layout.drain.read(before.record)) before.record = DrainRecord{};
    Observation last{};
    if (layout.observation.read(last) && last.at_ns != 0) before.proxysql_started_ns = last.proxysql_started_ns;
  });
  return before;
}

// A beat that is under way ends within its own deadline. One that doesn't is stopped or stuck: it does no harm.
void Announcement::hold_beats(Deadline by, int64_t until_boot_ns) {
  for (;;) {
    auto lock = InstanceLock::try_take(state_.lock_path(), state_.group(), state_.layout() != nullptr);
    if (lock && lock->taken()) {
      beats_lock_ = std::move(*lock);
      with_layout([&](Layout& layout) { layout.holder.publish({::getpid(), began_boot_ns_, until_boot_ns}); });
      return;
    }
    if (!lock || clock_.now() >= by.instant()) {
      log_warning("drain: a beat doesn't end, going on beside it");
      return;
    }
    clock_.sleep_until(clock_.now() + kPoll);
  }
}

void Announcement::publish(const DrainRecord& record) {
  with_layout([&](Layout& layout) { layout.drain.publish(record); });
}

}  // namespace pulse
