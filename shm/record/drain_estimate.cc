#include "shm/record/drain_estimate.h"

#include <algorithm>

#include "src/config/drain_steps.h"

namespace pulse {

DrainEstimate estimate_drain(const DrainLoad& load, const DrainTime& time, milliseconds stop_reserve) {
  constexpr int64_t kDefaultThreads = 4;  // ProxySQL's
  const int64_t threads = std::clamp<int64_t>(load.threads == 0 ? kDefaultThreads : load.threads, 1, 1024);
  const int64_t per_pass = kIdleSessionsPerPass * threads;
  const int64_t clients = std::max<int64_t>(0, load.clients);
  const int64_t idle = std::clamp<int64_t>(load.idle, 0, clients);
  const milliseconds begins = time.waits_to_settle ? time.settle : milliseconds(0);
  // The first pass comes up to one pass later.
  const milliseconds passes = idle == 0 ? milliseconds(0) : kIdlePass * ((idle + per_pass - 1) / per_pass + 1);

  DrainEstimate estimate;
  estimate.needed = std::max(time.settle + (clients == 0 ? milliseconds(0) : kDrainUsual), begins + passes);
  const milliseconds left = time.timeout - stop_reserve - begins - kIdlePass;
  const int64_t closed = left.count() <= 0 ? 0 : left / kIdlePass * per_pass;
  estimate.cut = std::max<int64_t>(0, idle - closed);
  return estimate;
}

std::optional<DrainEstimate> drain_estimate(const Config& config, const Observation& seen) {
  if (seen.globals_ns == 0) return std::nullopt;
  // A core's may have to wait: which way it takes is found out when it begins.
  return estimate_drain({seen.clients, seen.clients_idle, seen.threads},
                        {config.drain.settle, config.drain.timeout, config.is_core()}, kDrainStopReserve);
}

}  // namespace pulse
