// What the log says of a core's file: once, when it is decided.
#pragma once

#include "shm/segment/layout.h"

namespace pulse {

// Logs whether this core's file counts, what of it waits and why, and what stays at version 1: where `now` says other
// than `before`.
void log_core(const CoreRecord& before, const CoreRecord& now);

}  // namespace pulse
