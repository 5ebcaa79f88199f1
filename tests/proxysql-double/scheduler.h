// ProxySQL's scheduler: starts programs on time and forgets them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tests/proxysql-double/answer.h"

namespace proxysql_double {

// Thread-safe.
class Scheduler {
 public:
  // Rows of runtime_scheduler. All timers begin anew: the first run comes one interval later.
  void load(const ResultSet& rows);

  // Starts every program that is due. Called about twice a second by the admin accept loop.
  void run_due();

  uint64_t runs() const { return runs_; }

 private:
  struct Job {
    std::string id;
    std::chrono::milliseconds interval{0};
    std::vector<std::string> command;  // filename and arguments up to the first NULL
    std::chrono::steady_clock::time_point next;
  };
  static void start(const Job& job);

  std::mutex mutex_;
  std::vector<Job> jobs_;
  std::atomic<uint64_t> runs_{0};
};

}  // namespace proxysql_double
