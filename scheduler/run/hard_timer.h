// The end of a one-shot, whatever it is doing: a timer whose signal handler writes down where it was and exits 124.
#pragma once

#include <cstdint>

#include "shm/segment/layout.h"
#include "src/base/clock.h"

namespace pulse {

// Arms the process's one hard timer; called again, it moves the instant. From here on nothing can outlive `deadline`
// but the kernel itself: the signal is unblocked and handled whatever the parent left behind. Never disarmed, for even
// a log line can block on a pipe that nobody reads.
void arm_hard_timer(Deadline deadline);

// Tells the handler where to leave its mark: "attempt N timed out", with the phase that stands in `layout`. The layout
// must stay mapped until the process ends. Null: no mark.
void set_hard_timer_mark(Layout* layout, uint64_t attempt);

// What the handler does first, before it leaves its mark: async-signal-safe, and short. Null: nothing.
void set_last_act(void (*act)());

}  // namespace pulse
