// All processes below this one, however they were started: found by /proc, told apart from others that get their pid by
// when they started, ended for good.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "src/base/clock.h"
#include "src/base/result.h"

namespace pulse {

// Makes this process the one that a descendant falls to when its parent ends (PR_SET_CHILD_SUBREAPER), whatever session
// or process group it has made itself. So a process with no child left, see waitpid(2), has no descendant left.
Result<void> adopt_orphans();

struct Signalled {
  size_t sent = 0;
  size_t refused = 0;  // another user's
};

// Sends `signal` to each descendant there is. Those that are forked meanwhile may be missed: for SIGKILL, call again
// until none is left. Async-signal-safe; one thread.
Signalled signal_descendants(int signal);

// SIGKILLs and reaps descendants until there is none, or until that instant of CLOCK_MONOTONIC. True: there is none.
// Async-signal-safe; one thread.
bool kill_descendants(int64_t until_monotonic_ns);

// SIGKILLs every process that has `variable` ("NAME=VALUE") in the environment that it was started with, but this one,
// until there is none or the deadline. Returns how many. For what a process of this kind that was killed has left
// behind; what has taken on another environment, or is another user's, isn't found.
size_t kill_marked(const std::string& variable, Deadline deadline);

}  // namespace pulse
