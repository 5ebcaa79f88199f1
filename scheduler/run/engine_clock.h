// The clocks of an engine, handed in: a test has one of its own and needs no time.
#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>

#include "src/base/clock.h"

namespace pulse {

// An instant of CLOCK_MONOTONIC, which is what steady_clock reads on Linux. One of CLOCK_BOOTTIME is an int64_t.
using MonotonicInstant = std::chrono::time_point<std::chrono::steady_clock, nanoseconds>;

inline Deadline deadline_at(MonotonicInstant instant) {
  return Deadline::at_monotonic_ns(instant.time_since_epoch().count());
}

inline MonotonicInstant instant_of(Deadline deadline) {
  return MonotonicInstant(nanoseconds(deadline.monotonic_instant_ns()));
}

class EngineClock {
 public:
  virtual ~EngineClock() = default;
  virtual MonotonicInstant now() const = 0;
  virtual int64_t boot_ns() const = 0;
  // Returns at that instant, or a little later.
  virtual void sleep_until(MonotonicInstant instant) = 0;
};

class SystemClock final : public EngineClock {
 public:
  MonotonicInstant now() const override { return MonotonicInstant(nanoseconds(monotonic_ns())); }
  int64_t boot_ns() const override { return boottime_ns(); }
  void sleep_until(MonotonicInstant instant) override {
    const int64_t ns = instant.time_since_epoch().count();
    const timespec until{ns / 1'000'000'000, ns % 1'000'000'000};
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }
};

}  // namespace pulse
