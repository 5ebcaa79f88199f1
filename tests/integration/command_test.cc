// What a scenario of tests/scenarios can't set up for proxysql-pulse: a child with blocked signals, a pipe that is
// full, a terminal of a given size.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "src/base/exit_code.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What a parent may leave behind must not disarm the hard timer.
TEST(Command, ABeatWithBlockedAndIgnoredSignalsStillEndsInTime) {
  Server::Options options;
  options.pulse = "timeout_ms=200, ";
  Server server(options);
  server.wedge(seconds(5));
  const Ran ran = run_to_end(server.pulse({"beat"}), server.dir(), {}, [] {
    ::signal(SIGALRM, SIG_IGN);
    ::signal(SIGTERM, SIG_IGN);
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
  });
  EXPECT_EQ(kExitTimeout, ran.exit_code);
  EXPECT_LT(ran.took, milliseconds(200 + 3000));
}

// Where the switch is lost at a reboot, the person who sets it is told.
TEST(Command, MaintenanceSaysWhetherARebootEndsIt) {
  Server::Options options;
  Server server(options);
  const std::string state = "/dev/shm/pulse-test." + std::to_string(::getpid());
  for (const std::string& path : {server.state(), state}) {
    ASSERT_EQ(kExitOk, server.run({"beat", "--state=" + path}).exit_code);
    struct statfs system {};
    ASSERT_EQ(0, ::statfs(path.c_str(), &system));
    const bool in_memory = system.f_type == TMPFS_MAGIC;
    const Ran on = server.run({"maintenance", "--state=" + path, "on"});
    EXPECT_EQ(kExitOk, on.exit_code) << on.output;
    EXPECT_EQ(in_memory, on.output.find("or a reboot: " + path + " is in memory") != std::string::npos) << on.output;
    EXPECT_EQ("maintenance is off\n", server.run({"maintenance", "--state=" + path, "off"}).output);
  }
  for (const auto& file : std::filesystem::directory_iterator("/dev/shm")) {
    if (file.path().string().rfind(state, 0) == 0) std::filesystem::remove(file);
  }
}

// The scheduler's child may inherit a log pipe that nobody reads. That says nothing about ProxySQL: it is no time-out.
TEST(Command, ABeatWhoseLogBlocksStillEndsInTime) {
  Server::Options options;
  options.pulse = "timeout_ms=300, ";
  Server server(options);
  server.kill();
  int pipe_ends[2];
  ASSERT_EQ(0, ::pipe2(pipe_ends, O_CLOEXEC));
  ASSERT_EQ(0, ::fcntl(pipe_ends[1], F_SETFL, O_NONBLOCK));
  while (::write(pipe_ends[1], "x", 1) == 1) {
  }
  ASSERT_EQ(0, ::fcntl(pipe_ends[1], F_SETFL, 0));
  const Ran ran = run_to_end(server.pulse({"beat"}), server.dir(), {}, [&] {
    ::dup2(pipe_ends[1], 1);
    ::dup2(pipe_ends[1], 2);
  });
  EXPECT_EQ(kExitUnavailable, ran.exit_code);
  EXPECT_LT(ran.took, milliseconds(300 + 3000));
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
}

// What the command writes to a terminal of that size, until `seen` holds of it; then Ctrl-C.
std::string on_terminal(const std::vector<std::string>& argv, unsigned short rows, unsigned short columns,
                        const std::function<bool(const std::string&)>& seen) {
  winsize size{rows, columns, 0, 0};
  int terminal = -1;
  const pid_t pid = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (pid == 0) {
    std::vector<char*> arguments;
    for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  std::string output;
  const Deadline deadline = Deadline::after(kPatience);
  bool asked_to_end = false;
  char buffer[4096];
  for (;;) {
    pollfd event{terminal, POLLIN, 0};
    ::poll(&event, 1, 100);
    const ssize_t got = (event.revents & (POLLIN | POLLHUP)) != 0 ? ::read(terminal, buffer, sizeof buffer) : 0;
    if (got < 0) break;  // its other side is closed
    output.append(buffer, static_cast<size_t>(got));
    if (!asked_to_end && (seen(output) || deadline.passed())) {
      asked_to_end = ::write(terminal, "\x03", 1) == 1;
    }
    if (deadline.passed()) ::kill(pid, SIGKILL);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status << output;
  ::close(terminal);
  return output;
}

TEST(Command, StatusIsWatchedInATerminal) {
  Server server(Server::Options{});
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  const auto screens = [](const std::string& output) {
    size_t count = 0;
    for (size_t at = 0; (at = output.find("\x1b[H", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  const std::string output = on_terminal(server.pulse({"status", "--watch"}), 8, 40,
                                         [&](const std::string& text) { return screens(text) >= 2; });
  EXPECT_GE(screens(output), 2U);
  const std::string first = output.substr(0, output.find("\x1b[J"));
  EXPECT_THAT(first, HasSubstr("state         beating (satellite)"));
  EXPECT_THAT(first, HasSubstr("more lines"));
  EXPECT_EQ(7, std::count(first.begin(), first.end(), '\n')) << first;
  std::stringstream lines(first.substr(3));
  for (std::string line; std::getline(lines, line);)
    EXPECT_LE(line.size(), 40 + std::string("\x1b[K\r").size()) << line;
}

TEST(Command, JobsAreOnTheScreenOfAPlainTerminal) {
  Server::Options options;
  options.pulse =
      "jobs=( { name=\"good\" command=[\"/bin/true\"] }, "
      "{ name=\"bad\" command=[\"/bin/sh\",\"-c\",\"exit 3\"] } ), leader={ mode=\"lowest\" }, ";
  Server server(options);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  ASSERT_EQ(0, server.run({"job", "good"}).exit_code);
  ASSERT_EQ(3, server.run({"job", "bad"}).exit_code);
  const std::string output = on_terminal(server.pulse({"status", "--watch"}), 24, 80, [&](const std::string& text) {
    return text.find("\x1b[J") != std::string::npos;
  });
  EXPECT_THAT(output, HasSubstr("jobs          bad: failed "));
  EXPECT_THAT(output, HasSubstr("exit code 3; 0 of 1 ok"));
  EXPECT_THAT(output, HasSubstr("              good: ok "));
  EXPECT_THAT(output, Not(HasSubstr("more lines")));
}

}  // namespace
}  // namespace pulse::test
