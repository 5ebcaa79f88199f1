#include "scheduler/job/guard.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>

#include "scheduler/cli/command.h"
#include "scheduler/job/guarded_processes.h"
#include "scheduler/job/job_cgroup.h"
#include "scheduler/job/job_output.h"
#include "scheduler/job/job_process.h"
#include "scheduler/job/job_report.h"
#include "scheduler/job/job_slot.h"
#include "scheduler/job/process_tree.h"
#include "scheduler/job/supervisor.h"
#include "scheduler/run/engine_clock.h"
#include "scheduler/run/hard_timer.h"
#include "scheduler/run/process.h"
#include "scheduler/run/state_access.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"

namespace pulse {

namespace {

// Until the job's own timeout is known.
constexpr milliseconds kProvisionalTimeout{2000};
// How long a guard that is past its deadline is left alone by the next one.
constexpr int64_t kOverdueGraceNs = 2'000'000'000;
// For the last resort, after the timeout.
constexpr int64_t kLastResortNs = 100'000'000;

// Async-signal-safe. The processes first: a store to a file that was cut short would be the end of this one.
void end_of_guard() {
  JobCgroup::kill_current();
  kill_descendants(monotonic_ns() + kLastResortNs);
  mark_run_timed_out();
}

class Guard {
 public:
  explicit Guard(const Options& options)
      : options_(options),
        name_(options.arguments.front()),
        state_(options),
        report_(state_, name_, label_, began_boot_ns_) {}

  int run() {
    arm_hard_timer(deadline_in(options_.timeout.value_or(kProvisionalTimeout)));
    state_.open_existing();
    if (state_.layout() == nullptr && !state_.config_error().empty()) return refuse(state_.config_error());
    auto lock = take_lock();
    if (!lock) {
      return refuse(lock.error().text +
                    ": no job without a lock; set pulse.state to a path where this user may make files");
    }
    if (!lock->taken()) return kExitSkipped;
    if (state_.layout() == nullptr) {
      log_warning(label_ + state_.problem() + "; it is run without a report");
    } else {
      claim_slot();
    }
    if (auto found = find_job(); !found) {
      begin();
      return end({JobOutcome::not_started, kExitConfig, found.error().text});
    }
    arm_hard_timer(deadline_in(job_.timeout));
    if (job_.leader_only && !may_lead()) return kExitSkipped;
    begin();
    return work();
  }

 private:
  Deadline deadline_in(milliseconds span) const { return Deadline::at(began_monotonic_ + span); }

  int refuse(const std::string& text) const {
    log_error(label_ + text);
    return kExitConfig;
  }

  Result<InstanceLock> take_lock() {
    auto lock = try_lock_job(state_, name_);
    if (!lock || lock->taken()) return lock;
    const auto running = report_.read_running();
    if (running && kill_overdue_guard(*running)) lock = try_lock_job(state_, name_);
    if (lock && !lock->taken()) report_.count_skip_busy();
    return lock;
  }

  // The lock's holder is past its own deadline, where its timer should have ended it: it was stopped. Its command dies
  // with it; what else it leaves behind is for sweep().
  bool kill_overdue_guard(const JobState& running) const {
    if (began_boot_ns_ <= running.deadline_ns + kOverdueGraceNs) return false;
    if (running.guard_pid_namespace == 0 || running.guard_pid_namespace != pid_namespace()) {
      log_error(label_ + "its guard is past its deadline, and the guard's process " +
                std::to_string(running.guard_pid) +
                " is one of another pid namespace (another container): it isn't killed from here, end it there");
      return false;
    }
    const auto pid = static_cast<pid_t>(running.guard_pid);
    const KillResult result = kill_process(pid, running.began_ns, Deadline::after(milliseconds(50)));
    const std::string who = "a guard that was " + std::to_string((began_boot_ns_ - running.deadline_ns) / 1'000'000) +
                            " ms past its deadline";
    if (result == KillResult::killed) log_warning(label_ + "killed " + who);
    if (const std::string text = unfinished_kill_text(result, who); !text.empty()) log_error(label_ + text);
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

  void claim_slot() {
    const JobReport::LastRun last = report_.claim();
    if (last == JobReport::LastRun::ended) return;
    if (last == JobReport::LastRun::died_in_this_boot) sweep();
    report_.publish_last_run();  // should this guard die before, the next one sweeps
  }

  // The guard before this one didn't end as it should. Whatever it started is of another run of this job.
  void sweep() const {
    const size_t killed = kill_marked(mark(), Deadline::after(std::min(job_.timeout / 2, milliseconds(1000))));
    if (killed > 0) log_warning(label_ + "killed " + processes_text(killed) + " that the last run had left behind");
  }

  // What all processes of this job have in their environment, and no others: of one name and state path one runs.
  std::string mark() const { return "PULSE_JOB_LOCK=" + job_lock_path(state_, name_); }

  // Whether a job for the leader alone may run here. Another leader is the usual case and no word.
  bool may_lead() {
    const Leadership now = report_.read_leadership();
    if (now.is_self) return true;
    const uint64_t times = report_.count_skip_not_leader();
    if (!now.other_leads && is_worth_logging(times)) {
      log_warning(label_ + "not run, for the leader alone: " + now.reason);
    }
    return false;
  }

  void begin() {
    report_.begin(job_.timeout, job_.leader_only);
    output_.emplace(job_.output, [this](const std::string& line) {
      if (!log_takes_more()) return false;
      log_info(label_ + line);
      return true;
    });
  }

  int work() {
    GuardedProcesses processes;
    set_last_act(end_of_guard);
    if (auto prepared = processes.prepare(); !prepared) {
      return end({JobOutcome::not_started, 126, prepared.error().text});
    }
    std::vector<std::string> environment = job_environment(job_);
    environment.push_back("PULSE_JOB=" + name_);
    environment.push_back(mark());
    // A moment for what the last run may have left in it.
    processes.contain(job_lock_path(state_, name_), Deadline::after(std::min(job_.timeout / 10, milliseconds(500))));
    auto started = start_job(job_, environment, processes.cgroup_entrance());
    if (!started) {
      return end({JobOutcome::not_started, started.error().code == ENOENT ? 127 : 126, started.error().text});
    }
    processes.command_started(std::move(*started));
    Supervisor supervisor(
        RunTimes::of(job_, began_monotonic_), job_.leader_only, processes, [this] { return report_.read_leadership(); },
        [this](std::string_view piece) { output_->feed(piece); }, clock_);
    const Supervision supervision = supervisor.run();
    output_->finish();
    return end(ending_of(supervision, job_.timeout));
  }

  int end(const JobEnding& ending) { return report_.end(ending, *output_); }

  SystemClock clock_;
  const Options& options_;
  const std::string name_;
  const std::string label_ = "job " + name_ + ": ";
  const MonotonicTime began_monotonic_ = clock_.now();
  const int64_t began_boot_ns_ = clock_.boot_ns();
  StateAccess state_;
  JobReport report_;
  Job job_;
  std::optional<OutputBound> output_;
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
