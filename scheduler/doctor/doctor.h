// The command `doctor`.
#pragma once

#include "scheduler/cli/command.h"

namespace pulse {

int run_doctor(const Options& options);

extern const Command kDoctorCommand;

}  // namespace pulse
