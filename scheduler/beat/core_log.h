// What the log says of a core's file: once, when it is decided.
#pragma once

#include "shm/segment/layout.h"

namespace pulse {

// Logs whether this core's file counts, what of it waits and why, and what stays at version 1: where `now` says other
// than `before`.
void log_core(const CoreRecord& before, const CoreRecord& now);

// Logs why nothing is done for a satellite that has diverged: where `now` says other than `before`, once it has stood
// for long enough.
void log_mends(const MendRecord& before, const MendRecord& now);

}  // namespace pulse
