// The table of proxysql-pulse's commands. A new command is its own file and one line here.
#pragma once

#include "scheduler/cli/command.h"

namespace pulse {

// In the order of the help.
const Program& program();

}  // namespace pulse
