// Other processes, by /proc and pidfd: a process is its pid and when it started, never a pid alone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shm/segment/layout_proxysql.h"
#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace pulse {

struct ProcessStat {
  int64_t start_ticks = 0;  // field 22 of /proc/PID/stat: clock ticks after boot, rounded down

  int64_t started_ns() const;  // the same on CLOCK_BOOTTIME
  uint32_t threads = 0;
  pid_t parent = 0;
  char state = '?';
  std::string name;  // comm, 15 bytes at most
};

// Reads /proc/PID/stat, about 20 us. error().code is the errno (ENOENT: no such process).
Result<ProcessStat> read_process_stat(pid_t pid);

// Parses the text of /proc/PID/stat; the name may hold any character, also ')'.
Result<ProcessStat> parse_process_stat(const std::string& text);

// The memory of a process, without the times: VmRSS, VmPTE and, where its page tables are large, AnonHugePages. About
// 50 us, and milliseconds for gigabytes in small pages: the kernel walks through them for the last one. Nothing if the
// process may not be looked into.
std::optional<ProcessMemory> read_process_memory(pid_t pid);

// The same from the texts of /proc/PID/status and /proc/PID/smaps_rollup. Pure.
std::optional<ProcessMemory> parse_process_memory(std::string_view status, std::string_view rollup);

// A number for this process's pid namespace, never one of another that lives: a pid means something there alone. 0: it
// can't be read, so no pid from elsewhere can be trusted. One system call.
uint64_t pid_namespace();

// The process that has one of these sockets open, by their inode numbers. Nothing if there is none, if there are two,
// or if this process may not look into it: another user's, another container's. This process's ancestors are looked at
// first; then all of /proc/*/fd is read, which takes milliseconds on a small host. Looks no longer than until
// `deadline`.
std::optional<pid_t> process_with_socket(const std::vector<uint32_t>& inodes, Deadline deadline);

enum class KillResult { killed, gone, not_it, stays, refused };

// SIGKILLs the process of this pid that ran already at `ran_at_ns` (boottime) and has this process's own name, and
// nothing else, then waits until `deadline` for it to be gone. A process that got the pid after the other's death
// started later than that. `not_it`: the pid belongs to something else now; `stays`: it is killed and not gone yet (a
// busy host, or stuck in the kernel); `refused`: it may not be killed.
KillResult kill_process(pid_t pid, int64_t ran_at_ns, Deadline deadline);

// What is to be said of a kill of `who` that hasn't ended it, and what to do; "" of other results.
std::string unfinished_kill_text(KillResult result, const std::string& who);

// A process that is held by a descriptor: its pid can't become another process's while this lives.
class ProcessHandle {
 public:
  // The one process that has sockets of both lists open, by their inode numbers; nothing if there is none, or if this
  // process may not look into it: another user's, another container's. Reads /proc/*/fd.
  static std::optional<ProcessHandle> with_sockets(const std::vector<uint32_t>& one, const std::vector<uint32_t>& other,
                                                   Deadline deadline);

  pid_t pid() const { return pid_; }
  // Sends a signal; false if it isn't there any more or may not be signalled.
  bool signal(int number) const;
  // Waits for its end; whether it came by `deadline`.
  bool wait_gone(Deadline deadline) const;

 private:
  ProcessHandle(pid_t pid, UniqueFd fd) : pid_(pid), fd_(std::move(fd)) {}

  pid_t pid_;
  UniqueFd fd_;
};

}  // namespace pulse
