// A statistics table of ProxySQL as a file.
#pragma once

#include <cstdint>
#include <string>

#include "scheduler/cli/command.h"
#include "scheduler/cli/command_line.h"
#include "shm/status/snapshot.h"
#include "src/base/result.h"

namespace pulse {

// The options with the table that their argument names. The error says what dump takes. Pure.
Result<Options> check_dump(Options options);

// What the segment says against a dump at `now_boot_ns`; "" if nothing does. Pure.
std::string why_no_dump(const StateView& view, int64_t now_boot_ns);

// Writes the table into a new file of a directory, or to standard output, and returns the exit code. Nothing of it
// concerns beats: it has a lock of its own, one dump of this ProxySQL at a time, and never waits for theirs.
int run_dump(const Options& options);

// The options with the table that their argument names. The error says what dump takes. Pure.
Result<Options> check_dump(Options options);

extern const Command kDumpCommand;

}  // namespace pulse
