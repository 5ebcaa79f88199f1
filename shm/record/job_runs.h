// What the runs of a job come to, and what of their output is shown. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "shm/segment/layout.h"

namespace pulse {

// Of the last run that ended, whatever is in the segment.
JobOutcome outcome_of(const JobState& state);

// A number for a job's name, the same in every process, never 0.
uint64_t job_key(std::string_view name);

inline uint64_t make_mark(uint64_t run, JobOutcome outcome) { return run << 8 | static_cast<uint8_t>(outcome); }

struct JobBegin {
  uint64_t boot_id = 0;
  int64_t guard_pid = 0;
  int64_t began_ns = 0;
  int64_t deadline_ns = 0;
  bool leader_only = false;
  uint64_t guard_pid_namespace = 0;
};

struct JobEnd {
  JobOutcome outcome = JobOutcome::none;
  int exit_code = 0;
  int64_t ended_ns = 0;
  uint64_t output_bytes = 0;
  uint64_t output_not_shown = 0;
  std::string_view last_line = "";
  std::string_view message = "";
};

// The next run begins. What ran before must have been folded in.
void begin_run(JobState& state, const JobBegin& begin);

// The run ends. A run that was stopped, or whose node lost leadership, is no failure and ends no row of failures.
void end_run(JobState& state, const JobEnd& end);

// Folds in a run that ended without a record of its own: its guard's timer left a mark, or the machine was booted
// since, or the guard is gone. `guard_gone` means that the caller holds the job's lock, so nobody else does. A reader
// can't know that and passes false; a guard that is well past its deadline then counts as gone. Returns whether it
// folded one in. `boot_id` is the machine's present boot.
bool fold_unended(JobState& state, uint64_t end_mark, int64_t marked_ns, uint64_t boot_id, int64_t now_ns,
                  bool guard_gone);

// One job as a reader of the segment sees it. Stamps of another boot are 0.
struct JobView {
  JobState state{};
  bool running = false;
  uint64_t skipped_busy = 0;
  uint64_t skipped_not_leader = 0;
  int64_t skipped_ns = 0;
};

}  // namespace pulse
