// Runs proxysql-pulse as a child of the daemon and watches it to its end.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <string>
#include <vector>

#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/config/settings.h"

namespace pulse {

// How it ended.
struct OneShotEnd {
  int exit_code = -1;  // -1: it didn't end by itself
  std::string error;   // then: it couldn't be started, was killed, or had to be
};

// `proxysql-pulse COMMAND` with the daemon's own file, segment and environment.
class OneShot {
 public:
  OneShot(const Config& config, const std::string& command);

  // Starts it and waits for its end; one that is still there after `longest` is killed, and given up 2 s later. Once
  // `stopping` is set, which is looked at ten times a second, it is left to itself. Signals that end the daemon don't
  // end it.
  OneShotEnd run(milliseconds longest, const std::atomic<bool>& stopping) const;

 private:
  Result<pid_t> spawn() const;

  const std::string program_;
  const std::vector<std::string> arguments_;
};

// Where proxysql-pulse is: daemon.program, else beside this program.
std::string find_pulse_program(const Config& config);

}  // namespace pulse
