// The accounts of a database server as ProxySQL's users.
#pragma once

#include "scheduler/cli/command.h"

namespace pulse {

extern const Command kSyncUsersCommand;

}  // namespace pulse
