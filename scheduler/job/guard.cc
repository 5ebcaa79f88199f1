#include "scheduler/job/guard.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <optional>

#include "scheduler/cli/command.h"
#include "scheduler/job/job_output.h"
#include "scheduler/job/job_process.h"
#include "scheduler/job/job_slot.h"
#include "scheduler/job/process_tree.h"
#include "scheduler/run/hard_timer.h"
#include "scheduler/run/process.h"
#include "scheduler/run/state_access.h"
#include "shm/record/attempts.h"
#include "shm/record/job_runs.h"
#include "shm/record/leadership.h"
#include "shm/segment/boot.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"

namespace pulse {

namespace {

// Until the job's own timeout is known.
constexpr milliseconds kProvisionalTimeout{2000};
// How long a guard that is past its deadline is left alone by the next one.
constexpr int64_t kOverdueGraceNs = 2'000'000'000;
// What the command leaves behind gets a moment to end of itself, the end of a pipe, say.
constexpr int64_t kLingerNs = 200'000'000;
constexpr int64_t kLeaderCheckNs = 200'000'000;
// Of the timeout, for SIGKILL to take effect and for the report; and for the last resort, after it.
constexpr int64_t kReserveNs = 500'000'000;
constexpr int64_t kLastResortNs = 100'000'000;
// Of output within that time.
constexpr size_t kMostOutput = 1 << 20;
constexpr int64_t kOutputWindowNs = 10'000'000;
// Before another node may become the leader, all has ended here.
constexpr int64_t kHandoverMarginNs = 500'000'000;

// For the timer's handler: the run to mark as timed out.
std::atomic<JobSlot*> g_slot{nullptr};
std::atomic<uint64_t> g_run{0};

// Async-signal-safe. The processes first: a store to a file that was cut short would be the end of this one.
void end_of_guard() {
  kill_descendants(monotonic_ns() + kLastResortNs);
  JobSlot* const slot = g_slot.load(std::memory_order_acquire);
  if (slot == nullptr) return;
  slot->ended_ns.store(boottime_ns(), std::memory_order_relaxed);
  slot->end_mark.store(make_mark(g_run.load(std::memory_order_relaxed), JobOutcome::timed_out),
                       std::memory_order_release);
}

// Whether a log line would go through at once. Nobody may read the pipe that stderr is.
bool log_takes_more() {
  pollfd log{STDERR_FILENO, POLLOUT, 0};
  return ::poll(&log, 1, 0) == 1 && (log.revents & POLLOUT) != 0;
}

std::string signal_text(int number) {
  const char* const description = ::strsignal(number);
  return "signal " + std::to_string(number) + (description == nullptr ? "" : std::string(" (") + description + ")");
}

std::string counted(size_t count) { return std::to_string(count) + (count == 1 ? " process" : " processes"); }

// Why the command, or what it left behind, is being ended.
enum class Stop { none, timeout, signal, leader_lost, leftovers };

class Guard {
 public:
  explicit Guard(const Options& options) : options_(options), name_(options.arguments.front()), state_(options) {}

  int run() {
    arm_hard_timer(deadline_in(options_.timeout.value_or(kProvisionalTimeout)));
    state_.open_existing();
    if (state_.layout() == nullptr && !state_.config_error().empty()) return refuse(kExitConfig, state_.config_error());
    auto lock = take_lock();
    if (!lock) {
      return refuse(
          kExitConfig,
          lock.error().text + ": no job without a lock; set pulse.state to a path where this user may make files");
    }
    if (!lock->taken()) return kExitSkipped;
    if (state_.layout() == nullptr) {
      log_warning(label_ + state_.problem() + "; it is run without a report");
    } else {
      claim_slot();
    }
    if (auto found = find_job(); !found) {
      begin();
      return end(JobOutcome::not_started, kExitConfig, found.error().text);
    }
    arm_hard_timer(deadline_in(job_.timeout));
    if (job_.leader_only && !may_lead()) return kExitSkipped;
    begin();
    return work();
  }

 private:
  // Every access to the mapping goes through here: a file that is cut short meanwhile costs the report, not the job.
  template <class Access>
  bool with_layout(Access access) {
    if (state_.layout() == nullptr || lost_) return false;
    if (guarded([&] { access(*state_.layout()); })) return true;
    lost_ = true;
    slot_ = nullptr;
    g_slot.store(nullptr);
    log_warning(label_ + "the state segment " + state_.path() + " was cut short: no report of this run");
    return false;
  }

  Deadline deadline_in(milliseconds span) const {
    return Deadline::at_monotonic_ns(began_monotonic_ns_ + nanoseconds(span).count());
  }

  int refuse(int code, const std::string& text) const {
    log_error(label_ + text);
    return code;
  }

  Result<InstanceLock> take_lock() {
    auto lock = try_lock_job(state_, name_);
    if (!lock || lock->taken()) return lock;
    JobSlot* const slot = state_.layout() == nullptr ? nullptr : find_job_slot(*state_.layout(), name_);
    if (slot == nullptr) return lock;
    if (kill_overdue_guard(*slot)) lock = try_lock_job(state_, name_);
    if (lock && !lock->taken()) count_skip(slot, &JobSlot::skipped_busy);
    return lock;
  }

  uint64_t count_skip(JobSlot* slot, std::atomic<uint64_t> JobSlot::*counter) {
    uint64_t count = 0;
    if (slot == nullptr) return 1;
    with_layout([&](Layout&) {
      count = (slot->*counter).fetch_add(1, std::memory_order_relaxed) + 1;
      slot->skipped_ns.store(began_ns_, std::memory_order_relaxed);
    });
    return count;
  }

  // The lock's holder is past its own deadline, where its timer should have ended it: it was stopped. Its command dies
  // with it; what else it leaves behind is for sweep().
  bool kill_overdue_guard(JobSlot& slot) {
    JobState state{};
    bool read = false;
    with_layout([&](Layout&) { read = slot.state.read(state); });
    if (!read || state.run == state.ended_run || began_ns_ <= state.deadline_ns + kOverdueGraceNs) return false;
    const auto pid = static_cast<pid_t>(state.guard_pid);
    const KillResult result = kill_process(pid, state.began_ns, Deadline::after(milliseconds(50)));
    const std::string who =
        "a guard that was " + std::to_string((began_ns_ - state.deadline_ns) / 1'000'000) + " ms past its deadline";
    if (result == KillResult::killed) log_warning(label_ + "killed " + who);
    if (result == KillResult::failed) log_error(label_ + "can't kill " + who + ": stuck in the kernel, or not ours");
    return result == KillResult::killed || result == KillResult::gone;
  }

  Result<void> find_job() {
    if (options_.command == "guard") {
      job_.command = options_.program;
      job_.leader_only = options_.leader_only;
    } else {
      if (!state_.load()) return Error{state_.config_error()};
      const auto& jobs = state_.loaded().jobs;
      if (!jobs) return jobs.error();
      const auto found = std::find_if(jobs->begin(), jobs->end(), [&](const Job& job) { return job.name == name_; });
      if (found == jobs->end()) {
        std::string names;
        for (const Job& job : *jobs) names += (names.empty() ? "" : ", ") + job.name;
        return Error{options_.config + ": there is no such job in pulse.jobs" +
                     (names.empty() ? "" : "; there are: " + names)};
      }
      job_ = *found;
    }
    if (options_.timeout) job_.timeout = *options_.timeout;
    if (options_.timeout || options_.command == "guard") job_.grace = default_grace(job_.timeout);
    return {};
  }

  // Finds the slot, and accounts for the run before this one if that couldn't do it.
  void claim_slot() {
    if (state_.segment()->in_memory()) boot_id_ = state_.stored(&Layout::boot_id);
    if (boot_id_ == 0) boot_id_ = machine_boot_id();
    JobSlot* const slot = claim_job_slot(*state_.layout(), state_, name_);
    bool read = false;
    uint64_t mark = 0;
    int64_t marked_ns = 0;
    if (slot != nullptr) {
      with_layout([&](Layout&) {
        read = slot->state.read(record_);
        mark = slot->end_mark.load(std::memory_order_acquire);
        marked_ns = slot->ended_ns.load(std::memory_order_relaxed);
      });
    }
    if (!read) {
      log_warning(label_ + "all " + std::to_string(kJobSlots) + " places for jobs in " + state_.path() +
                  " are taken by others that run; it is run without a report");
      return;
    }
    slot_ = slot;
    const bool was_this_boot = record_.boot_id == boot_id_;
    if (!fold_unended(record_, mark, marked_ns, boot_id_, began_ns_, true)) return;
    if (was_this_boot) sweep();
    publish();  // should this guard die before, the next one sweeps
    if (is_worth_logging(record_.consecutive_failures)) {
      log_error(label_ + "the last run: " + std::string(text(record_.message)));
    }
  }

  // The guard before this one didn't end as it should. Whatever it started is of another run of this job.
  void sweep() {
    const size_t killed = kill_marked(mark(), Deadline::after(std::min(job_.timeout / 2, milliseconds(1000))));
    if (killed > 0) log_warning(label_ + "killed " + counted(killed) + " that the last run had left behind");
  }

  // What all processes of this job have in their environment, and no others: of one name and state path one runs.
  std::string mark() const { return "PULSE_JOB_LOCK=" + job_lock_path(state_, name_); }

  void publish() {
    with_layout([&](Layout&) {
      if (slot_ != nullptr) slot_->state.publish(record_);
    });
  }

  Leadership read_leadership() {
    LeaderState leader{};
    bool read = false;
    with_layout([&](Layout& layout) { read = layout.leader.read(leader); });
    if (read) return leadership(leader, boot_id_, boottime_ns());
    Leadership unknown;
    unknown.reason = "there is no usable state segment";
    return unknown;
  }

  // Whether a job for the leader alone may run here. Another leader is the usual case and no word.
  bool may_lead() {
    const Leadership now = read_leadership();
    if (now.is_self) return true;
    const uint64_t times = count_skip(slot_, &JobSlot::skipped_not_leader);
    if (!now.other_leads && is_worth_logging(times))
      log_warning(label_ + "not run, for the leader alone: " + now.reason);
    return false;
  }

  void begin() {
    const int64_t timeout_ns = nanoseconds(job_.timeout).count();
    deadline_ns_ = began_monotonic_ns_ + timeout_ns;
    kill_by_ns_ = deadline_ns_ - std::min(kReserveNs, timeout_ns / 10);
    terminate_ns_ = kill_by_ns_ - nanoseconds(job_.grace).count();
    begin_run(record_, {boot_id_, ::getpid(), began_ns_, began_ns_ + timeout_ns, job_.leader_only});
    publish();
    g_run.store(record_.run);
    g_slot.store(slot_);
    bound_.emplace(job_.output, [this](const std::string& line) {
      if (!log_takes_more()) return false;
      log_info(label_ + line);
      return true;
    });
  }

  int work() {
    if (auto adopted = adopt_orphans(); !adopted) return end(JobOutcome::not_started, 126, adopted.error().text);
    set_last_act(end_of_guard);
    if (!watch_signals()) return end(JobOutcome::not_started, 126, std::string("signalfd: ") + std::strerror(errno));
    std::vector<std::string> environment = job_environment(job_);
    environment.push_back("PULSE_JOB=" + name_);
    environment.push_back(mark());
    auto started = start_job(job_, environment);
    if (!started) return end(JobOutcome::not_started, started.error().code == ENOENT ? 127 : 126, started.error().text);
    command_ = started->pid;
    output_ = std::move(started->output);
    supervise();
    return report();
  }

  // They are taken from a descriptor, between two waits. Blocked and ignored ones may be inherited.
  bool watch_signals() {
    ::signal(SIGCHLD, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&set, number);
    if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return false;
    signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    return static_cast<bool>(signals_);
  }

  // Until no process of the command is left.
  void supervise() {
    while (!reap()) {
      const int64_t now = monotonic_ns();
      decide(now);
      if (killing_) killed_ = std::max(killed_, signal_descendants(SIGKILL).sent);
      wait(now);
      take_signals();
      if (drain_ns_ <= monotonic_ns()) drain();
    }
    // Nobody writes any more: this is what was left in the pipe.
    taken_ = 0;
    drain();
    bound_->finish();
  }

  // Takes in what has ended. True: nothing is left.
  bool reap() {
    for (;;) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG);
      if (pid == 0) return false;
      if (pid < 0) return errno == ECHILD;
      if (pid != command_) continue;
      status_ = status;
      command_ended_ns_ = monotonic_ns();
    }
  }

  void decide(int64_t now) {
    if (stop_ == Stop::none) {
      if (status_ && now >= std::min(command_ended_ns_ + kLingerNs, terminate_ns_)) {
        begin_stop(Stop::leftovers, now);
      } else if (now >= terminate_ns_) {
        begin_stop(Stop::timeout, now);
      } else if (stop_signal_ != 0) {
        begin_stop(Stop::signal, now);
      } else if (job_.leader_only && !status_ && now >= leader_check_ns_) {
        check_leader(now);
      }
    }
    killing_ = killing_ || (stop_ != Stop::none && now >= kill_ns_);
  }

  void check_leader(int64_t now) {
    leader_check_ns_ = now + kLeaderCheckNs;
    const Leadership leader = read_leadership();
    if (leader.is_self) return;
    why_not_leader_ = leader.reason;
    begin_stop(Stop::leader_lost, now);
    if (leader.handover_ns == 0) return;
    const int64_t left = leader.handover_ns - kHandoverMarginNs - boottime_ns();
    kill_ns_ = std::min(kill_ns_, now + std::max<int64_t>(0, left));
  }

  // SIGTERM to all, and SIGCONT, without which those that are stopped wouldn't get it.
  void begin_stop(Stop why, int64_t now) {
    stop_ = why;
    stopped_ = signal_descendants(SIGTERM).sent;
    signal_descendants(SIGCONT);
    kill_ns_ = std::min(now + nanoseconds(job_.grace).count(), kill_by_ns_);
  }

  // For output, for a signal, or until there is something to decide.
  void wait(int64_t now) {
    int64_t until = now + 1'000'000'000;
    if (killing_) {
      until = now + 5'000'000;
    } else if (stop_ != Stop::none) {
      until = kill_ns_;
    } else {
      until = std::min(until, terminate_ns_);
      if (job_.leader_only) until = std::min(until, leader_check_ns_);
      if (status_) until = std::min(until, command_ended_ns_ + kLingerNs);
    }
    const bool wants_output = output_ && drain_ns_ <= now;
    if (output_ && !wants_output) until = std::min(until, drain_ns_);
    pollfd events[] = {{signals_.get(), POLLIN, 0}, {output_.get(), POLLIN, 0}};
    ::poll(events, wants_output ? 2 : 1, Deadline::at_monotonic_ns(until).poll_timeout_ms());
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo != SIGCHLD) stop_signal_ = static_cast<int>(info.ssi_signo);
    }
  }

  // Takes what there is, up to a bounded rate: a command that writes without end mustn't keep us from the clock, nor
  // use up a processor that the beat may need.
  void drain() {
    static char buffer[65536];
    while (output_) {
      if (taken_ >= kMostOutput) {
        drain_ns_ = window_ns_ + kOutputWindowNs;
        taken_ = 0;
        if (drain_ns_ > monotonic_ns()) return;
      }
      if (taken_ == 0) window_ns_ = monotonic_ns();
      const ssize_t length = ::read(output_.get(), buffer, sizeof buffer);
      if (length > 0) {
        taken_ += static_cast<size_t>(length);
        bound_->feed({buffer, static_cast<size_t>(length)});
      } else if (length == 0 || (errno != EAGAIN && errno != EINTR)) {
        output_.reset();
      } else {
        return;
      }
    }
  }

  int report() {
    const std::string killed = killed_ == 0 ? "" : counted(killed_) + " had to be killed";
    const auto with = [](const std::string& text, const std::string& more) {
      return text + (text.empty() || more.empty() ? "" : "; ") + more;
    };
    switch (stop_) {
      case Stop::timeout:
        return end(JobOutcome::timed_out, kExitTimeout,
                   with("timed out: its limit is " + std::to_string(job_.timeout.count()) + " ms", killed));
      case Stop::signal:
        return end(JobOutcome::stopped, 128 + stop_signal_,
                   with("stopped: its guard got " + signal_text(stop_signal_), killed));
      case Stop::leader_lost:
        return end(JobOutcome::leader_lost, kExitSkipped,
                   with("stopped: this node is no longer the leader: " + why_not_leader_, killed));
      case Stop::none:
      case Stop::leftovers:
        break;
    }
    std::string left;
    if (stopped_ > 0) left = counted(stopped_) + " that it left behind " + (stopped_ == 1 ? "was" : "were") + " ended";
    left = with(left, killed);
    const int status = status_.value_or(0);
    if (WIFSIGNALED(status)) {
      return end(JobOutcome::signalled, 128 + WTERMSIG(status), with(signal_text(WTERMSIG(status)), left));
    }
    const int code = WEXITSTATUS(status);
    if (code == 0) return end(JobOutcome::ok, 0, left);
    return end(JobOutcome::failed, code, with("exit code " + std::to_string(code), left));
  }

  int end(JobOutcome outcome, int exit_code, const std::string& message) {
    const std::string before(text(record_.message));
    const uint32_t failures_before = record_.consecutive_failures;
    const std::string last_line = bound_->last_line();
    end_run(record_, {outcome, exit_code, boottime_ns(), bound_->bytes(), bound_->not_shown(), last_line, message});
    g_slot.store(nullptr);
    publish();

    if (!log_takes_more()) return exit_code;
    if (bound_->not_shown() > 0) {
      log_info(label_ + "and " + std::to_string(bound_->not_shown()) + " more bytes not shown");
    }
    const uint32_t failures = record_.consecutive_failures;
    if (outcome == JobOutcome::ok) {
      if (failures_before > 0) log_info(label_ + "ok again after " + std::to_string(failures_before) + " failed runs");
      if (!message.empty() && message != before) log_warning(label_ + message);
    } else if (is_worth_logging(failures) || text(record_.message) != before) {
      log_error(label_ + message + (failures > 1 ? "; " + std::to_string(failures) + " runs in a row" : ""));
    }
    return exit_code;
  }

  const Options& options_;
  const std::string name_;
  const std::string label_ = "job " + name_ + ": ";
  const int64_t began_monotonic_ns_ = monotonic_ns();
  const int64_t began_ns_ = boottime_ns();
  StateAccess state_;
  bool lost_ = false;
  uint64_t boot_id_ = 0;
  Job job_;
  JobSlot* slot_ = nullptr;
  JobState record_{};

  int64_t deadline_ns_ = 0;  // these are of CLOCK_MONOTONIC
  int64_t terminate_ns_ = 0;
  int64_t kill_by_ns_ = 0;
  int64_t kill_ns_ = 0;
  int64_t leader_check_ns_ = 0;
  int64_t command_ended_ns_ = 0;
  int64_t drain_ns_ = 0;   // no output is taken before
  int64_t window_ns_ = 0;  // since when taken_ counts
  size_t taken_ = 0;
  UniqueFd signals_;
  UniqueFd output_;
  pid_t command_ = -1;
  std::optional<int> status_;
  int stop_signal_ = 0;
  Stop stop_ = Stop::none;
  bool killing_ = false;
  size_t stopped_ = 0;
  size_t killed_ = 0;
  std::string why_not_leader_;
  std::optional<OutputBound> bound_;
};

}  // namespace

int run_guard(const Options& options) { return Guard(options).run(); }

namespace {

Result<Options> check_name(Options options) {
  if (options.arguments.size() == 1 && is_job_name(options.arguments.front())) return options;
  return Error{options.command + " takes one name: " + kJobNames};
}

Result<Options> check_job(Options options) {
  auto named = check_name(std::move(options));
  if (!named) return named;
  if (!named->program.empty()) return Error{"the command of a job is in the file; guard takes one"};
  if (named->leader_only) return Error{"--leader-only goes with guard; a job has leader_only in the file"};
  return named;
}

Result<Options> check_guard(Options options) {
  auto named = check_name(std::move(options));
  if (!named || (!named->program.empty() && !named->program.front().empty())) return named;
  return Error{"guard takes a command: guard NAME -- /path/of/program ARGUMENT..."};
}

constexpr std::array<Option, 1> kJobOptions = {
    timeout_option(kShortestJob.count(), kLongestJob.count(), "until all of it is gone, {} (the job's)\n")};

constexpr std::array<Option, 2> kGuardOptions = {{
    {"leader-only", nullptr,
     "only on the leader (pulse.leader), and no longer than\n"
     "this node is it\n",
     take_flag<&Options::leader_only>},
    timeout_option(kShortestJob.count(), kLongestJob.count(), "until all of it is gone, {} (60000)\n"),
}};

constexpr Exit kOwnCode = {"the program's own"};
constexpr Exit kOthersSegment = {"the state segment is another user's", kExitUnavailable};
constexpr Exit kNotNow = {"it runs already, or this node isn't the leader", kExitSkipped};
constexpr Exit kTimedOut = {"timed out", kExitTimeout};
constexpr Exit kNotRun = {"126, 127 it can't be run"};
constexpr Exit kSignalled = {"128+N it was ended by signal N"};

constexpr std::array<Exit, 7> kJobExits = {
    kOwnCode,  kOthersSegment, kNotNow,   Exit{"bad configuration, or no such job", kExitConfig},
    kTimedOut, kNotRun,        kSignalled};
constexpr std::array<Exit, 6> kGuardExits = {kOwnCode, kOthersSegment, kNotNow, kTimedOut, kNotRun, kSignalled};

// The names that check-config finds in the file that the line names.
constexpr const char* kCompleteJobs = R"sh(      [[ $previous == job || $previous == --config=* || $previous == '' ]] &&
        while read -r line; do
          [[ $line == 'pulse.jobs: { name="'* ]] && line=${line#*\"} && words+=" ${line%%\"*}"
        done < <("${COMP_WORDS[0]}" check-config --config "$config" 2> /dev/null) ;;
)sh";

}  // namespace

constinit const Command kJobCommand = {
    .name = "job",
    .summary = "runs a program of the list pulse.jobs, within its limits",
    .usage = "NAME [OPTION...]",
    .about = R"(Runs the program that the list pulse.jobs in the file has under that name: one
of a name at a time, and gone by its timeout with all that it has started. Its
output goes into the log, how it went into "status", /status and /metrics. In
the file:
  pulse = { role = "core"
    jobs = ( { name = "upload"  command = ["/usr/local/bin/upload", "-v"]
               timeout_ms = 60000  leader_only = true } ) }
)",
    .options = kJobOptions,
    .more = R"(The scheduler row of it has arg1 = "job"  arg2 = "upload".
)",
    .exits = kJobExits,
    .takes_name = true,
    .by_scheduler = true,
    .completion = kCompleteJobs,
    .check = check_job,
    .run = run_guard,
};

constinit const Command kGuardCommand = {
    .name = "guard",
    .summary = "the same for a program given here",
    .usage = "NAME [OPTION...] -- COMMAND [ARGUMENT...]",
    .about = R"(Runs a program: one of that name at a time, and gone by its timeout with all
that it has started. It gets an environment of its own (PATH, HOME, LANG).
Its output goes into the log, how it went into "status", /status and /metrics.
  proxysql-pulse guard checker --timeout-ms 30000 -- /usr/local/bin/checker -q
)",
    .options = kGuardOptions,
    .exits = kGuardExits,
    .takes_name = true,
    .takes_program = true,
    .by_scheduler = true,
    .check = check_guard,
    .run = run_guard,
};

}  // namespace pulse
