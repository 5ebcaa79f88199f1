#include "scheduler/beat/attempt_log.h"

#include <algorithm>

#include "shm/record/core_record.h"
#include "src/base/log.h"

namespace pulse {

namespace {

bool is_new_kind(const BeatEnd& end, const BeatRecord& before) {
  return before.history_count != 0 && before.history[(before.history_count - 1) % kHistory].exit_code != end.exit_code;
}

}  // namespace

std::optional<std::string> failure_line(const BeatEnd& end, const BeatRecord& before, const BeatRecord& after,
                                        BootTime ended, bool has_segment) {
  if (end.outcome == Outcome::ok || end.expected) return std::nullopt;
  if (!is_new_kind(end, before) && !is_worth_logging(after.consecutive_failures)) return std::nullopt;
  std::string line = end.message;
  if (after.consecutive_failures > 1) line += "; " + std::to_string(after.consecutive_failures) + " beats in a row";
  if (after.next_attempt_ns > ended.ns && has_segment) {
    line += "; backing off, next attempt in " + std::to_string((after.next_attempt_ns - ended.ns) / 1'000'000) + " ms";
  }
  return line;
}

std::optional<std::string> recovery_line(const BeatEnd& end, const BeatRecord& before, BootTime ended) {
  if (end.outcome != Outcome::ok || before.consecutive_failures == 0) return std::nullopt;
  return "reconciled again after " + std::to_string(before.consecutive_failures) + " failed beats, " +
         std::to_string((ended.ns - before.failing_since_ns) / 1'000'000) + " ms";
}

void start_over(Layout& layout, BeatRecord& record, uint64_t boot_id) {
  record = counts_of(record);
  layout.record.publish(record);
  layout.observation.publish(Observation{});
  layout.hostgroups.publish(Hostgroups{});
  // What has been applied stays (layout.applied), and what is known of the file.
  CoreRecord before{};
  layout.core.publish(layout.core.read(before) ? core_record_after_boot(before) : CoreRecord{});
  layout.mends.publish(MendRecord{});
  layout.draining_since_ns.store(0, std::memory_order_relaxed);
  layout.boot_id.store(boot_id, std::memory_order_release);
}

bool AttemptLog::open(bool said) {
  boot_id_ = system_.boot_id();
  bool read = false;
  bool folded = false;
  layout_.with([&](Layout& layout) {
    read = layout.record.read(record_) && layout.attempt.read(attempt_);
    const Marks marks{layout.phase_mark.load(std::memory_order_relaxed),
                      layout.end_mark.load(std::memory_order_acquire), layout.ended_ns.load(std::memory_order_relaxed)};
    // Published at once: if this beat dies as well, its own death is all that is left to account for.
    folded = fold_unrecorded(record_, attempt_, marks, backoff_policy(record_), began_.ns, true);
    if (folded) layout.record.publish(record_);
    if (layout.boot_id.load(std::memory_order_relaxed) != boot_id_) start_over(layout, record_, boot_id_);
    layout.last_beat_ns.store(began_.ns, std::memory_order_relaxed);
  });
  // It couldn't say so itself any more.
  if (folded && !said && is_worth_logging(record_.consecutive_failures)) {
    log_error("the last beat was " + std::string(text(record_.message)));
  }
  return read;
}

bool AttemptLog::admitted() {
  if (began_.ns >= record_.next_attempt_ns) return true;
  const ProxySQLProcess process = watched(record_);
  const auto [found, threads] = process.pid == 0 ? std::pair(ProcessNow::unknown, 0U) : system_.look_at(process);
  const Admission admission = admit(record_, began_.ns, found, threads);
  if (admission == Admission::attempt_threads_dropped) log_info("ProxySQL's blocked threads are gone: trying at once");
  if (admission == Admission::attempt_proxysql_ended) log_info("ProxySQL has ended since: trying at once");
  if (admission != Admission::held_back) return true;
  layout_.with([&](Layout& layout) {
    layout.record.publish(record_);
    layout.skipped_backoff.fetch_add(1, std::memory_order_relaxed);
  });
  return false;
}

void AttemptLog::begin(BootTime deadline) {
  attempt_ = {std::max(record_.attempt, attempt_.id) + 1, began_.ns, deadline.ns};
  announce();
  enter(Phase::config);
  layout_.with([&](Layout& layout) { system_.mark_hard_timer(layout, attempt_.id); });
}

void AttemptLog::move_deadline(BootTime deadline) {
  attempt_.deadline_ns = deadline.ns;
  announce();
}

void AttemptLog::announce() {
  layout_.with([&](Layout& layout) {
    layout.holder.publish({system_.pid(), began_.ns, attempt_.deadline_ns});
    layout.attempt.publish(attempt_);
  });
}

void AttemptLog::enter(Phase phase) {
  phase_ = phase;
  layout_.with(
      [&](Layout& layout) { layout.phase_mark.store(make_mark(attempt_.id, phase), std::memory_order_relaxed); });
}

void AttemptLog::set_intervals(milliseconds interval, milliseconds backoff_max) {
  record_.interval_ms = static_cast<uint32_t>(interval.count());
  record_.backoff_max_ms = static_cast<uint32_t>(backoff_max.count());
}

int AttemptLog::finish(const BeatEnd& end) {
  const BeatRecord before = record_;
  const BootTime ended = system_.now();
  AttemptEnd folded;
  folded.attempt = attempt_.id;
  folded.outcome = end.outcome;
  folded.phase = phase_;
  folded.exit_code = end.exit_code;
  folded.began_ns = began_.ns;
  folded.ended_ns = ended.ns;
  folded.writes = end.writes;
  folded.message = end.message;
  fold(record_, folded, backoff_policy(record_));
  const bool has_segment = layout_.usable();
  layout_.with([&](Layout& layout) { layout.record.publish(record_); });
  if (const auto line = failure_line(end, before, record_, ended, has_segment)) log_error(*line);
  if (const auto line = recovery_line(end, before, ended)) log_info(*line);
  return end.exit_code;
}

bool AttemptLog::lacks_proxysql() {
  if (!layout_.usable() || record_.consecutive_timeouts == 0) return false;
  const ProxySQLProcess process = watched(record_);
  return process.pid == 0 || system_.look_at(process).first != ProcessNow::same;
}

void AttemptLog::watch_proxysql(const Config& config, Deadline deadline) {
  if (!layout_.usable()) return;
  ProxySQLProcess process = watched(record_);
  const auto [now, threads] = process.pid == 0 ? std::pair(ProcessNow::unknown, 0U) : system_.look_at(process);
  if (now == ProcessNow::same) {
    process.threads = threads;
  } else {
    process = system_.find_proxysql(config, deadline);
  }
  watch(record_, process);
  layout_.with([&](Layout& layout) { layout.record.publish(record_); });
}

}  // namespace pulse
