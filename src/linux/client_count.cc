#include "src/linux/client_count.h"

#include <algorithm>

namespace pulse {

void ClientCount::look(Deadline deadline) {
  if (!is_due()) return;
  const int64_t began_ns = monotonic_ns();
  const auto counted = counter_(deadline);
  const int64_t ended_ns = monotonic_ns();
  next_ns_ = std::max(began_ns + every_.count(), ended_ns + kShare * (ended_ns - began_ns));
  problem_ = counted ? "" : counted.error().text;
  if (!counted) return;
  clients_ = *counted;
  counted_ns_ = boottime_ns();
}

}  // namespace pulse
