// A program's log on a thread of its own, so that nobody else ever waits for whoever reads it.
#pragma once

#include <cstdint>

#include "src/base/clock.h"

namespace pulse {

// From here on log lines are queued, and a thread writes them to stderr. What finds the queue full is dropped and
// counted, and said once lines flow again. Signals that others are to take must be blocked before. Called once.
void log_on_a_thread();

// Waits until all that was logged before is written; false if it isn't by `deadline`.
bool flush_log(Deadline deadline);

// Log lines that were dropped, ever.
uint64_t log_lines_dropped();

}  // namespace pulse
