// What the runs of a job come to, and what of their output is shown. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "shm/segment/layout.h"

namespace pulse {

const char* name(JobOutcome outcome);
// Of the last run that ended, whatever is in the segment.
JobOutcome outcome_of(const JobState& state);

// A job's name: [a-z0-9_-], 1 to 32 of them. It is part of a file's name.
bool is_job_name(std::string_view text);
inline constexpr const char* kJobNames = "1 to 32 of the characters a-z, 0-9, _ and -";

// A number for a job's name, the same in every process, never 0.
uint64_t job_key(std::string_view name);

inline uint64_t make_mark(uint64_t run, JobOutcome outcome) { return run << 8 | static_cast<uint8_t>(outcome); }

struct JobBegin {
  uint64_t boot_id = 0;
  int64_t guard_pid = 0;
  int64_t began_ns = 0;
  int64_t deadline_ns = 0;
  bool leader_only = false;
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

// The run ends. One that was stopped, or whose node lost leadership, neither is a failure nor ends a row of them.
void end_run(JobState& state, const JobEnd& end);

// Folds in a run that ended without a record of its own: its guard's timer left a mark, or the machine was booted
// since, or the guard is gone. `guard_gone`: the caller holds the job's lock, so nobody else does; a reader, who can't
// know, passes false and takes a guard for gone that is well past its deadline. Returns whether it folded one in.
// `boot_id` is the machine's present boot.
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

// The text with everything replaced by '?' that isn't a printable character of well-formed UTF-8; a tab and a carriage
// return become a space.
std::string printable(std::string_view text);

struct OutputLimits {
  uint64_t bytes = 4096;
  uint64_t lines = 20;
};

// Cuts output into lines and decides which of them are shown: the first ones, within the limits. Holds no more than the
// one line that isn't complete.
class OutputBound {
 public:
  static constexpr size_t kLongestLine = 1000;  // bytes; the rest of a longer one isn't shown

  // `show` gets each line that is to be shown, printable, and says whether it was. Later lines come nevertheless.
  OutputBound(OutputLimits limits, std::function<bool(const std::string&)> show)
      : limits_(limits), show_(std::move(show)) {}

  void feed(std::string_view piece);
  // The output has ended: what came after the last line feed is a line too.
  void finish();

  uint64_t bytes() const { return bytes_; }
  // Of these; blank lines count as shown.
  uint64_t not_shown() const { return bytes_ - shown_; }
  // The last line with anything but space in it, printable and cut short; complete or not.
  std::string last_line() const;

 private:
  void feed_line(std::string_view part);
  void end_line(uint64_t line_feed);

  const OutputLimits limits_;
  const std::function<bool(const std::string&)> show_;
  std::string line_;       // the beginning of the present line
  std::string last_line_;  // the last one that isn't blank
  uint64_t bytes_ = 0;
  uint64_t shown_ = 0;  // of these
  uint64_t shown_lines_ = 0;
  uint64_t shown_text_ = 0;
  bool full_ = false;  // no more is shown
};

}  // namespace pulse
