// The drain that the daemon starts: one at a time, watched to its end.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "daemon/one_shot/one_shot.h"

namespace pulse {

class DrainJob {
 public:
  // `on_end` is called on a thread of the job's own, once for each start().
  DrainJob(const Config& config, std::function<void(const OneShotEnd&)> on_end);

  // A drain that runs goes on without the daemon.
  ~DrainJob();
  DrainJob(const DrainJob&) = delete;
  DrainJob& operator=(const DrainJob&) = delete;

  // Starts `proxysql-pulse drain`. Not again before `on_end` was called, which it isn't after an error. Never waits for
  // a process.
  Result<void> start();

 private:
  const OneShot drain_;
  const milliseconds longest_;
  const std::function<void(const OneShotEnd&)> on_end_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
};

}  // namespace pulse
