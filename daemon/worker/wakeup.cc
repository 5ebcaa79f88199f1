#include "daemon/worker/wakeup.h"

#include <utility>

namespace pulse {

void Wakeup::wake() {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    woken_ = true;
  }
  condition_.notify_one();
}

bool Wakeup::wait(nanoseconds span) {
  std::unique_lock<std::mutex> lock(mutex_);
  condition_.wait_until(lock, std::chrono::steady_clock::now() + span, [this] { return woken_; });
  return std::exchange(woken_, false);
}

}  // namespace pulse
