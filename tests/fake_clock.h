// Clocks that stand still until a test moves them: an engine's whole run takes no time.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "scheduler/run/engine_clock.h"

namespace pulse::test {

class FakeClock final : public EngineClock {
 public:
  // The two clocks show different times, so that one taken for the other is found out.
  static constexpr nanoseconds kBootAhead = std::chrono::hours(9);

  MonotonicTime now() const override { return now_; }
  int64_t boot_ns() const override { return (now_ + kBootAhead).ns; }
  void sleep_until(MonotonicTime instant) override { move_to(instant); }

  // What happens at `span` after the beginning.
  void at(nanoseconds span, std::function<void()> event) { events_.emplace(kBegan + span, std::move(event)); }

  // Moves on, and lets happen what happens meanwhile. Never back.
  void move_to(MonotonicTime instant) {
    while (!events_.empty() && events_.begin()->first <= std::max(instant, now_)) {
      const auto event = events_.extract(events_.begin());
      now_ = std::max(now_, event.key());
      event.mapped()();
    }
    now_ = std::max(now_, instant);
  }
  void pass(nanoseconds span) { move_to(now_ + span); }

  // When the next event is due, but not after `instant`.
  MonotonicTime next_event(MonotonicTime instant) const {
    return events_.empty() ? instant : std::min(instant, events_.begin()->first);
  }

  MonotonicTime began() const { return kBegan; }
  milliseconds elapsed() const { return std::chrono::duration_cast<milliseconds>(now_ - kBegan); }

 private:
  static constexpr MonotonicTime kBegan{nanoseconds(std::chrono::hours(1)).count()};

  MonotonicTime now_ = kBegan;
  std::multimap<MonotonicTime, std::function<void()>> events_;
};

}  // namespace pulse::test
