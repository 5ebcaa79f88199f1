// "check-config": reads the configuration file and nothing else.
#pragma once

#include "scheduler/cli/command.h"
#include "scheduler/cli/command_line.h"

namespace pulse {

int run_check_config(const Options& options);

extern const Command kCheckConfigCommand;

}  // namespace pulse
