// How often the daemon looks at ProxySQL: twice a second while somebody asks or something is going on, less often
// between probes that come every few seconds, and rarely where there are none, for nobody would hear of it.
#pragma once

#include <pthread.h>
#include <time.h>

#include <atomic>
#include <cstdint>

#include "src/base/clock.h"

namespace pulse {

// How long to wait for the next look. `asked_ns`: the last request; `calm`: all is well and nothing is under way. Pure.
milliseconds pause_between_looks(bool calm, int64_t asked_ns, int64_t now_ns);

class LookPace {
 public:
  // `looker` is the thread that looks; it waits for wake_signal() in sigtimedwait(), and that signal is blocked.
  explicit LookPace(pthread_t looker) : looker_(looker) {}

  // Somebody asks. Where the last look is older than those of a busy time, one is made at once: this answer is of the
  // last look, the next one is fresh. Any thread; waits for nothing.
  void asked();

  // A look has just been made. Returns how long to wait for the next one. The looker.
  timespec looked(bool calm);

  static int wake_signal();

 private:
  const pthread_t looker_;
  std::atomic<int64_t> asked_ns_{0};
  std::atomic<int64_t> looked_ns_{0};
  std::atomic<bool> woken_{false};
};

}  // namespace pulse
