// The steps of a drain as the file gives them, and what its timeout has to have room for. Pure.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "src/base/clock.h"
#include "src/base/result.h"

namespace pulse {

struct Config;

// While this step lasts, ProxySQL closes client connections that have been idle for `wait_timeout`.
struct DrainStep {
  milliseconds wait_timeout;
  milliseconds lasts;  // 0: until the end, for the last step alone
};

// "2000:4000" and, the last one, "0": WAIT_TIMEOUT:SPAN and WAIT_TIMEOUT, in milliseconds. The error says what is
// wrong.
Result<std::vector<DrainStep>> parse_drain_steps(const std::vector<std::string>& texts);

// Without any client for that long, everybody has left.
inline constexpr milliseconds kDrainQuiet{1000};
// Before the deadline: for SHUTDOWN or SIGTERM, ProxySQL's end, and the answer.
inline constexpr milliseconds kDrainStopReserve{1500};
// What a process needs beyond the drain's own deadline, at most.
inline constexpr milliseconds kAroundDrain{2000};

// What terminationGracePeriodSeconds has to be at least: the drain's timeout, and 2 s for what is around it.
std::chrono::seconds least_grace(const Config& config);

// Why the configured grace is too short; "" if it isn't, or none is configured.
std::string grace_problem(const Config& config);

}  // namespace pulse
