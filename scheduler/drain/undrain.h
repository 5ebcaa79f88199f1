// proxysql-pulse undrain.
#pragma once

#include "scheduler/cli/command.h"
#include "scheduler/cli/command_line.h"

namespace pulse {

// Puts a ProxySQL that was drained and runs on back into service. Returns the exit code.
int run_undrain(const Options& options);

extern const Command kUndrainCommand;

}  // namespace pulse
