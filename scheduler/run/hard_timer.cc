#include "scheduler/run/hard_timer.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "shm/record/attempts.h"
#include "src/base/exit_code.h"

namespace pulse {

namespace {

// The signal handler's, and the only global state of the program.
std::atomic<Layout*> g_layout{nullptr};
std::atomic<uint64_t> g_attempt{0};
std::atomic<void (*)()> g_last_act{nullptr};
static_assert(std::atomic<Layout*>::is_always_lock_free, "used in a signal handler");

// Async-signal-safe: clock_gettime, lock-free stores, _exit.
void on_deadline(int) {
  if (void (*const act)() = g_last_act.load(std::memory_order_acquire)) act();
  Layout* layout = g_layout.load(std::memory_order_acquire);
  if (layout != nullptr) {
    layout->ended_ns.store(boottime_ns(), std::memory_order_relaxed);
    layout->end_mark.store(make_mark(g_attempt.load(std::memory_order_relaxed), Outcome::timed_out),
                           std::memory_order_release);
  }
  ::_exit(kExitTimeout);
}

}  // namespace

void arm_hard_timer(Deadline deadline) {
  static timer_t timer;
  static bool created = false;
  if (!created) {
    struct sigaction action {};
    action.sa_handler = on_deadline;
    ::sigaction(SIGALRM, &action, nullptr);
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGALRM;
    created = ::timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    ::sigprocmask(SIG_UNBLOCK, &alarm, nullptr);
  }
  const int64_t instant = deadline.monotonic_instant_ns();
  itimerspec spec{};
  spec.it_value.tv_sec = instant / 1'000'000'000;
  spec.it_value.tv_nsec = instant % 1'000'000'000;
  if (!created || ::timer_settime(timer, TIMER_ABSTIME, &spec, nullptr) != 0) {
    // Out of kernel timers: alarm(2) has one for every process, in whole seconds.
    ::alarm(static_cast<unsigned>(deadline.poll_timeout_ms() / 1000 + 1));
  }
}

void set_hard_timer_mark(Layout* layout, uint64_t attempt) {
  g_attempt.store(attempt, std::memory_order_relaxed);
  g_layout.store(layout, std::memory_order_release);
}

void set_last_act(void (*act)()) { g_last_act.store(act, std::memory_order_release); }

}  // namespace pulse
