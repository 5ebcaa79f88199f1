#include "scheduler/job/job_report.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "scheduler/job/job_slot.h"
#include "scheduler/run/process.h"
#include "shm/segment/boot.h"
#include "shm/segment/text.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"
#include "src/base/show.h"

namespace pulse {

namespace {

// For the timer's handler: the run to mark as timed out.
std::atomic<JobSlot*> g_slot{nullptr};
std::atomic<uint64_t> g_run{0};

std::string signal_text(int number) {
  const char* const description = ::strsignal(number);
  return "signal " + std::to_string(number) + (description == nullptr ? "" : std::string(" (") + description + ")");
}

std::string joined(const std::string& text, const std::string& more) {
  return text + (text.empty() || more.empty() ? "" : "; ") + more;
}

}  // namespace

std::string processes_text(size_t count) { return counted(count, "process", "processes"); }

bool log_takes_more() {
  pollfd log{STDERR_FILENO, POLLOUT, 0};
  return ::poll(&log, 1, 0) == 1 && (log.revents & POLLOUT) != 0;
}

void mark_run_timed_out() {
  JobSlot* const slot = g_slot.load(std::memory_order_acquire);
  if (slot == nullptr) return;
  slot->ended_ns.store(boottime_ns(), std::memory_order_relaxed);
  slot->end_mark.store(make_mark(g_run.load(std::memory_order_relaxed), JobOutcome::timed_out),
                       std::memory_order_release);
}

JobEnding ending_of(const Supervision& run, milliseconds timeout) {
  const std::string killed = run.killed == 0 ? "" : processes_text(run.killed) + " had to be killed";
  switch (run.stop) {
    case Stop::timeout:
      return {JobOutcome::timed_out, kExitTimeout,
              joined("timed out: its limit is " + std::to_string(timeout.count()) + " ms", killed)};
    case Stop::signal:
      return {JobOutcome::stopped, 128 + run.stop_signal,
              joined("stopped: its guard got " + signal_text(run.stop_signal), killed)};
    case Stop::leader_lost:
      return {JobOutcome::leader_lost, kExitSkipped,
              joined("stopped: this node is no longer the leader: " + run.why_not_leader, killed)};
    case Stop::none:
    case Stop::leftovers:
      break;
  }
  std::string left;
  if (run.stopped > 0) {
    left = processes_text(run.stopped) + " that it left behind " + (run.stopped == 1 ? "was" : "were") + " ended";
  }
  left = joined(left, killed);
  const int status = run.status.value_or(0);
  if (WIFSIGNALED(status)) {
    return {JobOutcome::signalled, 128 + WTERMSIG(status), joined(signal_text(WTERMSIG(status)), left)};
  }
  const int code = WEXITSTATUS(status);
  if (code == 0) return {JobOutcome::ok, 0, left};
  return {JobOutcome::failed, code, joined("exit code " + std::to_string(code), left)};
}

// Every access to the mapping goes through here: a file that is cut short meanwhile costs the report, not the job.
template <class Access>
bool JobReport::with_layout(Access access) {
  if (state_.layout() == nullptr || lost_) return false;
  if (guarded([&] { access(*state_.layout()); })) return true;
  lost_ = true;
  slot_ = nullptr;
  g_slot.store(nullptr);
  log_warning(label_ + "the state segment " + state_.path() + " was cut short: no report of this run");
  return false;
}

std::optional<JobState> JobReport::read_running() {
  JobSlot* const slot = state_.layout() == nullptr ? nullptr : find_job_slot(*state_.layout(), name_);
  if (slot == nullptr) return std::nullopt;
  JobState state{};
  bool read = false;
  with_layout([&](Layout&) { read = slot->state.read(state); });
  if (!read || state.run == state.ended_run) return std::nullopt;
  return state;
}

void JobReport::count_skip_busy() {
  if (state_.layout() == nullptr) return;
  count_skip(find_job_slot(*state_.layout(), name_), &JobSlot::skipped_busy);
}

uint64_t JobReport::count_skip_not_leader() { return count_skip(slot_, &JobSlot::skipped_not_leader); }

uint64_t JobReport::count_skip(JobSlot* slot, std::atomic<uint64_t> JobSlot::*counter) {
  uint64_t count = 0;
  if (slot == nullptr) return 1;
  with_layout([&](Layout&) {
    count = (slot->*counter).fetch_add(1, std::memory_order_relaxed) + 1;
    slot->skipped_ns.store(began_boot_ns_, std::memory_order_relaxed);
  });
  return count;
}

JobReport::LastRun JobReport::claim() {
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
    return LastRun::ended;
  }
  slot_ = slot;
  const bool was_this_boot = record_.boot_id == boot_id_;
  if (!fold_unended(record_, mark, marked_ns, boot_id_, began_boot_ns_, true)) return LastRun::ended;
  return was_this_boot ? LastRun::died_in_this_boot : LastRun::died;
}

void JobReport::publish_last_run() {
  publish();
  if (is_worth_logging(record_.consecutive_failures)) {
    log_error(label_ + "the last run: " + std::string(text(record_.message)));
  }
}

void JobReport::publish() {
  with_layout([&](Layout&) {
    if (slot_ != nullptr) slot_->state.publish(record_);
  });
}

Leadership JobReport::read_leadership() {
  LeaderState leader{};
  bool read = false;
  with_layout([&](Layout& layout) { read = layout.leader.read(leader); });
  if (read) return leadership(leader, boot_id_, boottime_ns());
  Leadership unknown;
  unknown.reason = "there is no usable state segment";
  return unknown;
}

void JobReport::begin(milliseconds timeout, bool leader_only) {
  const int64_t deadline_boot_ns = began_boot_ns_ + nanoseconds(timeout).count();
  begin_run(record_, {boot_id_, ::getpid(), began_boot_ns_, deadline_boot_ns, leader_only, pid_namespace()});
  publish();
  g_run.store(record_.run);
  g_slot.store(slot_);
}

int JobReport::end(const JobEnding& ending, const OutputBound& output) {
  const std::string before(text(record_.message));
  const uint32_t failures_before = record_.consecutive_failures;
  const std::string last_line = output.last_line();
  end_run(record_, {ending.outcome, ending.exit_code, boottime_ns(), output.bytes(), output.not_shown(), last_line,
                    ending.message});
  g_slot.store(nullptr);
  publish();

  if (!log_takes_more()) return ending.exit_code;
  if (output.not_shown() > 0) {
    log_info(label_ + "and " + std::to_string(output.not_shown()) + " more bytes not shown");
  }
  const uint32_t failures = record_.consecutive_failures;
  if (ending.outcome == JobOutcome::ok) {
    if (failures_before > 0) log_info(label_ + "ok again after " + std::to_string(failures_before) + " failed runs");
    if (!ending.message.empty() && ending.message != before) log_warning(label_ + ending.message);
  } else if (is_worth_logging(failures) || text(record_.message) != before) {
    log_error(label_ + ending.message + (failures > 1 ? "; " + std::to_string(failures) + " runs in a row" : ""));
  }
  return ending.exit_code;
}

}  // namespace pulse
