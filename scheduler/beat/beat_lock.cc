#include "scheduler/beat/beat_lock.h"

#include "shm/record/attempts.h"
#include "shm/segment/names.h"
#include "src/base/log.h"

namespace pulse {

namespace {

// How late a timer may be.
constexpr milliseconds kOverdueGrace{50};

}  // namespace

bool is_overdue(const Holder& holder, BootTime now) {
  return holder.pid != 0 && now > BootTime{holder.deadline_ns} + kOverdueGrace;
}

std::string overdue_text(const Holder& holder, Phase phase, BootTime now) {
  const auto late = std::chrono::duration_cast<milliseconds>(now - BootTime{holder.deadline_ns});
  return "a beat that was " + std::to_string(late.count()) + " ms past its deadline in phase " + name(phase) +
         " (pid " + std::to_string(holder.pid) + ")";
}

Result<bool> BeatLock::take() {
  auto taken = system_.try_lock();
  if (taken && !*taken && end_overdue_holder()) taken = system_.try_lock();
  if (!taken) return taken;
  tell_problem();
  if (!*taken) {
    count_busy();
    return taken;
  }
  layout_.with([](Layout& layout) {
    if (layout.busy_in_row.load(std::memory_order_relaxed) == 0) return;
    layout.busy_in_row.store(0, std::memory_order_relaxed);
    layout.busy_since_ns.store(0, std::memory_order_relaxed);
    layout.busy_other_user.store(0, std::memory_order_relaxed);
  });
  return taken;
}

void BeatLock::count_busy() {
  const auto other = system_.other_holder();
  uint64_t in_row = 1;
  layout_.with([&](Layout& layout) {
    layout.skipped_busy.fetch_add(1, std::memory_order_relaxed);
    layout.last_beat_ns.store(began_.ns, std::memory_order_relaxed);
    in_row = layout.busy_in_row.fetch_add(1, std::memory_order_relaxed) + 1;
    if (in_row == 1) layout.busy_since_ns.store(began_.ns, std::memory_order_relaxed);
    if (other) layout.busy_other_user.store(uint64_t{*other} + 1, std::memory_order_relaxed);
  });
  if (other && is_worth_logging(in_row)) {
    log_error(other_holder_text(*other) + (in_row == 1 ? "" : "; " + std::to_string(in_row) + " beats in a row"));
  }
}

// A lock file that isn't to be believed is said the 1st, 2nd, 4th, ... time in a row.
void BeatLock::tell_problem() {
  const std::string problem = system_.lock_problem();
  uint64_t in_row = problem.empty() ? 0 : 1;
  layout_.with([&](Layout& layout) {
    const uint64_t before = layout.odd_lock_in_row.load(std::memory_order_relaxed);
    if (!problem.empty()) in_row = before + 1;
    if (in_row != before) layout.odd_lock_in_row.store(in_row, std::memory_order_relaxed);
  });
  if (is_worth_logging(in_row)) log_error(problem);
}

// True if the holder is gone, and its lock with it.
bool BeatLock::end_overdue_holder() {
  Holder holder{};
  bool read = false;
  layout_.with([&](Layout& layout) { read = layout.holder.read(holder); });
  if (!read || !is_overdue(holder, system_.now())) return false;
  if (system_.process_of_holder() != holder.pid) {
    uint64_t in_row = 0;
    layout_.with([&](Layout& layout) { in_row = layout.busy_in_row.load(std::memory_order_relaxed) + 1; });
    if (is_worth_logging(in_row)) {
      log_error("the lock's holder is past its deadline, and its process " + std::to_string(holder.pid) +
                " can't be found by that number here, it is one of another pid namespace (another container): it isn't "
                "killed from here, end it there");
    }
    return false;
  }
  const KillResult result = system_.kill(static_cast<pid_t>(holder.pid), {holder.began_ns});
  if (result == KillResult::killed) {
    killed_ = true;
    log_warning("killed " + overdue_text(holder, mark_overdue(), system_.now()));
  } else if (const auto text = unfinished_kill_text(result, overdue_text(holder, Phase::none, system_.now()));
             !text.empty()) {
    log_error(text);
  }
  return result == KillResult::killed || result == KillResult::gone;
}

// Writes down how the holder's attempt ended, for it can't any more. Returns the phase it was in.
Phase BeatLock::mark_overdue() {
  Phase phase = Phase::none;
  layout_.with([&](Layout& layout) {
    Attempt attempt{};
    if (!layout.attempt.read(attempt)) return;
    phase = phase_of({layout.phase_mark.load(std::memory_order_relaxed), 0, 0}, attempt.id);
    layout.ended_ns.store(system_.now().ns, std::memory_order_relaxed);
    layout.end_mark.store(make_mark(attempt.id, Outcome::overdue), std::memory_order_release);
  });
  return phase;
}

}  // namespace pulse
