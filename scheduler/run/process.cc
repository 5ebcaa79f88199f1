#include "scheduler/run/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "shm/record/fork_cost.h"
#include "src/base/file.h"
#include "src/base/number.h"

namespace pulse {

namespace {

bool wait_readable(const UniqueFd& pidfd, Deadline deadline) {
  pollfd wait{pidfd.get(), POLLIN, 0};
  while (::poll(&wait, 1, deadline.poll_timeout_ms()) < 0 && errno == EINTR) {
  }
  return (wait.revents & POLLIN) != 0;
}

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

// Which of the two lists the process has sockets of.
std::pair<bool, bool> sockets_of(const std::string& process, const std::vector<uint32_t>& one,
                                 const std::vector<uint32_t>& other, Deadline deadline) {
  std::pair<bool, bool> has{false, false};
  const std::string path = process + "/fd";
  const Directory directory(::opendir(path.c_str()), ::closedir);
  if (!directory) return has;
  const auto is_in = [](const std::vector<uint32_t>& list, uint32_t inode) {
    return std::find(list.begin(), list.end(), inode) != list.end();
  };
  while (const dirent* entry = ::readdir(directory.get())) {
    if ((has.first && has.second) || deadline.passed()) break;
    char target[64];
    const ssize_t length = ::readlinkat(::dirfd(directory.get()), entry->d_name, target, sizeof target);
    constexpr std::string_view kSocket = "socket:[";
    if (length <= 0 || std::string_view(target, static_cast<size_t>(length)).rfind(kSocket, 0) != 0) continue;
    std::string_view number(target + kSocket.size(), static_cast<size_t>(length) - kSocket.size());
    const uint32_t inode = take_number<uint32_t>(number).value_or(0);
    has.first = has.first || is_in(one, inode);
    has.second = has.second || is_in(other, inode);
  }
  return has;
}

}  // namespace

int64_t ProcessStat::started_ns() const { return start_ticks * (1'000'000'000 / ::sysconf(_SC_CLK_TCK)); }

Result<ProcessStat> parse_process_stat(const std::string& text) {
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  ProcessStat stat;
  int parent = 0;
  if (open == std::string::npos || close == std::string::npos || close < open ||
      std::sscanf(text.c_str() + close + 1,
                  " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %" SCNu32 " %*d %" SCNd64,
                  &stat.state, &parent, &stat.threads, &stat.start_ticks) != 4) {
    return Error{"unexpected text in /proc/PID/stat: " + text, EPROTO};
  }
  stat.parent = parent;
  stat.name = text.substr(open + 1, close - open - 1);
  return stat;
}

Result<ProcessStat> read_process_stat(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("open " + path, errno);
  char buffer[1024];
  const ssize_t length = ::read(fd.get(), buffer, sizeof buffer);
  if (length < 0) return system_error("read " + path, errno);
  return parse_process_stat(std::string(buffer, static_cast<size_t>(length)));
}

namespace {

// The number behind a name at the begin of a line: "VmRSS:\t  123 kB".
std::optional<uint64_t> number_in_status(std::string_view status, std::string_view name) {
  const size_t at = status.find("\n" + std::string(name) + ":");
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = status.substr(at + name.size() + 2);
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  return take_number<uint64_t>(rest);
}

}  // namespace

std::optional<ProcessMemory> parse_process_memory(std::string_view status, std::string_view rollup) {
  const auto resident = number_in_status(status, "VmRSS");
  const auto tables = number_in_status(status, "VmPTE");
  if (!resident || !tables) return std::nullopt;
  ProcessMemory memory{};
  memory.resident_kb = *resident;
  memory.page_table_kb = *tables;
  memory.huge_kb = number_in_status(rollup, "AnonHugePages").value_or(0);
  return memory;
}

std::optional<ProcessMemory> read_process_memory(pid_t pid) {
  constexpr size_t kMost = 64 << 10;
  const std::string process = "/proc/" + std::to_string(pid);
  const auto status = read_text(process + "/status", kMost);
  if (!status) return std::nullopt;
  auto memory = parse_process_memory(*status, "");
  if (!memory || fork_cost_ms(*memory) < kDearForkMs) return memory;
  const auto rollup = read_text(process + "/smaps_rollup", kMost);
  return parse_process_memory(*status, rollup ? *rollup : "");
}

uint64_t pid_namespace() {
  struct stat own {};
  return ::stat("/proc/self/ns/pid", &own) == 0 ? static_cast<uint64_t>(own.st_ino) : 0;
}

std::optional<pid_t> process_with_socket(const std::vector<uint32_t>& inodes, Deadline deadline) {
  constexpr int kMostAncestors = 8;
  const auto listens = [&](const std::string& pid) {
    return sockets_of("/proc/" + pid, inodes, inodes, deadline).first;
  };
  if (inodes.empty()) return std::nullopt;
  pid_t ancestor = ::getppid();
  for (int i = 0; i < kMostAncestors && ancestor > 1; ++i) {
    if (listens(std::to_string(ancestor))) return ancestor;
    const auto stat = read_process_stat(ancestor);
    ancestor = stat ? stat->parent : 0;
  }
  std::optional<pid_t> found;
  const Directory proc(::opendir("/proc"), ::closedir);
  while (const dirent* entry = proc ? ::readdir(proc.get()) : nullptr) {
    if (deadline.passed()) return std::nullopt;
    pid_t pid = 0;
    const char* const end = entry->d_name + std::strlen(entry->d_name);
    if (std::from_chars(entry->d_name, end, pid).ptr != end || pid <= 0 || pid == ::getpid()) continue;
    if (!listens(entry->d_name)) continue;
    // Two: one has just been forked from the other and holds all its descriptors still. Which is which can't be told.
    if (found) return std::nullopt;
    found = pid;
  }
  return found;
}

KillResult kill_process(pid_t pid, int64_t ran_at_ns, Deadline deadline) {
  if (pid <= 1 || pid == ::getpid()) return KillResult::not_it;
  // The descriptor comes first: what is checked afterwards is then what is killed, whatever happens to the pid.
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return errno == ESRCH ? KillResult::gone : KillResult::refused;
  const auto stat = read_process_stat(pid);
  const auto self = read_process_stat(::getpid());
  if (!stat || !self) return KillResult::gone;
  if (stat->started_ns() > ran_at_ns || stat->name != self->name) return KillResult::not_it;
  if (::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) != 0) {
    return errno == ESRCH ? KillResult::gone : KillResult::refused;
  }
  return wait_readable(process, deadline) ? KillResult::killed : KillResult::stays;
}

std::string unfinished_kill_text(KillResult result, const std::string& who) {
  if (result == KillResult::stays) {
    return "killed " + who + ", and it isn't gone yet: if that is said again, it is stuck in the kernel";
  }
  if (result == KillResult::refused) {
    return "may not kill " + who +
           ": it runs as another user, or a seccomp profile forbids it; end it by hand, and let both run as one user";
  }
  return "";
}

std::optional<ProcessHandle> ProcessHandle::with_sockets(const std::vector<uint32_t>& one,
                                                         const std::vector<uint32_t>& other, Deadline deadline) {
  std::optional<ProcessHandle> found;
  if (one.empty() || other.empty()) return found;
  const Directory proc(::opendir("/proc"), ::closedir);
  if (!proc) return found;
  while (const dirent* entry = ::readdir(proc.get())) {
    if (deadline.passed()) return std::nullopt;
    const pid_t pid = to_number<pid_t>(entry->d_name).value_or(0);
    if (pid <= 0 || pid == ::getpid()) continue;
    // The descriptor first, so that what is looked at is what is held.
    UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!fd || sockets_of(std::string("/proc/") + entry->d_name, one, other, deadline) != std::pair(true, true))
      continue;
    if (found) return std::nullopt;  // two: whose it is can't be told
    found = ProcessHandle(pid, std::move(fd));
  }
  return found;
}

bool ProcessHandle::signal(int number) const {
  return ::syscall(SYS_pidfd_send_signal, fd_.get(), number, nullptr, 0) == 0;
}

bool ProcessHandle::wait_gone(Deadline deadline) const { return wait_readable(fd_, deadline); }

}  // namespace pulse
