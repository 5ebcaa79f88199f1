// Wakes a thread that waits for news of others.
#pragma once

#include <condition_variable>
#include <mutex>

#include "src/base/clock.h"

namespace pulse {

// Shared, for a thread that is stuck in a resolver outlives all else.
class Wakeup {
 public:
  void wake();
  // Waits for wake(), which is remembered, for `span` at most. Whether it came.
  bool wait(nanoseconds span);

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool woken_ = false;
};

}  // namespace pulse
