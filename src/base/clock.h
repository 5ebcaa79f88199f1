// Time as this project uses it: ages on CLOCK_BOOTTIME (comparable between processes, counts suspend), waits on
// CLOCK_MONOTONIC under one absolute deadline that is computed once and passed down.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <ctime>

namespace pulse {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

inline int64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// An instant of one clock. Two clocks are two types: their instants can't be compared or subtracted. The segment's
// bytes are plain nanoseconds of CLOCK_BOOTTIME: `ns` is what is stored.
template <clockid_t kClock>
struct Instant {
  int64_t ns = 0;

  static Instant now() { return {clock_ns(kClock)}; }

  friend auto operator<=>(const Instant&, const Instant&) = default;  // NOLINT(modernize-use-nullptr): the operator's 0
  friend Instant operator+(Instant instant, nanoseconds span) { return {instant.ns + span.count()}; }
  friend Instant operator-(Instant instant, nanoseconds span) { return {instant.ns - span.count()}; }
  friend nanoseconds operator-(Instant later, Instant earlier) { return nanoseconds(later.ns - earlier.ns); }
};

using BootTime = Instant<CLOCK_BOOTTIME>;        // stamps and ages; counts suspend
using MonotonicTime = Instant<CLOCK_MONOTONIC>;  // waits

// One moment by both clocks, such as when a process began: ages are reckoned by the one, deadlines by the other.
struct Moment {
  BootTime boot = BootTime::now();
  MonotonicTime monotonic = MonotonicTime::now();
};

// Nanoseconds since the machine booted. The time base of every stamp in the segment.
inline int64_t boottime_ns() { return clock_ns(CLOCK_BOOTTIME); }
inline int64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }

// An absolute instant on CLOCK_MONOTONIC. Copied, never extended.
class Deadline {
 public:
  static Deadline after(nanoseconds span) { return Deadline(monotonic_ns() + span.count()); }
  static Deadline at(MonotonicTime instant) { return Deadline(instant.ns); }
  static Deadline at_monotonic_ns(int64_t instant) { return Deadline(instant); }

  MonotonicTime instant() const { return {instant_ns_}; }
  int64_t monotonic_instant_ns() const { return instant_ns_; }
  nanoseconds left() const { return nanoseconds(instant_ns_ - monotonic_ns()); }
  bool passed() const { return left().count() <= 0; }

  // What is left, for poll(2): rounded up to whole milliseconds, so that a wait never ends just before the
  // deadline and spins; 0 when it has passed.
  int poll_timeout_ms() const {
    const int64_t rest = left().count();
    return rest <= 0 ? 0 : static_cast<int>((rest + 999'999) / 1'000'000);
  }

 private:
  explicit Deadline(int64_t instant) : instant_ns_(instant) {}
  int64_t instant_ns_;
};

}  // namespace pulse
