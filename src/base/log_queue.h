// Lines that wait to be written, in bounded memory.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

#include "src/base/clock.h"

namespace pulse {

class LogQueue {
 public:
  explicit LogQueue(size_t most_bytes) : most_bytes_(most_bytes) {}

  // Takes a line, or drops it if there is no room. Never waits. Any thread.
  void push(std::string line) {
    const std::lock_guard<std::mutex> hold(mutex_);
    if (bytes_ + line.size() > most_bytes_) {
      ++dropped_;
      return;
    }
    bytes_ += line.size();
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }

  // Waits for a line. It counts as waiting until done().
  std::string next() {
    std::unique_lock<std::mutex> hold(mutex_);
    changed_.wait(hold, [this] { return !lines_.empty(); });
    return lines_.front();
  }

  // The line that next() gave is written. Returns how many were dropped since it last returned a number.
  uint64_t done() {
    const std::lock_guard<std::mutex> hold(mutex_);
    bytes_ -= lines_.front().size();
    lines_.pop_front();
    changed_.notify_all();
    const uint64_t untold = dropped_ - told_;
    told_ = dropped_;
    return untold;
  }

  // Waits until nothing waits any more; false if that isn't so by `deadline`.
  bool wait_empty(Deadline deadline) {
    std::unique_lock<std::mutex> hold(mutex_);
    return changed_.wait_for(hold, deadline.left(), [this] { return lines_.empty(); });
  }

  uint64_t dropped() const {
    const std::lock_guard<std::mutex> hold(mutex_);
    return dropped_;
  }

 private:
  const size_t most_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;
  size_t bytes_ = 0;
  uint64_t dropped_ = 0;
  uint64_t told_ = 0;
};

}  // namespace pulse
