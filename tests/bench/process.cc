#include "tests/bench/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <utility>

#include "src/base/clock.h"
#include "src/base/unique_fd.h"

namespace pulse::bench {

namespace {

std::vector<char*> pointers(const Argv& argv) {
  std::vector<char*> list;
  for (const std::string& argument : argv) list.push_back(const_cast<char*>(argument.c_str()));
  list.push_back(nullptr);
  return list;
}

int exit_code(const siginfo_t& end) { return end.si_code == CLD_EXITED ? end.si_status : -end.si_status; }

// What a child does before it becomes its program: output to `out`, gone when this process is.
void prepare_child(pid_t parent, int out) {
  sigset_t none_blocked;
  sigemptyset(&none_blocked);
  ::sigprocmask(SIG_SETMASK, &none_blocked, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(126);
  const int none = ::open("/dev/null", O_RDWR);
  ::dup2(none, STDIN_FILENO);
  ::dup2(out >= 0 ? out : none, STDOUT_FILENO);
  ::dup2(out >= 0 ? out : none, STDERR_FILENO);
}

}  // namespace

Result<Cost> run_measured(const Argv& argv) {
  static const UniqueFd none(::open("/dev/null", O_RDWR));
  static posix_spawn_file_actions_t* const actions = [] {
    static posix_spawn_file_actions_t made;
    ::posix_spawn_file_actions_init(&made);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
      ::posix_spawn_file_actions_adddup2(&made, none.get(), fd);
    }
    return &made;
  }();
  static posix_spawnattr_t* const attributes = [] {
    static posix_spawnattr_t made;
    sigset_t none_blocked;
    sigemptyset(&none_blocked);
    ::posix_spawnattr_init(&made);
    ::posix_spawnattr_setflags(&made, POSIX_SPAWN_SETSIGMASK);
    ::posix_spawnattr_setsigmask(&made, &none_blocked);
    return &made;
  }();
  char* const empty_environment[] = {nullptr};
  const std::vector<char*> arguments = pointers(argv);
  pid_t pid = -1;
  const int64_t began = monotonic_ns();
  if (const int error = ::posix_spawn(&pid, arguments[0], actions, attributes, arguments.data(), empty_environment);
      error != 0) {
    return system_error("run " + argv[0], error);
  }
  siginfo_t end{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &end, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  Cost cost;
  cost.wall_us = static_cast<double>(monotonic_ns() - began) / 1e3;
  // Not reaped yet, so its clock is still there.
  clockid_t clock{};
  if (::clock_getcpuclockid(pid, &clock) == 0) cost.cpu_us = static_cast<double>(clock_ns(clock)) / 1e3;
  ::waitpid(pid, nullptr, 0);
  cost.exit_code = exit_code(end);
  return cost;
}

Result<int64_t> peak_memory_kb(const Argv& argv) {
  const std::vector<char*> arguments = pointers(argv);
  char* const empty_environment[] = {nullptr};
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return system_error("fork", errno);
  if (pid == 0) {
    prepare_child(parent, -1);
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::execve(arguments[0], arguments.data(), empty_environment);
    ::_exit(127);
  }
  int64_t peak = -1;
  int status = 0;
  for (bool first = true; ::waitpid(pid, &status, 0) == pid && WIFSTOPPED(status); first = false) {
    int pass_on = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    if (first) ::ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
    if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) peak = status_value(pid, "VmHWM");
    ::ptrace(PTRACE_CONT, pid, nullptr, pass_on);
  }
  if (peak < 0) return Error{"no peak memory of " + argv[0] + ": ptrace not allowed here?"};
  return peak;
}

std::string output_of(const Argv& argv) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "";
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  const std::vector<char*> arguments = pointers(argv);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    prepare_child(parent, to.get());
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  to.reset();
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = ::read(from.get(), buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(got));
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? text : "";
}

Child::Child(const Argv& argv, const std::string& log) {
  const std::vector<char*> arguments = pointers(argv);
  const UniqueFd out(::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ != 0) return;
  prepare_child(parent, out.get());
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    end();
    pid_ = std::exchange(other.pid_, -1);
  }
  return *this;
}

Child::~Child() { end(); }

bool Child::running() {
  if (pid_ <= 0) return false;
  if (::waitpid(pid_, nullptr, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

void Child::end() {
  if (!running()) return;
  // Stopped first, so that nothing new is started while what it has started is looked up.
  ::kill(pid_, SIGSTOP);
  for (const pid_t started : descendants(pid_)) ::kill(started, SIGKILL);
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

double cpu_ms(pid_t pid) {
  double ns = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::ifstream file(task.path() / "schedstat");
    double own = 0;
    file >> own;
    ns += own;
  }
  return ns / 1e6;
}

int64_t status_value(pid_t pid, const std::string& key) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::atoll(line.c_str() + key.size() + 1);
  }
  return -1;
}

std::vector<pid_t> descendants(pid_t pid) {
  std::multimap<pid_t, pid_t> children;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  while (const dirent* entry = ::readdir(proc.get())) {
    const pid_t candidate = std::atoi(entry->d_name);
    if (candidate <= 0) continue;
    const std::string stat = read_file("/proc/" + std::string(entry->d_name) + "/stat");
    const size_t close = stat.rfind(')');
    if (close != std::string::npos && close + 4 < stat.size() && stat[close + 2] != 'Z') {
      children.emplace(std::atoi(stat.c_str() + close + 4), candidate);
    }
  }
  std::vector<pid_t> found;
  std::vector<pid_t> parents = {pid};
  while (!parents.empty()) {
    const auto [first, last] = children.equal_range(parents.back());
    parents.pop_back();
    for (auto child = first; child != last; ++child) {
      found.push_back(child->second);
      parents.push_back(child->second);
    }
  }
  return found;
}

std::string read_file(const std::string& path) {
  const std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace pulse::bench
