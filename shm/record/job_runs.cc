#include "shm/record/job_runs.h"

#include <algorithm>

#include "src/base/hash.h"

namespace pulse {

namespace {

// A guard is gone at its deadline, or a little later on a busy machine; a stopped one is taken for gone, too.
constexpr int64_t kGoneAfterNs = 2'000'000'000;

}  // namespace

JobOutcome outcome_of(const JobState& state) {
  return state.outcome < kJobOutcomes ? static_cast<JobOutcome>(state.outcome) : JobOutcome::none;
}

uint64_t job_key(std::string_view name) { return fnv1a(name) | 1; }

void begin_run(JobState& state, const JobBegin& begin) {
  if (state.boot_id != begin.boot_id) state.ended_ns = state.last_ok_ns = 0;
  state.boot_id = begin.boot_id;
  ++state.run;
  state.guard_pid = begin.guard_pid;
  state.guard_pid_namespace = begin.guard_pid_namespace;
  state.began_ns = begin.began_ns;
  state.deadline_ns = begin.deadline_ns;
  state.leader_only = begin.leader_only ? 1 : 0;
}

void end_run(JobState& state, const JobEnd& end) {
  state.ended_run = state.run;
  state.ended_ns = end.ended_ns;
  state.duration_ns = std::max<int64_t>(0, end.ended_ns - state.began_ns);
  state.output_bytes = end.output_bytes;
  state.output_not_shown = end.output_not_shown;
  state.exit_code = static_cast<uint16_t>(end.exit_code);
  state.outcome = static_cast<uint8_t>(end.outcome);
  ++state.outcomes[state.outcome];
  set_text(state.last_line, end.last_line);
  set_text(state.message, end.message);
  if (end.outcome == JobOutcome::ok) {
    state.last_ok_ns = end.ended_ns;
    state.consecutive_failures = 0;
  } else if (end.outcome != JobOutcome::stopped && end.outcome != JobOutcome::leader_lost) {
    ++state.consecutive_failures;
  }
}

bool fold_unended(JobState& state, uint64_t end_mark, int64_t marked_ns, uint64_t boot_id, int64_t now_ns,
                  bool guard_gone) {
  if (state.run == state.ended_run) return false;
  JobEnd end;
  const auto mark = static_cast<uint8_t>(end_mark & 0xFF);
  const bool other_boot = state.boot_id != boot_id;
  if (end_mark >> 8 == state.run && mark == static_cast<uint8_t>(JobOutcome::timed_out)) {
    end.outcome = JobOutcome::timed_out;
    end.exit_code = 124;
    end.ended_ns = marked_ns;
    end.message = "timed out: its guard's last resort ended it";
  } else if (other_boot || guard_gone || now_ns > state.deadline_ns + kGoneAfterNs) {
    end.outcome = JobOutcome::died;
    end.exit_code = 137;
    end.ended_ns = other_boot ? 0 : std::min(now_ns, state.deadline_ns);
    end.message = other_boot ? "the machine was booted meanwhile" : "its guard was killed";
  } else {
    return false;
  }
  end_run(state, end);
  return true;
}

}  // namespace pulse
