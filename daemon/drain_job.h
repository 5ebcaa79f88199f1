// The one-shot that drains, as the daemon starts it: one at a time, watched to its end.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "src/clock.h"
#include "src/config.h"
#include "src/result.h"

namespace pulse {

class DrainJob {
 public:
  struct End {
    int exit_code = -1;  // -1: it didn't end by itself
    std::string error;   // then: it couldn't be started, was killed, or had to be
  };

  // `on_end` is called on a thread of the job's own, once for each start().
  DrainJob(const Config& config, std::function<void(const End&)> on_end);

  // A drain that runs goes on without the daemon.
  ~DrainJob();
  DrainJob(const DrainJob&) = delete;
  DrainJob& operator=(const DrainJob&) = delete;

  // Starts `proxysql-pulse drain`. Not again before `on_end` was called. Never waits for a process.
  void start();

 private:
  End run();
  Result<pid_t> spawn() const;

  const std::string program_;
  const std::vector<std::string> arguments_;
  const milliseconds longest_;
  const std::function<void(const End&)> on_end_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
};

// Where proxysql-pulse is: daemon.program, else beside this program.
std::string find_pulse_program(const Config& config);

}  // namespace pulse
