// Child processes of the benchmark: run one and measure it, or keep one and end it by its pid.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "src/base/result.h"

namespace pulse::bench {

using Argv = std::vector<std::string>;

struct Cost {
  double wall_us = 0;  // from before the spawn until its end was seen
  double cpu_us = 0;   // user and system, by the scheduler's own clock: to the nanosecond, not sampled by ticks
  int exit_code = -1;  // minus the signal that ended it
};

// Runs a program as ProxySQL's scheduler does, with an empty environment and nobody reading its output. Fails if it
// can't be started.
Result<Cost> run_measured(const Argv& argv);

// The highest resident memory of one run, in KiB: VmHWM at its exit. Not ru_maxrss, which counts what the child had of
// its parent before execve.
Result<int64_t> peak_memory_kb(const Argv& argv);

// Standard output of a short command, without the last line feed; "" if it fails. Has this process's environment.
std::string output_of(const Argv& argv);

// A background process, output to `log`. Killed and reaped when it goes; never outlives the benchmark.
class Child {
 public:
  Child() = default;
  Child(const Argv& argv, const std::string& log);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  pid_t pid() const { return pid_; }
  bool running();
  void end();

 private:
  pid_t pid_ = -1;
};

// A value of /proc/PID/status such as "VmRSS" (KiB) or "Threads"; -1 if there is none.
int64_t status_value(pid_t pid, const std::string& key);

// The CPU time that a process has used, in milliseconds, by the scheduler's own clock.
double cpu_ms(pid_t pid);

// All that PID has started, and what they have started.
std::vector<pid_t> descendants(pid_t pid);

std::string read_file(const std::string& path);

}  // namespace pulse::bench
