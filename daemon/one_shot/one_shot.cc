#include "daemon/one_shot/one_shot.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "src/base/unique_fd.h"

namespace pulse {

namespace {

constexpr milliseconds kTurn{100};
constexpr milliseconds kDies{2000};  // once killed; one that is stuck in the kernel doesn't

// In the child of vfork(), with all signals blocked: nothing but system calls, for the memory is the daemon's. What
// ends the daemon must not end what it has started: a service manager signals the whole group.
[[noreturn]] void become(char* const* argv, int null_fd, int failure_fd) {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) ::signal(number, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(null_fd, STDIN_FILENO);
  ::execve(argv[0], argv, environ);
  const int failure = errno;
  [[maybe_unused]] const ssize_t written = ::write(failure_fd, &failure, sizeof failure);
  ::_exit(127);
}

}  // namespace

std::string find_pulse_program(const Config& config) {
  if (!config.daemon.program.empty()) return config.daemon.program;
  std::array<char, 4096> self{};
  const ssize_t length = ::readlink("/proc/self/exe", self.data(), self.size() - 1);
  std::string path(self.data(), static_cast<size_t>(std::max<ssize_t>(0, length)));
  const size_t slash = path.rfind('/');
  return (slash == std::string::npos ? "/usr/bin" : path.substr(0, slash)) + "/proxysql-pulse";
}

OneShot::OneShot(const Config& config, const std::string& command)
    : program_(find_pulse_program(config)), arguments_([&] {
        std::vector<std::string> arguments = {program_, command, "--config=" + config.file, "--state=" + config.state};
        if (!config.group_name.empty()) arguments.push_back("--group=" + config.group_name);
        return arguments;
      }()) {}

Result<pid_t> OneShot::spawn() const {
  std::vector<char*> argv;
  for (const std::string& argument : arguments_) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const std::string what = "start " + program_;
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error(what + ": pipe", errno);
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  // fork() would copy the tables of the daemon's memory for each beat. This thread waits until the child has become its
  // program; a handler must not run in it meanwhile.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork)
  if (pid == 0) become(argv.data(), null.get(), writing.get());
  const int failed = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return system_error(what + ": vfork", failed);
  writing.reset();
  int failure = 0;  // nothing comes: a good exec has closed the other end
  if (::read(reading.get(), &failure, sizeof failure) != sizeof failure) return pid;
  ::waitpid(pid, nullptr, 0);
  Error error = system_error(what, failure);
  error.text += "; install proxysql-pulse there, or set pulse.daemon.program";
  return error;
}

OneShotEnd OneShot::run(milliseconds longest, const std::atomic<bool>& stopping) const {
  const auto pid = spawn();
  if (!pid) return {-1, pid.error().text};
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
  Deadline deadline = Deadline::after(longest);
  bool overdue = false;
  int status = 0;
  while (::waitpid(*pid, &status, WNOHANG) == 0) {
    if (stopping) return {};
    if (deadline.passed()) {
      if (overdue) return {-1, arguments_[1] + ": it didn't end by its own deadline and can't be killed"};
      overdue = true;
      ::kill(*pid, SIGKILL);  // a child that wasn't reaped yet: nobody else has its pid
      deadline = Deadline::after(kDies);
    }
    pollfd event{process.get(), POLLIN, 0};
    ::poll(&event, process ? 1 : 0, static_cast<int>(kTurn.count()));
  }
  if (WIFEXITED(status)) return {WEXITSTATUS(status), ""};
  return {-1, arguments_[1] + ": " +
                  (overdue ? "it didn't end by its own deadline and was killed"
                           : std::string("it was killed: ") + ::strsignal(WTERMSIG(status)))};
}

}  // namespace pulse
