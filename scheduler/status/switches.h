// The commands for people: they read or mark the segment and never talk to ProxySQL.
#pragma once

#include "scheduler/cli/command_line.h"

namespace pulse {

int run_status(const Options& options);
int run_maintenance(const Options& options);
int run_resync(const Options& options);
int run_check_config(const Options& options);

}  // namespace pulse
