// What a run of a job leaves in the state segment and in the log.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "scheduler/job/job_output.h"
#include "scheduler/job/supervisor.h"
#include "scheduler/run/state_access.h"
#include "shm/record/job_runs.h"
#include "shm/record/leadership.h"
#include "shm/segment/layout.h"
#include "src/config/jobs.h"

namespace pulse {

// How a run ended.
struct JobEnding {
  JobOutcome outcome = JobOutcome::none;
  int exit_code = 0;    // of the guard
  std::string message;  // "" if all went well
};

// Pure.
JobEnding ending_of(const Supervision& run, milliseconds timeout);

// "1 process", "2 processes".
std::string processes_text(size_t count);

// Whether a log line would go through at once. Nobody may read the pipe that stderr is.
bool log_takes_more();

// Marks the run under way as timed out. Async-signal-safe, for the hard timer; nothing is marked outside of a run.
void mark_run_timed_out();

class JobReport {
 public:
  // `state` must outlive this. `label` stands before each log line.
  JobReport(StateAccess& state, std::string name, std::string label, int64_t began_boot_ns)
      : state_(state), name_(std::move(name)), label_(std::move(label)), began_boot_ns_(began_boot_ns) {}

  // What the run before this one left undone, as claim() finds it.
  enum class LastRun { ended, died, died_in_this_boot };

  // The record of the run that is under way, if there is one; for a guard that doesn't get the job's lock.
  std::optional<JobState> read_running();
  void count_skip_busy();

  // Finds the job's place in the segment and accounts for the run before this one. Once, with the job's lock held.
  LastRun claim();
  // What claim() has found out; the next guard finds it no more.
  void publish_last_run();
  // A job for the leader alone. Returns how often that has been so; 1 without a place in the segment.
  uint64_t count_skip_not_leader();
  Leadership read_leadership();

  void begin(milliseconds timeout, bool leader_only);
  // Publishes and logs it, and returns the exit code.
  int end(const JobEnding& ending, const OutputBound& output);

 private:
  template <class Access>
  bool with_layout(Access access);
  uint64_t count_skip(JobSlot* slot, std::atomic<uint64_t> JobSlot::*counter);
  void publish();

  StateAccess& state_;
  const std::string name_;
  const std::string label_;
  const int64_t began_boot_ns_;
  bool lost_ = false;  // the segment was cut short
  uint64_t boot_id_ = 0;
  JobSlot* slot_ = nullptr;
  JobState record_{};
};

}  // namespace pulse
