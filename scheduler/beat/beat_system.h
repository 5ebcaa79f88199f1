// What a beat does outside of the state segment: locks, processes, the hard timer, the configuration, ProxySQL. Unit
// tests put their own in its place and run a whole beat without a process, a file or a wait.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "scheduler/admin/admin_session.h"
#include "scheduler/run/process.h"
#include "shm/record/backoff.h"
#include "shm/segment/layout.h"
#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/config/load.h"

namespace pulse {

class BeatSystem {
 public:
  virtual ~BeatSystem() = default;

  virtual BootTime now() = 0;
  virtual pid_t pid() = 0;
  virtual void pause(nanoseconds span) = 0;

  // Moves the hard timer, and tells it where to leave its mark.
  virtual void arm_hard_timer(MonotonicTime instant) = 0;
  virtual void mark_hard_timer(Layout& layout, uint64_t attempt) = 0;

  // The lock of beats, kept until the process ends. False: somebody else holds it.
  virtual Result<bool> try_lock() = 0;
  // The process that holds the lock, see InstanceLock.
  virtual std::optional<pid_t> process_of_holder() = 0;
  // Who holds the lock, if that is known and another user; see InstanceLock.
  virtual std::optional<uid_t> other_holder() = 0;
  // What is wrong with the lock file; "" if nothing is.
  virtual std::string lock_problem() = 0;
  // Whether another user's beats may have done to ProxySQL what the segment says nothing of.
  virtual bool is_second_user() = 0;
  // Kills the process of this pid that ran already at `ran_at`, see kill_process().
  virtual KillResult kill(pid_t pid, BootTime ran_at) = 0;
  // The lock of drains, kept until the process ends if it was free. False: a drain holds it, or it can't be had.
  virtual bool try_drain_lock() = 0;

  // Of the machine's present boot.
  virtual uint64_t boot_id() = 0;
  // This process's, 0 if it can't be read.
  virtual uint64_t pid_namespace() = 0;
  // What there is in place of `watched` now, and its threads. About 20 us: beats that are held back ask.
  virtual std::pair<ProcessNow, uint32_t> look_at(const ProxySQLProcess& watched) = 0;
  // The process that listens on the admin interface; pid 0 if it can't be told before the hard timer's instant comes
  // close.
  virtual ProxySQLProcess find_proxysql(const Config& config, Deadline deadline) = 0;

  // What the process takes that listens on the admin interface, without the time; nothing if it can't be told.
  virtual std::optional<ProcessMemory> read_memory(const Config& config, Deadline deadline) = 0;

  // The configuration; the error's text is config_error's. It lasts as long as this.
  virtual Result<const LoadedConfig*> load() = 0;
  virtual Result<std::unique_ptr<AdminSession>> connect(const Config& config, Deadline deadline) = 0;
  // Restores what the drain of `record` has changed in ProxySQL.
  virtual Result<void> undo_drain(const Config& config, const DrainRecord& record, Deadline deadline) = 0;
};

}  // namespace pulse
