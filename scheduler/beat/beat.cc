#include "scheduler/beat/beat.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "scheduler/admin/admin_errors.h"
#include "scheduler/beat/reconciliation.h"
#include "scheduler/drain/announcement.h"
#include "scheduler/drain/drain_admin.h"
#include "scheduler/run/hard_timer.h"
#include "scheduler/run/process.h"
#include "scheduler/run/state_access.h"
#include "shm/record/attempts.h"
#include "shm/record/drains.h"
#include "shm/segment/boot.h"
#include "shm/segment/lock.h"
#include "shm/segment/names.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"

namespace pulse {

namespace {

// Until the configuration is read.
constexpr milliseconds kProvisionalTimeout{2000};
constexpr int64_t kOverdueGraceNs = 50'000'000;

// What one beat does, step by step. Members are what later steps need of earlier ones.
class Beat {
 public:
  explicit Beat(const Options& options) : options_(options), state_(options) {}

  int run() {
    arm_hard_timer(Deadline::at_monotonic_ns(began_monotonic_ns_ +
                                             nanoseconds(options_.timeout.value_or(kProvisionalTimeout)).count()));
    limit_memory();
    state_.open();
    if (state_.layout() == nullptr && !state_.config_error().empty()) {
      log_error(state_.config_error());
      return kExitConfig;
    }
    lock_.emplace(take_lock());
    if (!*lock_) {
      log_error(lock_->error().text +
                ": no beat without a lock; set pulse.state to a path where this user may make files");
      return kExitConfig;
    }
    if (!(*lock_)->taken()) return kExitSkipped;
    if (state_.layout() == nullptr) {
      log_error(state_.problem() + "; this beat goes on without it: no back-off, no report");
    } else if (begin_record() && (stands_aside() || !admitted())) {
      return kExitSkipped;
    }
    begin_attempt();
    return work();
  }

 private:
  // Every access to the mapping goes through here: a file that is cut short meanwhile costs the report, not the beat.
  template <class Access>
  void with_layout(Access access) {
    if (state_.layout() == nullptr || lost_) return;
    if (!guarded([&] { access(*state_.layout()); })) {
      lost_ = true;
      set_hard_timer_mark(nullptr, 0);
      log_error("the state segment " + state_.path() + " was cut short; this beat goes on without it");
    }
  }

  Result<InstanceLock> take_lock() {
    auto lock = InstanceLock::try_take(state_.path(), state_.group());
    if (!lock || lock->taken()) return lock;
    if (kill_overdue_holder()) lock = InstanceLock::try_take(state_.path(), state_.group());
    if (lock && !lock->taken()) {
      with_layout([&](Layout& layout) {
        layout.skipped_busy.fetch_add(1, std::memory_order_relaxed);
        layout.last_beat_ns.store(began_ns_, std::memory_order_relaxed);
      });
    }
    return lock;
  }

  // The holder is past its own deadline, where its timer should have ended it: stopped, or stuck in the kernel. Kills
  // that very process. True if it is gone, and its lock with it.
  bool kill_overdue_holder() {
    Holder holder{};
    bool read = false;
    with_layout([&](Layout& layout) { read = layout.holder.read(holder); });
    if (!read || holder.pid == 0 || boottime_ns() <= holder.deadline_ns + kOverdueGraceNs) return false;
    const auto pid = static_cast<pid_t>(holder.pid);
    const KillResult result = kill_process(pid, holder.began_ns, Deadline::after(milliseconds(50)));
    if (result == KillResult::not_it) return false;
    Phase phase = Phase::none;
    with_layout([&](Layout& layout) {
      Attempt attempt{};
      if (result != KillResult::killed || !layout.attempt.read(attempt)) return;
      phase = phase_of({layout.phase_mark.load(std::memory_order_relaxed), 0, 0}, attempt.id);
      layout.ended_ns.store(boottime_ns(), std::memory_order_relaxed);
      layout.end_mark.store(make_mark(attempt.id, Outcome::overdue), std::memory_order_release);
    });
    const std::string who = "a beat that was " + std::to_string((boottime_ns() - holder.deadline_ns) / 1'000'000) +
                            " ms past its deadline in phase " + name(phase) + " (pid " + std::to_string(pid) + ")";
    if (result == KillResult::killed) log_warning("killed " + who);
    killed_overdue_ = result == KillResult::killed;
    if (result == KillResult::failed) log_error("can't kill " + who + ": stuck in the kernel, or not ours");
    return result == KillResult::killed || result == KillResult::gone;
  }

  // Reads the record, accounts for a beat that died, announces this process as the holder.
  bool begin_record() {
    // Read only where it matters: a file in memory is of the boot under which it was first stamped.
    if (state_.segment()->in_memory()) boot_id_ = state_.stored(&Layout::boot_id);
    if (boot_id_ == 0) boot_id_ = machine_boot_id();
    bool read = false;
    bool folded = false;
    with_layout([&](Layout& layout) {
      read = layout.record.read(record_) && layout.attempt.read(attempt_);
      const Marks marks{layout.phase_mark.load(std::memory_order_relaxed),
                        layout.end_mark.load(std::memory_order_acquire),
                        layout.ended_ns.load(std::memory_order_relaxed)};
      // Published at once: if this beat dies as well, its own death is all that is left to account for.
      folded = fold_unrecorded(record_, attempt_, marks, backoff(), began_ns_, true);
      if (folded) layout.record.publish(record_);
      if (layout.boot_id.load(std::memory_order_relaxed) != boot_id_) start_over(layout);
      layout.last_beat_ns.store(began_ns_, std::memory_order_relaxed);
      resync_requested_ = layout.resync_requested.load(std::memory_order_relaxed);
    });
    // It couldn't say so itself any more.
    if (folded && !killed_overdue_ && is_worth_logging(record_.consecutive_failures)) {
      log_error("the last beat was " + std::string(text(record_.message)));
    }
    return read;
  }

  // The machine was booted since.
  void start_over(Layout& layout) {
    record_ = counts_of(record_);
    layout.record.publish(record_);
    layout.observation.publish(Observation{});
    layout.hostgroups.publish(Hostgroups{});
    CoreRecord core{}, before{};
    if (layout.core.read(before)) core.newest_created_at = before.newest_created_at;
    layout.core.publish(core);
    layout.draining_since_ns.store(0, std::memory_order_relaxed);
    layout.boot_id.store(boot_id_, std::memory_order_release);
  }

  // While a drain runs, nothing else is done to ProxySQL. One that nobody works on any more is judged in work(), once
  // it is known which ProxySQL this is.
  bool stands_aside() {
    with_layout([&](Layout& layout) { draining_since_ns_ = layout.draining_since_ns.load(std::memory_order_acquire); });
    if (draining_since_ns_ == 0) return false;
    auto lock = try_drain_lock(state_);
    if (lock && lock->taken()) {
      drain_lock_ = std::move(*lock);
      return false;
    }
    with_layout([](Layout& layout) { layout.skipped_busy.fetch_add(1, std::memory_order_relaxed); });
    return true;
  }

  // Whether a drain has shut ProxySQL down: then it isn't an error that nobody answers.
  bool was_stopped() {
    DrainRecord drain{};
    bool read = false;
    with_layout([&](Layout& layout) { read = layout.drain.read(drain); });
    return read && draining_since_ns_ != 0 && drain.ended_ns >= draining_since_ns_ &&
           drain.outcome == static_cast<uint8_t>(DrainOutcome::stopped);
  }

  // Clears a drain away that was another ProxySQL's, or whose process was killed half-way.
  Result<void> end_drain(const Seen& seen, Deadline deadline) {
    DrainRecord drain{};
    bool read = false;
    with_layout([&](Layout& layout) { read = layout.drain.read(drain); });
    if (!read) return {};
    const DrainLeft left = judge_drain(drain, draining_since_ns_, began_ns_ - seen.uptime_s * 1'000'000'000);
    if (left == DrainLeft::stays) return {};
    if (left == DrainLeft::died) {
      if (auto undone = undo_drain(state_.loaded().config, drain, deadline); !undone) return undone;
      log_warning(std::string("a drain was killed in phase ") +
                  name(static_cast<DrainPhase>(drain.began_ns < draining_since_ns_ ? 0 : drain.phase)) +
                  ": undone, ProxySQL is back in service");
      drain.outcome = static_cast<uint8_t>(DrainOutcome::undone);
    } else {
      log_info("ProxySQL has been started since it was drained: back in service");
    }
    with_layout([&](Layout& layout) {
      if (left == DrainLeft::died) layout.drain.publish(drain);
      layout.draining_since_ns.store(0, std::memory_order_release);
    });
    return {};
  }

  bool admitted() {
    if (began_ns_ >= record_.next_attempt_ns) return true;
    const Admission admission = admit(record_, began_ns_, parent_threads());
    if (admission == Admission::attempt_threads_dropped) {
      log_info("ProxySQL's blocked threads are gone: trying at once");
      return true;
    }
    if (admission == Admission::attempt) return true;
    with_layout([&](Layout& layout) {
      layout.record.publish(record_);
      layout.skipped_backoff.fetch_add(1, std::memory_order_relaxed);
    });
    return false;
  }

  static ParentThreads parent_threads() {
    const pid_t parent = ::getppid();
    const auto stat = read_process_stat(parent);
    if (!stat) return {};
    return {parent, stat->start_ticks, stat->threads};
  }

  void begin_attempt() {
    attempt_ = {std::max(record_.attempt, attempt_.id) + 1, began_ns_,
                began_ns_ + nanoseconds(options_.timeout.value_or(kProvisionalTimeout)).count()};
    announce();
    enter(Phase::config);
    with_layout([&](Layout& layout) { set_hard_timer_mark(&layout, attempt_.id); });
  }

  void announce() {
    with_layout([&](Layout& layout) {
      layout.holder.publish({::getpid(), began_ns_, attempt_.deadline_ns});
      layout.attempt.publish(attempt_);
    });
  }

  void enter(Phase phase) {
    phase_ = phase;
    with_layout(
        [&](Layout& layout) { layout.phase_mark.store(make_mark(attempt_.id, phase), std::memory_order_relaxed); });
  }

  int work() {
    if (!state_.load()) return finish(Outcome::failed, kExitConfig, state_.config_error());
    const Config& config = state_.loaded().config;
    record_.interval_ms = static_cast<uint32_t>(config.interval.count());
    record_.backoff_max_ms = static_cast<uint32_t>(config.backoff_max.count());
    with_layout([&](Layout& layout) {
      const bool default_path = !options_.state && state_.path() == kDefaultStatePath;
      if (!default_path) return;
      layout.config_identity.store(state_.loaded().identity, std::memory_order_relaxed);
      layout.config_path.store(config_path_hash(options_.config), std::memory_order_relaxed);
    });
    const int64_t timeout_ns = nanoseconds(config.timeout).count();
    arm_hard_timer(Deadline::at_monotonic_ns(began_monotonic_ns_ + timeout_ns));
    attempt_.deadline_ns = began_ns_ + timeout_ns;
    announce();
    const Deadline deadline = io_deadline(began_monotonic_ns_, config.timeout);
    with_layout([&](Layout& layout) {
      if (!read_known(layout, boot_id_, began_ns_, config.discovery_max_age, known_)) known_ = Known{};
    });

    enter(Phase::connect);
    auto client = AdminClient::connect(admin_target(config), deadline);
    if (!client) {
      expected_ = is_unreachable(client.error()) && was_stopped();
      return fail(client.error());
    }
    Reconciliation reconciliation(*client, config, known_, deadline, began_ns_);

    enter(Phase::observe);
    const bool drained = draining_since_ns_ != 0;
    auto seen = reconciliation.observe(drained ? std::optional(Look::everything) : std::nullopt);
    if (!seen) return fail(seen.error());
    if (drained) {
      enter(Phase::act);
      if (auto ended = end_drain(*seen, deadline); !ended) return fail(ended.error());
    }

    const auto planned = reconciliation.plan(*seen, [this](Phase phase) { enter(phase); });
    if (!planned) return fail(planned.error());
    const Plan& plan = *planned;

    enter(Phase::act);
    // Before anything is done: should this beat die, the next one finds word of what it was about to replace.
    if (config.is_core() && !plan.steps.empty()) {
      with_layout([&](Layout& layout) { layout.core.publish(reconciliation.core()); });
    }
    auto acted = reconciliation.act(plan);
    if (!acted) return fail(acted.error());
    writes_ = acted->writes;
    if (!plan.steps.empty()) {  // what is reported is what is there now
      auto after = reconciliation.observe(Look::everything);
      if (!after) return fail(after.error());
      settle_core(reconciliation.core(), plan, acted->outcomes, *seen, *after, boottime_ns());
      seen = std::move(after);
    }
    client->say_goodbye(deadline);

    enter(Phase::publish);
    const Observation observation =
        to_observation(*seen, known_.last, boottime_ns(), config.peer_timeout, config.is_core());
    with_layout([&](Layout& layout) {
      layout.observation.publish(observation);
      if (seen->has_globals) layout.hostgroups.publish(to_hostgroups(*seen, observation.at_ns));
      if (config.is_core()) layout.core.publish(reconciliation.core());
      if (known_.resync && !plan.deferred && !acted->refused) {
        layout.resync_done.store(resync_requested_, std::memory_order_relaxed);
      }
    });
    log_transition(plan, observation);
    log_standing(reconciliation.core());
    if (acted->refused) {
      phase_ = Phase::act;
      return fail(*acted->refused);
    }
    return finish(Outcome::ok, kExitOk, "");
  }

  void log_transition(const Plan& plan, const Observation& now) const {
    if (known_.resync && plan.steps.empty()) log_warning("resync: nothing done: " + plan.situation);
    if (now.is_core != 0) return;
    const bool had_core = known_.last.at_ns == 0 || known_.last.live_peers > 0;
    if (had_core && now.live_peers == 0 && plan.steps.empty()) {
      log_warning("no core is alive" + (plan.situation.empty() ? "" : ": " + plan.situation));
    }
    if (known_.last.at_ns != 0 && known_.last.live_peers == 0 && now.live_peers > 0) {
      log_info(std::to_string(now.live_peers) + " cores are alive again");
    }
  }

  // Says it once, when it is decided.
  void log_standing(const CoreRecord& now) const {
    if (now.standing == known_.core.standing && now.proxysql_started_ns == known_.core.proxysql_started_ns) return;
    const std::string reason(text(now.reason));
    if (now.standing == static_cast<uint8_t>(Standing::authority)) {
      log_info("this core's configuration file is the authority: " + reason);
    } else if (now.standing == static_cast<uint8_t>(Standing::aside)) {
      log_info("this core's configuration file is not the authority: " + reason);
    }
  }

  int fail(const Error& error) {
    const int code = exit_code_of(error, phase_);
    return finish(code == kExitTimeout ? Outcome::timed_out : Outcome::failed, code,
                  code == kExitTimeout ? error.text + " in phase " + name(phase_) : error.text);
  }

  BackoffPolicy backoff() const {
    const int64_t interval_ms = record_.interval_ms == 0 ? 5000 : record_.interval_ms;
    const int64_t most_ms = record_.backoff_max_ms == 0 ? 30'000 : record_.backoff_max_ms;
    return {interval_ms * 1'000'000, most_ms * 1'000'000};
  }

  int finish(Outcome outcome, int exit_code, const std::string& message) {
    const uint32_t failures_before = record_.consecutive_failures;
    const int64_t failing_since = record_.failing_since_ns;
    const bool new_kind =
        record_.history_count != 0 && record_.history[(record_.history_count - 1) % kHistory].exit_code != exit_code;
    AttemptEnd end;
    end.attempt = attempt_.id;
    end.outcome = outcome;
    end.phase = phase_;
    end.exit_code = exit_code;
    end.began_ns = began_ns_;
    end.ended_ns = boottime_ns();
    end.writes = writes_;
    end.message = message;
    fold(record_, end, backoff());
    if (outcome == Outcome::timed_out) {
      const ParentThreads parent = parent_threads();
      record_.parent_pid = parent.pid;
      record_.parent_start_ticks = parent.start_ticks;
      record_.parent_threads_most = parent.threads;
    }
    with_layout([&](Layout& layout) { layout.record.publish(record_); });

    if (outcome != Outcome::ok && !expected_ && (new_kind || is_worth_logging(record_.consecutive_failures))) {
      std::string text = message;
      if (record_.consecutive_failures > 1) {
        text += "; " + std::to_string(record_.consecutive_failures) + " beats in a row";
      }
      if (record_.next_attempt_ns > end.ended_ns && state_.layout() != nullptr) {
        text += "; backing off, next attempt in " +
                std::to_string((record_.next_attempt_ns - end.ended_ns) / 1'000'000) + " ms";
      }
      log_error(text);
    }
    if (outcome == Outcome::ok && failures_before > 0) {
      log_info("reconciled again after " + std::to_string(failures_before) + " failed beats, " +
               std::to_string((end.ended_ns - failing_since) / 1'000'000) + " ms");
    }
    return exit_code;
  }

  const Options& options_;
  const int64_t began_monotonic_ns_ = monotonic_ns();
  const int64_t began_ns_ = boottime_ns();
  StateAccess state_;
  std::optional<Result<InstanceLock>> lock_;
  std::optional<InstanceLock> drain_lock_;
  int64_t draining_since_ns_ = 0;
  bool lost_ = false;
  bool killed_overdue_ = false;
  BeatRecord record_{};
  Attempt attempt_{};
  uint64_t boot_id_ = 0;
  Known known_;
  uint64_t resync_requested_ = 0;
  uint32_t writes_ = 0;
  bool expected_ = false;  // its failure is nothing to report
  Phase phase_ = Phase::lock;
};

}  // namespace

// Never destroyed: the process ends right after it, and the kernel takes the lock, the mapping and the memory back in
// one go.
int run_beat(const Options& options) { return std::make_unique<Beat>(options).release()->run(); }

}  // namespace pulse
