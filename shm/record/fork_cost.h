// What it costs ProxySQL's clients that its scheduler starts a program.
#pragma once

#include "shm/segment/layout_proxysql.h"

namespace pulse {

// For how long a fork() of this process keeps all its threads waiting for memory, in milliseconds: the kernel copies
// its page tables meanwhile. Reckoned from their size, without what is in reserve for huge pages. 0 if it isn't known.
// An estimate: see "What a scheduler run costs the traffic" in docs/costs.md. Pure.
double fork_cost_ms(const ProcessMemory& memory);

// A stall that clients feel, in milliseconds: status and an alert speak of it.
inline constexpr double kDearForkMs = 10;

}  // namespace pulse
