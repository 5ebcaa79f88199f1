// The processes of a guard's command, and the signals to the guard itself.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "scheduler/job/job_cgroup.h"
#include "scheduler/job/job_process.h"
#include "scheduler/job/supervisor.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace pulse {

class GuardedProcesses final : public JobProcesses {
 public:
  // Before the command is started: its descendants fall to this process, and signals to this one are taken from a
  // descriptor. error().code is the errno.
  Result<void> prepare();
  void command_started(StartedJob command);
  // Makes a cgroup for the command, if one is to be had: then nothing that it forks outlives a SIGKILL.
  void contain(const std::string& lock_path, Deadline deadline) { cgroup_ = JobCgroup::make(lock_path, deadline); }
  int cgroup_entrance() const { return cgroup_ ? cgroup_->entrance() : -1; }

  Reaped reap() override;
  size_t signal_all(int number) override;
  void wait(MonotonicTime until, bool for_output) override;
  int take_signal() override;
  bool has_output() const override { return static_cast<bool>(output_); }
  size_t read_output(char* buffer, size_t size) override;

 private:
  Result<void> watch_signals();

  UniqueFd signals_;
  UniqueFd output_;
  pid_t command_ = -1;
  bool more_to_reap_ = false;
  std::optional<JobCgroup> cgroup_;
};

}  // namespace pulse
