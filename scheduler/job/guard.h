// `proxysql-pulse guard NAME -- COMMAND` and `job NAME`: any program, under this project's promises.
#pragma once

#include "scheduler/cli/command.h"
#include "scheduler/cli/command_line.h"

namespace pulse {

// Runs the command to its end and returns the exit code: the command's own; 124 timed out, 126 and 127 it couldn't be
// run, 128+N ended by signal N, as timeout(1) has them; 75 skipped (one of this name runs, or this node isn't the
// leader) or stopped for the loss of leadership; 78 no such job. When it returns, no process of the command is left.
int run_guard(const Options& options);

extern const Command kJobCommand;
extern const Command kGuardCommand;

}  // namespace pulse
