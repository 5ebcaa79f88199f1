// Whose configuration file counts. Pure.
#pragma once

#include <chrono>
#include <string>

#include "scheduler/cluster/core_input.h"

namespace pulse {

// Who is the newest core is only decided by a list that was known to be right this long after ProxySQL's start: before,
// or while discovery fails, a newer core may have come, and this one's file must not win over that one's.
inline constexpr std::chrono::seconds kListAfterStart{1};

// Why the membership can't be acted on.
std::string why_no_membership(const CoreInput& input);

// Notes the cores that the list names, and decides this core's standing for this boot of ProxySQL.
void decide_standing(const CoreInput& input, CoreRecord& record);

}  // namespace pulse
