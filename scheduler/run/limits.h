// The bounds of a run that talks to ProxySQL: its memory, and the end of its waits.
#pragma once

#include "src/base/clock.h"

namespace pulse {

// The instant at which waits end: a little before the hard timer of `timeout` after `began`, so that there is time to
// publish and to log.
Deadline io_deadline(MonotonicTime began, milliseconds timeout);

// `span` from now, or `deadline` if that is sooner: for a part of a run that isn't to have all of its time.
Deadline sooner(nanoseconds span, Deadline deadline);

// Caps this process's memory at 64 MiB: a peer that never stops sending fills no more than that.
void limit_memory();

}  // namespace pulse
