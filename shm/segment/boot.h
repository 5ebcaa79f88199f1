// Boots: the machine's, and ProxySQL's.
#pragma once

#include <cstdint>

namespace pulse {

// A number for the machine's present boot, never 0. Stamps in the segment belong to the boot that made them.
uint64_t machine_boot_id();

// Whether two boottimes of ProxySQL's start, reckoned from uptimes in whole seconds, are of the same boot.
bool is_same_boot(int64_t started_ns, int64_t other_started_ns);

}  // namespace pulse
