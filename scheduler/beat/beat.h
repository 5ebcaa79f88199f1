// One beat: lock, back-off, connect, observe, plan, act, publish, exit.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "scheduler/beat/attempt_log.h"
#include "scheduler/beat/beat_lock.h"
#include "scheduler/beat/beat_system.h"
#include "scheduler/beat/drain_cleanup.h"
#include "scheduler/beat/reconciliation.h"
#include "scheduler/cli/command.h"
#include "scheduler/cli/command_line.h"
#include "scheduler/run/state_access.h"
#include "src/base/clock.h"

namespace pulse {

// Until the configuration is read.
inline constexpr milliseconds kProvisionalTimeout{2000};

// What one beat does, step by step.
class Beat {
 public:
  // All by reference. `no_segment` says why `layout` isn't usable, if it isn't; `known` is empty.
  Beat(const Options& options, BeatSystem& system, GuardedLayout& layout, std::string no_segment, Moment began,
       Known& known);

  // Returns the exit code (exit_code.h). Everything that blocks is cut by a deadline or by the hard timer.
  int run();

 private:
  std::optional<int> skip();
  int work();

  Result<void> configure();
  void await_members();
  Result<void> connect();
  Result<void> observe();
  Result<void> plan();
  Result<void> act();
  void look_at_memory(ProcessMemory& memory);
  void publish();
  int fail(const Error& error);

  const Options& options_;
  BeatSystem& system_;
  GuardedLayout& layout_;
  const std::string no_segment_;
  const Moment began_;
  BeatLock lock_;
  AttemptLog log_;
  DrainCleanup drain_;

  // What later steps need of earlier ones, in the order of the steps.
  const Config* config_ = nullptr;
  Deadline deadline_ = Deadline::at({});
  uint64_t resync_requested_ = 0;
  Known& known_;
  std::unique_ptr<AdminSession> session_;
  std::optional<Reconciliation> reconciliation_;
  Seen seen_;
  Plan plan_;
  Acted acted_;
  BeatEnd end_;
};

// Runs one beat and returns its exit code. The caller exits at once, without destructors.
int run_beat(const Options& options);

// Prints what a beat would do and why. Holds the lock meanwhile, so that it and a beat never meet; waits for it
// until its deadline. Writes nothing, not even to the segment's record.
int run_dry_beat(const Options& options);

extern const Command kBeatCommand;

}  // namespace pulse
