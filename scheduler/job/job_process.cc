#include "scheduler/job/job_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace pulse {

namespace {

// What the child couldn't do, as it comes through a pipe.
struct Failure {
  int error;
  char what[28];
};

// In the child, which tells its parent by `report` why it ends.
class Child {
 public:
  Child(const Job& job, int report, int cgroup_entrance)
      : job_(job), report_(report), cgroup_entrance_(cgroup_entrance) {}

  [[noreturn]] void run(pid_t guard, int output, char* const* arguments, char** environment) {
    check(::prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl(PR_SET_PDEATHSIG)");
    if (::getppid() != guard) ::_exit(1);  // it died before that call
    if (cgroup_entrance_ >= 0 && ::write(cgroup_entrance_, "0", 1) != 1) errno = 0;
    check(::setsid(), "setsid");
    check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)");
    reset_signals();
    set_descriptors(output);
    set_limits();
    check(::setpriority(PRIO_PROCESS, 0, std::max(::getpriority(PRIO_PROCESS, 0), static_cast<int>(job_.nice))),
          "setpriority");
    die_first();
    check(::chdir(job_.directory.c_str()), "chdir");
    ::environ = environment;
    ::execvp(arguments[0], arguments);
    fail(errno, "exec");
  }

 private:
  [[noreturn]] void fail(int error, const char* what) const {
    Failure failure{error, {}};
    std::string(what).copy(failure.what, sizeof failure.what - 1);
    // The parent finds out by the end of the pipe, should this not go through.
    if (::write(report_, &failure, sizeof failure) < 0) ::_exit(126);
    ::_exit(127);
  }

  void check(int result, const char* what) const {
    if (result < 0) fail(errno, what);
  }

  static void reset_signals() {
    for (int number = 1; number < NSIG; ++number) {
      if (number != SIGKILL && number != SIGSTOP) ::signal(number, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
  }

  void set_descriptors(int output) const {
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    check(null, "open /dev/null");
    check(::dup2(null, STDIN_FILENO), "dup2");
    check(::dup2(output, STDOUT_FILENO), "dup2");
    check(::dup2(output, STDERR_FILENO), "dup2");
    // Ours are closed by exec in any case; whoever started us may have left others open.
    DIR* const list = ::opendir("/proc/self/fd");
    if (list == nullptr) return;
    while (const dirent* entry = ::readdir(list)) {
      const int fd = std::atoi(entry->d_name);
      if (fd > STDERR_FILENO) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
  }

  // Never above what is allowed already.
  void limit(int which, int64_t value, int64_t hard, const char* what) const {
    rlimit now{};
    check(::getrlimit(static_cast<__rlimit_resource_t>(which), &now), what);
    now.rlim_max = std::min(now.rlim_max, static_cast<rlim_t>(hard));
    now.rlim_cur = std::min(now.rlim_max, static_cast<rlim_t>(value));
    check(::setrlimit(static_cast<__rlimit_resource_t>(which), &now), what);
  }

  void set_limits() const {
    constexpr int64_t kMega = 1 << 20;
    limit(RLIMIT_CORE, 0, 0, "setrlimit(RLIMIT_CORE)");
    if (job_.cpu_s > 0) limit(RLIMIT_CPU, job_.cpu_s, job_.cpu_s + 1, "setrlimit(RLIMIT_CPU)");
    if (job_.open_files > 0) limit(RLIMIT_NOFILE, job_.open_files, job_.open_files, "setrlimit(RLIMIT_NOFILE)");
    if (job_.file_mb > 0) limit(RLIMIT_FSIZE, job_.file_mb * kMega, job_.file_mb * kMega, "setrlimit(RLIMIT_FSIZE)");
    if (job_.processes > 0) limit(RLIMIT_NPROC, job_.processes, job_.processes, "setrlimit(RLIMIT_NPROC)");
    if (job_.memory_mb > 0) limit(RLIMIT_AS, job_.memory_mb * kMega, job_.memory_mb * kMega, "setrlimit(RLIMIT_AS)");
  }

  // Raising it needs no right. Where it is higher already, or can't be written, it stays as it is.
  static void die_first() {
    const int fd = ::open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    char now[16] = {};
    const bool lower = ::read(fd, now, sizeof now - 1) > 0 && std::atoi(now) < 500;
    if (lower && ::pwrite(fd, "500", 3, 0) != 3) errno = 0;
    ::close(fd);
  }

  const Job& job_;
  const int report_;
  const int cgroup_entrance_;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

}  // namespace

Result<StartedJob> start_job(const Job& job, const std::vector<std::string>& environment, int cgroup_entrance) {
  int output[2], report[2];
  if (::pipe2(output, O_CLOEXEC) != 0) return system_error("pipe", errno);
  StartedJob started;
  started.output = UniqueFd(output[0]);
  UniqueFd output_end(output[1]);
  if (::fcntl(output[0], F_SETFL, O_NONBLOCK) != 0) return system_error("fcntl", errno);
  if (::pipe2(report, O_CLOEXEC) != 0) return system_error("pipe", errno);
  const UniqueFd report_read(report[0]);
  UniqueFd report_write(report[1]);
  const std::vector<char*> arguments = pointers(job.command);
  std::vector<char*> variables = pointers(environment);

  const pid_t guard = ::getpid();
  started.pid = ::fork();
  if (started.pid < 0) return system_error("fork", errno);
  if (started.pid == 0)
    Child(job, report[1], cgroup_entrance).run(guard, output[1], arguments.data(), variables.data());
  output_end.reset();
  report_write.reset();

  Failure failure{};
  ssize_t length = 0;
  do {
    length = ::read(report_read.get(), &failure, sizeof failure);  // nothing comes, and exec closes the pipe
  } while (length < 0 && errno == EINTR);
  if (length == 0) return started;
  while (::waitpid(started.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  failure.what[sizeof failure.what - 1] = '\0';
  const std::string what = failure.what;
  if (length != static_cast<ssize_t>(sizeof failure)) return Error{"the command ended before it began", EIO};
  return system_error(what + (what == "exec"    ? " " + job.command.front()
                              : what == "chdir" ? " " + job.directory
                                                : ""),
                      failure.error);
}

std::vector<std::string> job_environment(const Job& job) {
  std::vector<std::string> list = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                   "HOME=" + job.directory, "LANG=C"};
  for (const std::string& variable : job.environment) {
    const std::string name = variable.substr(0, variable.find('=') + 1);
    std::erase_if(list, [&](const std::string& before) { return before.starts_with(name); });
    list.push_back(variable);
  }
  return list;
}

}  // namespace pulse
