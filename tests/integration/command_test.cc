// proxysql-pulse as people and ProxySQL's scheduler call it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "src/base/exit_code.h"
#include "src/base/unique_fd.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Ran pulse(const std::vector<std::string>& arguments, const TempDir& dir) {
  std::vector<std::string> argv = {binary("proxysql-pulse")};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_to_end(argv, dir);
}

size_t files_in(const std::string& path) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path)) ++count;
  return count;
}

TEST(Command, UsageErrorsSayWhatToDo) {
  const TempDir dir;
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{{},
                                                                                         {"bet"},
                                                                                         {"beat", "now"},
                                                                                         {"beat", "--no-such"},
                                                                                         {"beat", "--timeout-ms=1"},
                                                                                         {"beat", "--timeout-ms=x"},
                                                                                         {"beat", "--state=relative"},
                                                                                         {"maintenance"},
                                                                                         {"maintenance", "maybe"},
                                                                                         {"status", "--dry-run"},
                                                                                         {"beat", "--json"}}) {
    const Ran ran = pulse(arguments, dir);
    EXPECT_EQ(kExitUsage, ran.exit_code) << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("see proxysql-pulse --help"));
  }
  EXPECT_EQ(kExitOk, pulse({"--help"}, dir).exit_code);
  EXPECT_THAT(pulse({"--help"}, dir).output, HasSubstr("Exit codes: 0 done; 64 usage"));
  EXPECT_THAT(pulse({"--version"}, dir).output, HasSubstr("proxysql-pulse "));
}

TEST(Command, ABadConfigurationIs78AndNothingIsWritten) {
  const TempDir dir;
  const TempDir states;
  const std::string config =
      dir.write("p.cnf", "pulse={\n role=\"satellite\",\n timeout_ms=7, state=\"" + (states / "s") + "\" }");
  for (const char* command : {"beat", "check-config"}) {
    const Ran ran = pulse({command, "--config=" + config}, dir);
    EXPECT_EQ(kExitConfig, ran.exit_code);
    EXPECT_THAT(ran.output, HasSubstr(config + ":3: pulse.timeout_ms = 7: allowed is a whole number from 50 to 60000"));
  }
  const Ran with_state = pulse({"beat", "--config=" + config, "--state=" + (states / "s")}, dir);
  EXPECT_EQ(kExitConfig, with_state.exit_code);
  EXPECT_EQ(0u, files_in(states.path()));
  EXPECT_EQ(kExitConfig, pulse({"beat", "--config=" + (dir / "none"), "--state=" + (states / "s")}, dir).exit_code);
  EXPECT_EQ(0u, files_in(states.path()));
  const Ran daemon = run_to_end({binary("proxysql-pulsed"), "--config=" + config}, dir);
  EXPECT_EQ(kExitConfig, daemon.exit_code);
  EXPECT_THAT(daemon.output, HasSubstr(":3: pulse.timeout_ms = 7"));
}

TEST(Command, AGroupThatIsNoneIsSaidWhereverItStands) {
  Server server({});
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  const Ran ran = server.run({"beat", "--state=" + server.state(), "--group=no-such-group"});
  EXPECT_EQ(kExitConfig, ran.exit_code);
  EXPECT_THAT(ran.output, HasSubstr("--group: pulse.group = \"no-such-group\": allowed is a number or a name"));
}

TEST(Command, AResyncOfACoreIsRefused) {
  Server::Options options;
  options.role = "core";
  Server server(options);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  const Ran ran = server.run({"resync"});
  EXPECT_EQ(kExitUsage, ran.exit_code);
  EXPECT_THAT(ran.output, HasSubstr("resync is for satellites"));
  EXPECT_EQ(false, server.status()["resync_pending"]) << "no beat would ever do it";
}

TEST(Command, AConfigurationThatBreaksLaterIsReported) {
  Server server({});
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  const std::string config = server.dir().write("broken.cnf", "pulse={ role=1 }");
  const Ran ran = pulse({"beat", "--config=" + config, "--state=" + server.state()}, server.dir());
  EXPECT_EQ(kExitConfig, ran.exit_code);
  const nlohmann::json status = server.status();
  EXPECT_EQ("failing", status["state"]);
  EXPECT_THAT(status["last_error"], HasSubstr("pulse.role = 1"));
  EXPECT_EQ(78, status["history"][0]["exit_code"]);
}

TEST(Command, CheckConfigShowsValuesAndTheirSources) {
  Server::Options options;
  options.start = false;
  options.pulse = "admin={ password=\"hush\" }, ";
  Server server(options);
  const Ran ran = server.run({"check-config"}, {"PULSE_DAEMON_PORT=9191"});
  EXPECT_EQ(kExitOk, ran.exit_code);
  EXPECT_THAT(ran.output, HasSubstr("# PULSE_DAEMON_PORT"));
  EXPECT_THAT(ran.output, HasSubstr("pulse.admin.password "));
  EXPECT_THAT(ran.output, ::testing::Not(HasSubstr("hush")));
}

TEST(Command, ABusyBeatIsSkippedQuietlyAndCounted) {
  Server server({});
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  const UniqueFd lock(::open((server.state() + ".lock").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(0, ::flock(lock.get(), LOCK_EX | LOCK_NB));
  const Ran ran = server.beat();
  EXPECT_EQ(kExitSkipped, ran.exit_code);
  EXPECT_EQ("", ran.output);
  EXPECT_EQ(1, server.status()["counters"]["skipped_busy"]);
  EXPECT_EQ(1, server.status()["counters"]["started"]);
}

TEST(Command, ABackedOffBeatIsSkippedAndCounted) {
  Server::Options options;
  options.pulse = "timeout_ms=100, interval_ms=5000, ";
  Server server(options);
  server.wedge(seconds(5));
  EXPECT_EQ(kExitTimeout, server.beat().exit_code);
  const Ran held = server.beat();
  EXPECT_EQ(kExitSkipped, held.exit_code);
  EXPECT_EQ("", held.output);
  const nlohmann::json status = server.status();
  EXPECT_EQ("admin_unresponsive", status["state"]);
  EXPECT_EQ(1, status["counters"]["skipped_backoff"]);
  EXPECT_GT(status["heartbeat"]["next_attempt_in_ms"], 5000);
}

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
  EXPECT_LT(ran.took, milliseconds(200 + 250));
}

// The scheduler's child may inherit a log pipe that nobody reads.
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
  EXPECT_EQ(kExitTimeout, ran.exit_code);
  EXPECT_LT(ran.took, milliseconds(300 + 250));
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
}

TEST(Command, ABeatWithoutStandardDescriptorsWritesNothingIntoTheSegment) {
  Server server({});
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  server.kill();
  const Ran ran = run_to_end(server.pulse({"beat"}), server.dir(), {}, [] {
    ::close(0);
    ::close(1);
    ::close(2);
  });
  EXPECT_EQ(kExitUnavailable, ran.exit_code);
  EXPECT_EQ(1, server.status()["counters"]["failed"]);
}

TEST(Command, TheSchedulersEmptyEnvironmentIsEnough) {
  Server::Options options;
  options.beat_interval_ms = 500;
  Server server(options);
  ASSERT_TRUE(eventually([&] { return server.status()["counters"]["ok"] >= 2; })) << server.log();
}

// A person at a shell, root perhaps, comes before the first beat and after it: the segment stays the beats' user's.
TEST(Command, PeoplesCommandsMakeNoFilesAndRootMayUseThem) {
  Server server({});
  EXPECT_EQ(kExitUnavailable, server.run({"maintenance", "on"}).exit_code);
  EXPECT_EQ(kExitUnavailable, server.run({"resync"}).exit_code);
  EXPECT_EQ(kExitOk, server.run({"beat", "--dry-run"}).exit_code);
  EXPECT_FALSE(std::filesystem::exists(server.state()));
  EXPECT_FALSE(std::filesystem::exists(server.state() + ".lock"));
  if (::geteuid() != 0) return;
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  ASSERT_EQ(0, ::chown(server.state().c_str(), 4711, 4711));
  EXPECT_EQ(kExitOk, server.run({"status"}).exit_code);
  EXPECT_EQ(kExitOk, server.run({"maintenance", "on"}).exit_code);
  EXPECT_EQ(kExitOk, server.run({"beat", "--dry-run"}).exit_code);
  const Ran beat = server.beat();
  EXPECT_EQ(kExitOk, beat.exit_code);
  EXPECT_THAT(beat.output, HasSubstr("belongs to user 4711"));
}

TEST(Command, StatusIsForPeopleToo) {
  Server server({});
  const Ran before = server.run({"status"});
  EXPECT_EQ(kExitUnavailable, before.exit_code);
  EXPECT_THAT(before.output, HasSubstr("no beat has run yet"));
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  const Ran after = server.run({"status"});
  EXPECT_EQ(kExitOk, after.exit_code);
  EXPECT_THAT(after.output, HasSubstr("state         beating (satellite)"));
  EXPECT_THAT(after.output, HasSubstr("probes        ready yes; live yes; started yes"));
}

TEST(Command, HostNamesIPv6AndSocketsReachTheAdminInterface) {
  Server server({});
  const Ran by_name = server.run({"beat"}, {"PULSE_ADMIN_HOST=localhost"});
  EXPECT_EQ(kExitOk, by_name.exit_code) << by_name.output;
  const Ran no_such = server.run({"beat"}, {"PULSE_ADMIN_HOST=no-such-host.invalid"});
  EXPECT_THAT(std::vector<int>({kExitUnavailable, kExitTimeout}), ::testing::Contains(no_such.exit_code))
      << no_such.output;
  const Ran by_ipv6 = server.run({"beat"}, {"PULSE_ADMIN_HOST=::1"});
  EXPECT_EQ(kExitUnavailable, by_ipv6.exit_code) << "nothing listens there, and it says where";
  EXPECT_THAT(by_ipv6.output, HasSubstr("[::1]:" + std::to_string(server.admin_port())));
}

TEST(Command, TheDefaultAuthenticationMethodDoesNotMatter) {
  Server server({});
  server.query("SET mysql-default_authentication_plugin='caching_sha2_password'");
  server.query("LOAD MYSQL VARIABLES TO RUNTIME");
  const Ran ran = server.beat();
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
}

TEST(Command, TlsWhereItIsAskedFor) {
  if (!is_real()) GTEST_SKIP() << "the double offers no TLS";
  Server server({});
  const Ran ran = server.run({"beat"}, {"PULSE_ADMIN_TLS=true"});
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
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

TEST(Command, WithoutATerminalThereIsNothingToWatch) {
  Server::Options options;
  options.start = false;
  Server server(options);
  const Ran ran = server.run({"status", "--watch"});
  EXPECT_EQ(kExitUsage, ran.exit_code);
  EXPECT_THAT(ran.output, HasSubstr("needs a terminal"));
  EXPECT_EQ(kExitUsage, server.run({"status", "--watch", "--json"}).exit_code);
}

TEST(Command, BashCompletesItsLines) {
  const TempDir dir;
  const auto completed = [&](const std::string& words, int at) {
    const Ran ran =
        run_to_end({"/bin/bash", "-c",
                    "source <(" + binary("proxysql-pulse") + " completion bash); COMP_WORDS=(proxysql-pulse " + words +
                        "); COMP_CWORD=" + std::to_string(at) + "; _proxysql_pulse; echo \"${COMPREPLY[@]}\""},
                   dir, {"PATH=/usr/bin:/bin"});
    return ran.output.substr(0, ran.output.find('\n'));
  };
  EXPECT_EQ("maintenance", completed("mai", 1));
  EXPECT_EQ("on off", completed("--json maintenance ''", 3));
  EXPECT_EQ("--dry-run", completed("beat --dr", 2));
  EXPECT_EQ("--config", completed("--conf", 1));
  EXPECT_EQ("/etc/passwd", completed("beat --config /etc/passw", 3).substr(0, 11));
  EXPECT_EQ("", completed("status x", 2));
  EXPECT_EQ("guard", completed("gua", 1));
  EXPECT_EQ("--leader-only", completed("guard checker --lea", 3));
  EXPECT_EQ("on off", completed("maintenance beat ''", 3)) << "the first word is the command";
  EXPECT_EQ("sha256sum", completed("guard checker --leader-only -- sha256su", 5).substr(0, 9));
  EXPECT_EQ("/etc/passwd", completed("guard checker -- cat /etc/passw", 5).substr(0, 11));
  EXPECT_THAT(completed("''", 1), ::testing::AllOf(HasSubstr("beat"), HasSubstr("drain"), HasSubstr("dump")));
}

}  // namespace
}  // namespace pulse::test
