// Jobs and leadership as they lie in the state segment; part of shm/segment/layout.h, with the same rules.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "shm/segment/section.h"
#include "src/config/words.h"

namespace pulse {

// How one run of a job ended.
enum class JobOutcome : uint8_t {
  none,         // no run has ended yet
  ok,           // exit code 0
  failed,       // another exit code
  signalled,    // a signal that wasn't its guard's
  timed_out,    // it was ended at its limit
  leader_lost,  // it was ended because this node is no longer the leader
  stopped,      // it was ended because its guard was told to end
  not_started,  // the program couldn't be run
  died,         // its guard was killed, or the machine was booted meanwhile
};
inline constexpr size_t kJobOutcomes = 9;

// What all runs of one job came to. Each run is folded in exactly once: `ended_run` is the sum of `outcomes`.
struct JobState {
  std::array<char, 40> name;
  uint64_t boot_id;  // of the machine: stamps are of this boot, counters go on
  // The run that began last. While `run` isn't `ended_run` it goes on, or its guard died without a word.
  uint64_t run;  // from 1
  int64_t guard_pid;
  uint64_t guard_pid_namespace;  // in which the pid means that guard; 0: not known
  int64_t began_ns;
  int64_t deadline_ns;  // all of it is gone by then
  // The run that ended last.
  uint64_t ended_run;
  int64_t ended_ns;
  int64_t duration_ns;
  int64_t last_ok_ns;
  uint64_t output_bytes;
  uint64_t output_not_shown;  // of these bytes
  uint32_t consecutive_failures;
  uint16_t exit_code;  // of its guard
  uint8_t outcome;
  uint8_t leader_only;  // of the run that began last
  std::array<uint64_t, kJobOutcomes> outcomes;
  std::array<char, 256> last_line;  // of the output
  std::array<char, 256> message;    // what was wrong, "" if nothing was
};

// Sections of a slot are written by who holds the job's own lock (STATE.job.NAME.lock).
struct JobSlot {
  std::atomic<uint64_t> owner;  // job_key() of the name; 0: free
  std::atomic<uint64_t> skipped_busy;
  std::atomic<uint64_t> skipped_not_leader;
  std::atomic<int64_t> skipped_ns;  // the last of these
  // Of the running one, written by its guard's timer.
  std::atomic<int64_t> ended_ns;   // before end_mark
  std::atomic<uint64_t> end_mark;  // run << 8 | JobOutcome: ended without a record of its own
  Section<JobState> state;
};

inline constexpr size_t kJobSlots = 16;

// Who leads the nodes of this role. Written by the daemon.
struct LeaderState {
  uint64_t boot_id;
  int64_t valid_until_ns;  // this node is the leader until then, renewed or not; 0: it isn't
  int64_t handover_ns;     // no other node becomes the leader before; 0: not known
  int64_t renewed_ns;      // when it was last known who leads
  int64_t failing_since_ns;
  uint64_t failures;     // ever
  uint64_t transitions;  // of the Lease: how often the leader has changed
  uint8_t mode;
  std::array<uint8_t, 7> unused;
  std::array<char, 256> holder;  // the leader's identity; "": nobody, or not known
  std::array<char, 256> error;   // why that isn't known, "" if all is well
};

}  // namespace pulse
