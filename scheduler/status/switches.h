// The commands that mark the segment: "maintenance" and "resync". They never talk to ProxySQL.
#pragma once

#include "scheduler/cli/command.h"
#include "scheduler/cli/command_line.h"

namespace pulse {

int run_maintenance(const Options& options);
int run_resync(const Options& options);

extern const Command kMaintenanceCommand;
extern const Command kResyncCommand;

}  // namespace pulse
