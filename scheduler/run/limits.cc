#include "scheduler/run/limits.h"

#include <sys/resource.h>

#include <algorithm>

namespace pulse {

Deadline io_deadline(MonotonicTime began, milliseconds timeout) {
  const nanoseconds span(timeout);
  return Deadline::at(began + span - std::min<nanoseconds>(milliseconds(30), span / 5));
}

Deadline sooner(nanoseconds span, Deadline deadline) {
  return Deadline::at(std::min(Deadline::after(span).instant(), deadline.instant()));
}

void limit_memory() {
#ifndef PULSE_SANITIZED  // they reserve terabytes
  const rlimit limit{64 << 20, 64 << 20};
  ::setrlimit(RLIMIT_DATA, &limit);
#endif
}

}  // namespace pulse
