// The start of a job's command: a process of its own session, with nothing of its guard's or of ProxySQL's.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "src/base/result.h"
#include "src/base/unique_fd.h"
#include "src/config/jobs.h"

namespace pulse {

struct StartedJob {
  pid_t pid = -1;
  UniqueFd output;  // the reading end of its stdout and stderr, non-blocking
};

// Starts the command and returns once it runs, or can't. Its environment is `environment` alone; the program is looked
// for in that PATH if its name has no slash. It dies with this process (PR_SET_PDEATHSIG), can't gain privileges
// (PR_SET_NO_NEW_PRIVS), and is what the kernel ends first when memory runs out. error().code is the errno; ENOENT
// where there is no such program.
// `cgroup_entrance` is JobCgroup's, or -1; a command that can't enter runs outside.
Result<StartedJob> start_job(const Job& job, const std::vector<std::string>& environment, int cgroup_entrance = -1);

// PATH, HOME, LANG and what the job adds. A variable of the job's comes in place of one of the same name.
std::vector<std::string> job_environment(const Job& job);

}  // namespace pulse
