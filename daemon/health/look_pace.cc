#include "daemon/health/look_pace.h"

#include <signal.h>

namespace pulse {

namespace {

constexpr milliseconds kOften{500};
constexpr std::chrono::seconds kAskedLately{3};
constexpr milliseconds kSometimes{4000};         // a look of 5 s is too old to go by
constexpr std::chrono::seconds kAskedAtAll{90};  // probes and scrapes come every minute at least
constexpr milliseconds kRarely{10'000};

}  // namespace

milliseconds pause_between_looks(bool calm, int64_t asked_ns, int64_t now_ns) {
  const auto asked_within = [&](nanoseconds span) { return asked_ns != 0 && now_ns - asked_ns < span.count(); };
  if (!calm || asked_within(kAskedLately)) return kOften;
  return asked_within(kAskedAtAll) ? kSometimes : kRarely;
}

int LookPace::wake_signal() { return SIGRTMIN; }

void LookPace::asked() {
  const int64_t now_ns = boottime_ns();
  asked_ns_.store(now_ns, std::memory_order_relaxed);
  const bool is_old = now_ns - looked_ns_.load(std::memory_order_relaxed) > 2 * nanoseconds(kOften).count();
  if (is_old && !woken_.exchange(true)) ::pthread_kill(looker_, wake_signal());
}

timespec LookPace::looked(bool calm) {
  const int64_t now_ns = boottime_ns();
  looked_ns_.store(now_ns, std::memory_order_relaxed);
  woken_.store(false);
  const milliseconds pause = pause_between_looks(calm, asked_ns_.load(std::memory_order_relaxed), now_ns);
  return {pause.count() / 1000, pause.count() % 1000 * 1'000'000};
}

}  // namespace pulse
