// The jobs of the file: the list pulse.jobs.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "src/config/cnf.h"

namespace pulse {

// A job's name: [a-z0-9_-], 1 to 32 of them. It is part of a file's name.
bool is_job_name(std::string_view text);
inline constexpr const char* kJobNames = "1 to 32 of the characters a-z, 0-9, _ and -";

struct OutputLimits {
  uint64_t bytes = 4096;
  uint64_t lines = 20;
};

// One job, and what holds for a command of `proxysql-pulse guard` too. 0 as a limit: none is set.
struct Job {
  std::string name;
  std::vector<std::string> command;          // the program and its arguments
  std::chrono::milliseconds timeout{60000};  // from the guard's start until all of it is gone
  std::chrono::milliseconds grace{0};        // of the timeout's end, after SIGTERM; see default_grace()
  bool leader_only = false;
  std::vector<std::string> environment;  // NAME=VALUE
  std::string directory = "/";
  OutputLimits output;
  // Of each process, as setrlimit(2) has them, but for processes, which are counted for the whole user.
  int64_t memory_mb = 4096;   // RLIMIT_AS
  int64_t cpu_s = 0;          // RLIMIT_CPU
  int64_t open_files = 1024;  // RLIMIT_NOFILE
  int64_t file_mb = 4096;     // RLIMIT_FSIZE
  int64_t processes = 0;      // RLIMIT_NPROC
  int64_t nice = 10;

  int line = 0;  // of the file
};

inline constexpr std::chrono::milliseconds kShortestJob{200};
inline constexpr std::chrono::milliseconds kLongestJob{86'400'000};

// A quarter of the timeout, 2 s at most.
std::chrono::milliseconds default_grace(std::chrono::milliseconds timeout);

// Reads the setting pulse.jobs. error().text names file, line, key and what is allowed.
Result<std::vector<Job>> read_jobs(const CnfSetting& setting);

// The job in one line of the file's syntax, for check-config; values of the environment are hidden.
std::string describe(const Job& job);

}  // namespace pulse
