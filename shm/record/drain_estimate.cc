#include "shm/record/drain_estimate.h"

#include <algorithm>

#include "src/config/drain_steps.h"

namespace pulse {

namespace {

// What is left of one thread's sessions after a pass. It takes one after the other, and puts the last one into each
// gap, which it then passes over: of the last few, every second one stays.
int64_t after_pass(int64_t sessions) {
  return sessions > kIdleSessionsPerPass ? sessions - kIdleSessionsPerPass : sessions / 2;
}

}  // namespace

DrainEstimate estimate_drain(const DrainLoad& load, const DrainTime& time, milliseconds stop_reserve) {
  constexpr int64_t kDefaultThreads = 4;  // ProxySQL's
  const int64_t threads = std::clamp<int64_t>(load.threads == 0 ? kDefaultThreads : load.threads, 1, 1024);
  constexpr int64_t kMost = 10'000'000;
  const int64_t clients = std::clamp<int64_t>(load.clients, 0, kMost);
  const int64_t idle = std::clamp<int64_t>(load.idle, 0, clients);
  const milliseconds begins = time.waits_to_settle ? time.settle : milliseconds(0);
  const milliseconds left = time.timeout - stop_reserve - begins;

  DrainEstimate estimate;
  milliseconds passes{0};
  for (int64_t sessions = (idle + threads - 1) / threads; sessions > 0; sessions = after_pass(sessions)) {
    passes += kIdlePass;
    if (passes > left && estimate.cut == 0) estimate.cut = std::min(idle, sessions * threads);
  }
  const milliseconds quiet = passes.count() == 0 ? milliseconds(0) : kDrainQuiet;
  estimate.needed = std::max(time.settle + (clients == 0 ? milliseconds(0) : kDrainUsual), begins + passes + quiet);
  return estimate;
}

std::optional<DrainEstimate> drain_estimate(const Config& config, const Observation& seen) {
  if (seen.globals_ns == 0) return std::nullopt;
  // A core's may have to wait: which way it takes is found out when it begins.
  return estimate_drain({seen.clients, seen.clients_idle, seen.threads},
                        {config.drain.settle, config.drain.timeout, config.is_core()}, kDrainStopReserve);
}

}  // namespace pulse
