// "status": reads the segment and the kernel's tables, and never talks to ProxySQL.
#pragma once

#include "scheduler/cli/command.h"
#include "scheduler/cli/command_line.h"

namespace pulse {

int run_status(const Options& options);

extern const Command kStatusCommand;

}  // namespace pulse
