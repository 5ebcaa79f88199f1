// One beat: lock, back-off, connect, observe, plan, act, publish, exit.
#pragma once

#include "scheduler/cli/command_line.h"

namespace pulse {

// Runs one beat and returns its exit code (heartbeat.h). The caller exits at once, without destructors: whatever
// blocks then is cut by the hard timer.
int run_beat(const Options& options);

// Prints what a beat would do and why. Holds the lock meanwhile, so that it and a beat never meet; waits for it
// until its deadline. Writes nothing, not even to the segment's record.
int run_dry_beat(const Options& options);

}  // namespace pulse
