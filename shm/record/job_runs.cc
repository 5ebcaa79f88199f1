#include "shm/record/job_runs.h"

#include <algorithm>
#include <utility>

#include "src/base/hash.h"
#include "src/base/utf8.h"

namespace pulse {

namespace {

// A guard is gone at its deadline, or a little later on a busy machine; a stopped one is taken for gone, too.
constexpr int64_t kGoneAfterNs = 2'000'000'000;

}  // namespace

const char* name(JobOutcome outcome) {
  switch (outcome) {
    case JobOutcome::none:
      return "none";
    case JobOutcome::ok:
      return "ok";
    case JobOutcome::failed:
      return "failed";
    case JobOutcome::signalled:
      return "signal";
    case JobOutcome::timed_out:
      return "timed_out";
    case JobOutcome::leader_lost:
      return "leader_lost";
    case JobOutcome::stopped:
      return "stopped";
    case JobOutcome::not_started:
      return "not_started";
    case JobOutcome::died:
      return "died";
  }
  return "unknown";
}

JobOutcome outcome_of(const JobState& state) {
  return state.outcome < kJobOutcomes ? static_cast<JobOutcome>(state.outcome) : JobOutcome::none;
}

bool is_job_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

uint64_t job_key(std::string_view name) { return fnv1a(name) | 1; }

void begin_run(JobState& state, const JobBegin& begin) {
  if (state.boot_id != begin.boot_id) state.ended_ns = state.last_ok_ns = 0;
  state.boot_id = begin.boot_id;
  ++state.run;
  state.guard_pid = begin.guard_pid;
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

std::string printable(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    const bool control =
        first < 0x20 || first == 0x7F || (length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0);
    if (first == '\t' || first == '\r') {
      shown += ' ';
    } else if (length == 0 || control) {
      shown += '?';
    } else {
      shown += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return shown;
}

void OutputBound::feed(std::string_view piece) {
  bytes_ += piece.size();
  // A command that writes without end costs no more than the look for its last line.
  if (const size_t last = piece.rfind('\n'); full_ && last != std::string_view::npos && last > 2 * kLongestLine) {
    const size_t from = last - 2 * kLongestLine;
    const size_t line_feed = piece.find('\n', from);
    line_.clear();
    piece.remove_prefix(line_feed < last ? line_feed + 1 : from);
  }
  for (size_t end; (end = piece.find('\n')) != std::string_view::npos; piece.remove_prefix(end + 1)) {
    feed_line(piece.substr(0, end));
    end_line(1);
  }
  feed_line(piece);
}

void OutputBound::finish() {
  if (!line_.empty()) end_line(0);
}

void OutputBound::feed_line(std::string_view part) {
  line_.append(part.substr(0, kLongestLine - std::min(kLongestLine, line_.size())));
}

void OutputBound::end_line(uint64_t line_feed) {
  const std::string line = std::exchange(line_, {});
  if (line.find_first_not_of(" \t\r") == std::string::npos) {
    shown_ += line.size() + line_feed;
    return;
  }
  last_line_ = line;
  // The first line that would go beyond the limits is the end: what is shown is a beginning, without gaps.
  full_ = full_ || shown_lines_ >= limits_.lines || shown_text_ + line.size() > limits_.bytes;
  if (full_ || !show_(printable(line.substr(0, line.find_last_not_of('\r') + 1)))) return;
  ++shown_lines_;
  shown_text_ += line.size();
  shown_ += line.size() + line_feed;
}

std::string OutputBound::last_line() const {
  const bool begun = line_.find_first_not_of(" \t\r") != std::string::npos;
  return printable(std::string_view(begun ? line_ : last_line_).substr(0, 240));
}

}  // namespace pulse
