// The beats' part of the segment: attempts and what they came to.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pulse {

enum class Phase : uint8_t { none, lock, config, connect, observe, plan, act, publish };
enum class Outcome : uint8_t {
  none,       // no attempt has ended yet
  ok,         // reconciled
  failed,     // refused, a statement failed, bad configuration, or the process died
  timed_out,  // by its own deadline
  overdue,    // past its own deadline and still there: killed by a later beat
};

// The process that holds the lock: a beat, or a command that excludes beats. A holder that is stuck past its deadline
// can be told from any other process by this, and killed.
struct Holder {
  int64_t pid;       // in its own pid namespace
  int64_t began_ns;  // a process of this pid that started later is another one
  int64_t deadline_ns;
};

// One beat that got past the lock and the back-off. Attempts are numbered from 1: the number is the count of attempts.
struct Attempt {
  uint64_t id;
  int64_t began_ns;
  int64_t deadline_ns;
};

struct Ended {  // one line of the history
  int64_t at_ns;
  int64_t duration_ns;
  uint8_t outcome;
  uint8_t phase;
  uint16_t exit_code;
  uint32_t writes;
};

inline constexpr size_t kHistory = 32;

// The durations of attempts are counted in buckets. Each bucket goes up to its bound, the bound included. One more
// bucket has what is longer than all bounds.
inline constexpr std::array<int64_t, 12> kDurationBoundsNs = {
    2'500'000,   5'000'000,   10'000'000,    25'000'000,    50'000'000,    100'000'000,
    250'000'000, 500'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};

// What all attempts up to `attempt` came to. Each attempt is folded in exactly once, so the counters add up:
// attempt == ok + failed + timed_out == the sum of durations.
struct BeatRecord {
  uint64_t attempt;
  uint64_t ok;
  uint64_t failed;
  uint64_t timed_out;
  uint64_t killed_overdue;  // of timed_out
  int64_t last_ok_ns;
  int64_t failing_since_ns;  // begin of the first attempt of the present row of failures
  int64_t wedged_since_ns;   // begin of the first attempt of the present row of timeouts
  int64_t next_attempt_ns;   // back-off: no attempt before this instant
  uint32_t consecutive_failures;
  uint32_t consecutive_timeouts;
  uint32_t interval_ms;  // what back-off and silence are reckoned by; 0 until a configuration was read
  uint32_t backoff_max_ms;
  // Back-off watches the threads of ProxySQL itself, whoever starts the beats: each abandoned attempt leaves one until
  // the admin interface answers again. It was told by its listening socket; pid 0: not known.
  int64_t proxysql_pid;
  int64_t proxysql_start_ticks;
  uint64_t proxysql_pid_namespace;
  uint32_t proxysql_threads_most;
  uint32_t history_count;  // ever; the newest is history[(history_count - 1) % kHistory]
  int64_t duration_ns;     // of all attempts together
  std::array<uint64_t, kDurationBoundsNs.size() + 1> durations;  // each attempt is in one bucket
  std::array<Ended, kHistory> history;
  std::array<char, 512> message;  // of the last attempt, "" after a good one
};

}  // namespace pulse
