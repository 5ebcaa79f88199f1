// What a core's beat does about what it saw. Pure.
#pragma once

#include "scheduler/cluster/core_input.h"
#include "scheduler/cluster/file_load.h"

namespace pulse {

// Five parts, in this order: the membership (proxysql_servers holds exactly the discovered cores); the configuration
// file's modules, where their content has changed and this core's file counts (config_authority); else unlocking of
// modules that sit at version 1, which satellites ignore, with no newer peer; divergence (equal epochs, different
// checksums), which one core ends by loading again: the first of the greatest revision, or the newest, or the lowest
// address where nobody says who that is; satellites that have diverged (mend.h). Nothing is done on a list that isn't
// usable or lacks this core, except the load of a file whose authority needs no list ("always").
CorePlan plan_core(const CoreInput& input);

}  // namespace pulse
