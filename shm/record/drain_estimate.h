// How long a drain will need, and whom it can't move in its time. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "shm/segment/layout_proxysql.h"
#include "src/base/clock.h"
#include "src/config/settings.h"

namespace pulse {

// With --idle-threads ProxySQL gives sessions that rest to threads of their own. Such a thread looks at so many of them
// in two seconds, whatever asks for it: measured, and so in its source (a wake-up or KILL CONNECTION doesn't hurry it).
inline constexpr int64_t kIdleSessionsPerPass = 128;
inline constexpr milliseconds kIdlePass{2000};
// All others leave within that, once the endpoints have settled, and a second more without any.
inline constexpr milliseconds kDrainUsual{5000};

struct DrainLoad {
  int64_t clients = 0;
  int64_t idle = 0;     // of these, those in idle threads; 0 without --idle-threads
  int64_t threads = 0;  // MySQL threads, and as many idle ones; 0: not known
};

struct DrainTime {
  milliseconds settle;
  milliseconds timeout;
  bool waits_to_settle = false;  // nobody is closed before settling is over
};

struct DrainEstimate {
  milliseconds needed{0};  // until ProxySQL can be stopped
  int64_t cut = 0;         // who is still there when the time is over
};

// `stop_reserve`: of the timeout, what comes after the last client.
DrainEstimate estimate_drain(const DrainLoad& load, const DrainTime& time, milliseconds stop_reserve);

// Of a drain that would begin now, by what the last beat has seen; nothing before the first.
std::optional<DrainEstimate> drain_estimate(const Config& config, const Observation& seen);

}  // namespace pulse
