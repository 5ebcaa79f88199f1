// What a hanging admin interface makes of three ways to be started by ProxySQL's scheduler.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "src/base/result.h"
#include "tests/bench/server.h"

namespace pulse::bench {

struct Pile {
  std::string what;
  size_t most_processes = 0;  // alive at once: all that ProxySQL started, and what they started
  double most_memory_mb = 0;  // of those processes: their proportional set size
  int64_t threads_before = 0;
  int64_t most_threads = 0;  // of ProxySQL
  // Over time, in seconds since the hang began.
  std::vector<std::pair<double, double>> processes, threads;
};

// Three servers side by side whose schedulers start, every 500 ms: a script with the mysql client, the same under
// `flock -n` and `timeout 2`, and a beat. Their admin interfaces hang for `span`; they are watched 3 s beyond.
Result<std::vector<Pile>> pile_up(const Programs& programs, const std::string& dir, std::chrono::seconds span);

}  // namespace pulse::bench
