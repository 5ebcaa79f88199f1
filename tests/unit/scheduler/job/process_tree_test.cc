#include "scheduler/job/process_tree.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "src/base/unique_fd.h"

namespace pulse {
namespace {

constexpr std::chrono::seconds kPatience{20};

// Runs `body` as a guard would be: a process of its own that adopts orphans. Its exit code.
int as_guard(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::alarm(60);
    ::_exit(adopt_orphans() ? body() : 99);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// A pipe whose reading end gets its end once all processes that have it are gone.
struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) ::abort();
    read = UniqueFd(ends[0]);
    write = UniqueFd(ends[1]);
  }
  void say() const { (void)!::write(write.get(), "x", 1); }
  // Waits for that many processes to have said so.
  void hear(int times) const {
    char c;
    while (times-- > 0) (void)!::read(read.get(), &c, 1);
  }
  UniqueFd read, write;
};

// Whatever becomes of those who should kill it, no process of these tests lives for longer.
constexpr std::chrono::seconds kLongest{40};

[[noreturn]] void sleep_for_good() {
  const Deadline end = Deadline::after(kLongest);
  while (!end.passed()) ::poll(nullptr, 0, end.poll_timeout_ms());
  ::_exit(0);
}

// A process that stops at nothing: own session, all signals ignored, its parent gone.
void spawn_stubborn(const Pipe& pipe) {
  if (::fork() != 0) return;
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  ::setsid();
  for (int number = 1; number < 32; ++number) ::signal(number, SIG_IGN);
  if (::fork() == 0) {
    pipe.say();
    sleep_for_good();
  }
  pipe.say();
  sleep_for_good();
}

int64_t in_time() { return monotonic_ns() + nanoseconds(kPatience).count(); }

TEST(ProcessTree, AllAreKilledWhereverTheyWentTo) {
  EXPECT_EQ(0, as_guard([] {
              const Pipe pipe;
              for (int i = 0; i < 3; ++i) spawn_stubborn(pipe);
              pipe.hear(6);
              // Ignored. Who has forked them may still be about to end.
              if (signal_descendants(SIGTERM).sent < 6) return 1;
              if (!kill_descendants(in_time())) return 2;
              return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD ? 0 : 3;
            }));
}

TEST(ProcessTree, ASignalReachesTheGrandchildren) {
  EXPECT_EQ(0, as_guard([] {
              const Pipe pipe;
              if (::fork() == 0) {
                if (::fork() == 0) {
                  pipe.say();
                  sleep_for_good();
                }
                pipe.say();
                sleep_for_good();
              }
              pipe.hear(2);
              const Signalled sent = signal_descendants(SIGTERM);
              if (sent.sent != 2 || sent.refused != 0) return 1;
              int status = 0, ended = 0;
              while (::waitpid(-1, &status, 0) > 0) ended += WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 1 : 0;
              return ended == 2 ? 0 : 2;
            }));
}

TEST(ProcessTree, NobodyElseGetsASignal) {
  // A brother, and this very process: neither is below the guard.
  const pid_t brother = ::fork();
  if (brother == 0) sleep_for_good();
  EXPECT_EQ(0, as_guard([] { return static_cast<int>(signal_descendants(SIGKILL).sent); }));
  EXPECT_EQ(0, ::waitpid(brother, nullptr, WNOHANG));
  ::kill(brother, SIGKILL);
  ::waitpid(brother, nullptr, 0);
}

// Processes that fork and leave all the time: each pass finds others.
TEST(ProcessTree, ForkingDoesNotOutrunIt) {
  EXPECT_EQ(0, as_guard([] {
              const Pipe pipe;
              for (int i = 0; i < 4; ++i) {
                if (::fork() != 0) continue;
                ::setpriority(PRIO_PROCESS, 0, 10);
                pipe.say();
                for (const Deadline end = Deadline::after(kLongest); !end.passed();) {
                  if (::fork() > 0) ::_exit(0);  // the child goes on
                }
                ::_exit(0);
              }
              pipe.hear(4);
              return kill_descendants(in_time()) ? 0 : 1;
            }));
}

TEST(ProcessTree, MarkedProcessesAreFoundWhereverTheyAre) {
  const std::string mark = "PULSE_TEST_MARK=" + std::to_string(::getpid());
  const std::string longer = mark + "0";
  const auto start = [](const std::string& variable) {
    Pipe started;
    const pid_t pid = ::fork();
    if (pid == 0) {
      const char* const arguments[] = {"sleep", "60", nullptr};
      const char* const environment[] = {"A=b", variable.c_str(), nullptr};
      ::execve("/bin/sleep", const_cast<char**>(arguments), const_cast<char**>(environment));
      ::_exit(127);
    }
    started.write.reset();
    started.hear(1);  // its end: exec has closed it, and shows the new environment a moment later
    const std::string variables = "/proc/" + std::to_string(pid) + "/environ";
    for (const Deadline end = Deadline::after(kPatience); !end.passed(); ::poll(nullptr, 0, 1)) {
      if (std::ifstream(variables).peek() == 'A') break;
    }
    return pid;
  };
  const pid_t marked = start(mark), other = start(longer);
  EXPECT_EQ(1u, kill_marked(mark, Deadline::after(kPatience)));
  int status = 0;
  EXPECT_EQ(marked, ::waitpid(marked, &status, 0));
  EXPECT_EQ(SIGKILL, WTERMSIG(status));
  EXPECT_EQ(0, ::waitpid(other, nullptr, WNOHANG)) << "only the very same variable counts";
  ::kill(other, SIGKILL);
  ::waitpid(other, nullptr, 0);
  EXPECT_EQ(0u, kill_marked(mark, Deadline::after(kPatience)));
}

// In the middle of an execve(2) a process has no environment to show.
TEST(ProcessTree, MarkedProcessesAreFoundWhileTheyExec) {
  const std::string mark = "PULSE_TEST_EXEC_MARK=" + std::to_string(::getpid());
  for (int i = 0; i < 50; ++i) {
    Pipe started;
    const pid_t pid = ::fork();
    if (pid == 0) {
      const char* const arguments[] = {"sh", "-c", R"(exec sh -c "$0" "$0")", R"(exec sh -c "$0" "$0")", nullptr};
      const char* const environment[] = {mark.c_str(), nullptr};
      ::execve("/bin/sh", const_cast<char**>(arguments), const_cast<char**>(environment));
      ::_exit(127);
    }
    started.write.reset();
    started.hear(1);
    EXPECT_EQ(1u, kill_marked(mark, Deadline::after(kPatience))) << "the " << i << ". time";
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
}

}  // namespace
}  // namespace pulse
