#include "src/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>

#include "src/unique_fd.h"

namespace pulse {

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

KillResult kill_process(pid_t pid, int64_t ran_at_ns, Deadline deadline) {
  if (pid <= 1 || pid == ::getpid()) return KillResult::not_it;
  // The descriptor comes first: what is checked afterwards is then what is killed, whatever happens to the pid.
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return errno == ESRCH ? KillResult::gone : KillResult::failed;
  const auto stat = read_process_stat(pid);
  const auto self = read_process_stat(::getpid());
  if (!stat || !self) return KillResult::gone;
  if (stat->started_ns() > ran_at_ns || stat->name != self->name) return KillResult::not_it;
  if (::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) != 0) {
    return errno == ESRCH ? KillResult::gone : KillResult::failed;
  }
  pollfd wait{process.get(), POLLIN, 0};
  while (::poll(&wait, 1, deadline.poll_timeout_ms()) < 0 && errno == EINTR) {
  }
  return (wait.revents & POLLIN) != 0 ? KillResult::killed : KillResult::failed;
}

}  // namespace pulse
