// The clocks of an engine, handed in: a test has one of its own and needs no time.
#pragma once

#include <time.h>

#include <cstdint>

#include "src/base/clock.h"

namespace pulse {

class EngineClock {
 public:
  virtual ~EngineClock() = default;
  virtual MonotonicTime now() const = 0;
  virtual int64_t boot_ns() const = 0;
  // Returns at that instant, or a little later.
  virtual void sleep_until(MonotonicTime instant) = 0;
};

class SystemClock final : public EngineClock {
 public:
  MonotonicTime now() const override { return MonotonicTime::now(); }
  int64_t boot_ns() const override { return boottime_ns(); }
  void sleep_until(MonotonicTime instant) override {
    const timespec until{instant.ns / 1'000'000'000, instant.ns % 1'000'000'000};
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }
};

}  // namespace pulse
