// A control group of a job's own, where one is to be had: the kernel then ends all of its processes in one go, whatever
// they fork meanwhile.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "src/base/clock.h"
#include "src/base/unique_fd.h"

namespace pulse {

// A child of this process's cgroup (version 2, with cgroup.kill: Linux 5.14). It is to be had by root and where the
// cgroup is delegated to this user; not in most containers, whose /sys/fs/cgroup can't be written.
class JobCgroup {
 public:
  // Makes it, or nothing if it can't be had. `lock_path` names it: whoever holds that job's lock is alone in it. One
  // that the last run has left is emptied first, its processes killed, by `deadline` at the latest.
  static std::optional<JobCgroup> make(const std::string& lock_path, Deadline deadline);

  JobCgroup(JobCgroup&& other) noexcept { swap(other); }
  JobCgroup& operator=(JobCgroup&& other) noexcept {
    swap(other);
    return *this;
  }
  // Removes it if it is empty.
  ~JobCgroup();

  // The file that a process which is to be in it writes "0" to.
  int entrance() const { return procs_.get(); }

  // SIGKILLs all that is in it. Returns how many processes that are, of the first thousands.
  size_t kill() const;
  // The same for the cgroup that this process has made last, async-signal-safe; nothing if there is none.
  static void kill_current();

 private:
  JobCgroup(std::string path, UniqueFd procs, UniqueFd kill)
      : path_(std::move(path)), procs_(std::move(procs)), kill_(std::move(kill)) {}

  void swap(JobCgroup& other) noexcept {
    path_.swap(other.path_);
    std::swap(procs_, other.procs_);
    std::swap(kill_, other.kill_);
  }

  std::string path_;  // "" when moved from
  UniqueFd procs_;
  UniqueFd kill_;
};

// This process's path in the cgroup of version 2, by the text of /proc/self/cgroup; "" if it has none.
std::string_view own_cgroup(std::string_view text);

}  // namespace pulse
