#include "scheduler/job/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <utility>

#include "src/base/unique_fd.h"

namespace pulse {

namespace {

struct Entry {
  pid_t pid;
  pid_t parent;
  uint64_t started;  // clock ticks after boot
  bool ended;        // a zombie
  bool ours;
};

// The signal handler's too, which can't allocate. Processes beyond that many are found when others are gone.
constexpr size_t kMostEntries = 16384;
Entry g_entries[kMostEntries];

// "/proc/PID/stat", without snprintf: it isn't async-signal-safe.
struct StatPath {
  explicit StatPath(pid_t pid) {
    char digits[16];
    size_t count = 0;
    for (auto rest = static_cast<unsigned>(pid); rest != 0 || count == 0; rest /= 10) {
      digits[count++] = static_cast<char>('0' + rest % 10);
    }
    char* at = text + 6;
    while (count > 0) *at++ = digits[--count];
    std::memcpy(at, "/stat", 6);
  }
  char text[32] = "/proc/";
};

// Reads /proc/PID/stat. False if there is no such process any more.
bool read_entry(pid_t pid, Entry& entry) {
  const int fd = ::open(StatPath(pid).text, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char buffer[512];
  const ssize_t length = ::read(fd, buffer, sizeof buffer);
  ::close(fd);
  if (length <= 0) return false;
  const char* const end = buffer + length;
  const char* at = end;
  while (at > buffer && at[-1] != ')') --at;  // the name may hold anything
  if (at == buffer || at + 2 >= end) return false;
  entry.pid = pid;
  entry.ended = at[1] == 'Z' || at[1] == 'X';
  entry.ours = false;
  // Fields are counted from 1; the state is the 3rd, the parent the 4th, the start the 22nd.
  uint64_t value = 0;
  int field = 3;
  for (at += 2; at < end && field <= 22; ++at) {
    if (*at != ' ') {
      value = value * 10 + static_cast<uint64_t>(*at - '0');
      continue;
    }
    if (field == 4) entry.parent = static_cast<pid_t>(value);
    if (field == 22) entry.started = value;
    value = 0;
    ++field;
  }
  return field > 22;
}

// Reads all processes, in the order of their pids, which is /proc's. Returns how many.
size_t read_entries() {
  const int proc = ::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0) return 0;
  size_t count = 0;
  alignas(dirent64) char buffer[8192];
  for (long length; (length = ::syscall(SYS_getdents64, proc, buffer, sizeof buffer)) > 0;) {
    for (long at = 0; at < length && count < kMostEntries;) {
      const auto* const entry = reinterpret_cast<const dirent64*>(buffer + at);
      at += entry->d_reclen;
      pid_t pid = 0;
      const char* digit = entry->d_name;
      for (; *digit >= '0' && *digit <= '9'; ++digit) pid = pid * 10 + (*digit - '0');
      if (*digit == '\0' && pid > 0 && read_entry(pid, g_entries[count])) ++count;
    }
  }
  ::close(proc);
  return count;
}

// Marks those whose line of parents leads to this process.
void mark_descendants(size_t count) {
  const pid_t self = ::getpid();
  Entry* const end = g_entries + count;
  for (bool changed = true; changed;) {
    changed = false;
    for (Entry* entry = g_entries; entry != end; ++entry) {
      if (entry->ours) continue;
      const Entry* const parent =
          std::lower_bound(static_cast<const Entry*>(g_entries), static_cast<const Entry*>(end), entry->parent,
                           [](const Entry& candidate, pid_t pid) { return candidate.pid < pid; });
      const bool has_parent = parent != end && parent->pid == entry->parent && parent->started <= entry->started;
      entry->ours = entry->parent == self || (has_parent && parent->ours);
      changed = changed || entry->ours;
    }
  }
}

// 0, or the errno. A pid that has become another process's meanwhile is left alone.
int send(const Entry& to, int signal) {
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, to.pid, 0));
  if (process < 0) {
    // A kernel before 5.3, a container that refuses the call, or no descriptor left. The pid of a child can't be
    // another process's: only this process could reap it.
    if (errno != ESRCH && to.parent == ::getpid()) return ::kill(to.pid, signal) == 0 ? 0 : errno;
    return errno;
  }
  // The descriptor came first: what is checked now is what gets the signal.
  Entry now{};
  int error = ESRCH;
  if (read_entry(to.pid, now) && now.started == to.started) {
    error = ::syscall(SYS_pidfd_send_signal, process, signal, nullptr, 0) == 0 ? 0 : errno;
  }
  ::close(process);
  return error;
}

// Whether it is a process of this pid namespace: one of a container below may carry the very same variable.
bool is_of_own_namespace(pid_t pid) {
  struct stat own {
  }, its{};
  return ::stat("/proc/self/ns/pid", &own) == 0 &&
         ::stat(("/proc/" + std::to_string(pid) + "/ns/pid").c_str(), &its) == 0 && own.st_ino == its.st_ino;
}

enum class Marked : uint8_t { no, yes, unclear };

// Whether the process was started with that variable. Unclear where it shows no variable at all: a kernel's thread, one
// that was started with none, or one in the middle of an execve(2), which has them again in a moment.
Marked is_marked(pid_t pid, const std::string& variable) {
  const UniqueFd fd(::open(("/proc/" + std::to_string(pid) + "/environ").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Marked::no;
  std::string text(1, '\0');
  char buffer[16384];
  for (ssize_t length; (length = ::read(fd.get(), buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(length));
  }
  if (text.size() == 1) return Marked::unclear;
  return text.find('\0' + variable + '\0') != std::string::npos ? Marked::yes : Marked::no;
}

}  // namespace

Result<void> adopt_orphans() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return system_error("become the subreaper of all descendants", errno);
  return {};
}

Signalled signal_descendants(int signal) {
  Signalled result;
  const size_t count = read_entries();
  mark_descendants(count);
  for (size_t i = 0; i < count; ++i) {
    if (!g_entries[i].ours || g_entries[i].ended) continue;
    const int error = send(g_entries[i], signal);
    if (error == 0) ++result.sent;
    if (error == EPERM) ++result.refused;
  }
  return result;
}

bool kill_descendants(int64_t until_monotonic_ns) {
  for (;;) {
    signal_descendants(SIGKILL);
    pid_t reaped = 0;
    while ((reaped = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    if (reaped < 0 && errno == ECHILD) return true;
    if (monotonic_ns() >= until_monotonic_ns) return false;
    ::poll(nullptr, 0, 1);
  }
}

size_t kill_marked(const std::string& variable, Deadline deadline) {
  constexpr int kMostLooksAtUnclear = 5;
  std::set<std::pair<pid_t, uint64_t>> killed;  // some are still there at the next look
  bool again = true;
  for (int in_vain = 0; again && !deadline.passed();) {
    bool found = false, unclear = false;
    const size_t count = read_entries();
    for (size_t i = 0; i < count; ++i) {
      const Entry& entry = g_entries[i];
      if (entry.ended || entry.pid == ::getpid()) continue;
      const Marked marked = is_marked(entry.pid, variable);
      unclear = unclear || marked == Marked::unclear;
      if (marked != Marked::yes || !is_of_own_namespace(entry.pid)) continue;
      found = true;
      if (send(entry, SIGKILL) == 0) killed.insert({entry.pid, entry.started});
    }
    in_vain = found ? 0 : in_vain + 1;
    again = found || (unclear && in_vain < kMostLooksAtUnclear);
    if (again) ::poll(nullptr, 0, 1);  // the kernel needs a moment to take them away, or to show their variables
  }
  return killed.size();
}

}  // namespace pulse
