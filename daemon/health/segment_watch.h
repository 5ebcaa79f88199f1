// Notices at once that the state segment's file has appeared or was replaced.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "src/base/unique_fd.h"

namespace pulse {

class SegmentWatch {
 public:
  // Calls `appeared` on a thread of its own each time that a file gets the name `path`: never before this returns on
  // another thread's behalf, and not for a file that is there already. Where the kernel has no watch to give, or the
  // folder isn't there yet, nothing is ever called: who ticks sees the file, too.
  SegmentWatch(const std::string& path, std::function<void()> appeared);
  ~SegmentWatch();
  SegmentWatch(const SegmentWatch&) = delete;
  SegmentWatch& operator=(const SegmentWatch&) = delete;

 private:
  void run();

  const std::string name_;  // in its folder
  const std::function<void()> appeared_;
  UniqueFd events_;
  UniqueFd stop_;
  std::thread thread_;
};

}  // namespace pulse
