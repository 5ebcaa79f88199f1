#include "scheduler/job/guarded_processes.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "scheduler/job/process_tree.h"

namespace pulse {

Result<void> GuardedProcesses::prepare() {
  if (auto adopted = adopt_orphans(); !adopted) return adopted;
  return watch_signals();
}

// They are taken from a descriptor, between two waits. Blocked and ignored ones may be inherited.
Result<void> GuardedProcesses::watch_signals() {
  ::signal(SIGCHLD, SIG_DFL);
  ::signal(SIGTERM, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&set, number);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return system_error("signalfd", errno);
  signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return system_error("signalfd", errno);
  return {};
}

void GuardedProcesses::command_started(StartedJob command) {
  command_ = command.pid;
  output_ = std::move(command.output);
}

Reaped GuardedProcesses::reap() {
  // Processes that fork and exit without a pause make more of them for as long as this looks.
  constexpr int kMostAtOnce = 1000;
  Reaped reaped;
  more_to_reap_ = false;
  for (int i = 0; i < kMostAtOnce; ++i) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid == 0) return reaped;
    if (pid < 0) {
      reaped.none_left = errno == ECHILD;
      return reaped;
    }
    if (pid == command_) reaped.status = status;
  }
  more_to_reap_ = true;
  return reaped;
}

size_t GuardedProcesses::signal_all(int number) {
  // First of all: what is forked meanwhile ends, too.
  const size_t killed = number == SIGKILL && cgroup_ ? cgroup_->kill() : 0;
  return std::max(killed, signal_descendants(number).sent);
}

void GuardedProcesses::wait(MonotonicTime until, bool for_output) {
  if (more_to_reap_) return;
  pollfd events[] = {{signals_.get(), POLLIN, 0}, {output_.get(), POLLIN, 0}};
  ::poll(events, for_output ? 2 : 1, Deadline::at(until).poll_timeout_ms());
}

int GuardedProcesses::take_signal() {
  int number = 0;
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo != SIGCHLD) number = static_cast<int>(info.ssi_signo);
  }
  return number;
}

size_t GuardedProcesses::read_output(char* buffer, size_t size) {
  const ssize_t length = ::read(output_.get(), buffer, size);
  if (length > 0) return static_cast<size_t>(length);
  if (length == 0 || (errno != EAGAIN && errno != EINTR)) output_.reset();
  return 0;
}

}  // namespace pulse
