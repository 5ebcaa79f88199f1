// A statistics table of ProxySQL as a file.
#pragma once

#include "scheduler/cli/command.h"
#include "scheduler/cli/command_line.h"

namespace pulse {

// Writes the table into a new file of a directory, or to standard output, and returns the exit code. Nothing of it
// concerns beats: it has a lock of its own, one dump of this ProxySQL at a time, and never waits for theirs.
int run_dump(const Options& options);

// The options with the table that their argument names. The error says what dump takes. Pure.
Result<Options> check_dump(Options options);

extern const Command kDumpCommand;

}  // namespace pulse
