// proxysql-pulse guard and job: whatever a command does, it is gone by its limit and reported.
#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "shm/record/job_runs.h"
#include "shm/segment/segment.h"
#include "src/base/exit_code.h"
#include "src/base/unique_fd.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

// The processes that jobs of this state path have started, by what each has in its environment: one in a line.
std::string job_processes(const std::string& state, bool kill = false);

std::string read_file(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string job_processes(const std::string& state, bool kill) {
  std::string found;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  while (const dirent* entry = ::readdir(proc.get())) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid <= 0) continue;
    const std::string directory = "/proc/" + std::to_string(pid);
    if (read_file(directory + "/environ").find("PULSE_JOB_LOCK=" + state + ".job.") == std::string::npos) continue;
    found += std::to_string(pid) + " " + read_file(directory + "/cmdline") + "\n";
    if (kill) ::kill(pid, SIGKILL);
  }
  return found;
}

// How long the oldest process has run that jobs of this state path have started; 0 if there is none.
double oldest_job_process(const std::string& state) {
  double oldest = 0;
  std::istringstream list(job_processes(state));
  for (std::string line; std::getline(list, line);) {
    const std::string stat = read_file("/proc/" + std::to_string(std::atoi(line.c_str())) + "/stat");
    if (stat.empty()) continue;
    std::istringstream fields(stat.substr(stat.rfind(')') + 1));
    std::string field;
    for (int i = 3; i <= 22; ++i) fields >> field;  // the start, in ticks after boot
    const double began = std::atof(field.c_str()) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    oldest = std::max(oldest, std::atof(read_file("/proc/uptime").c_str()) - began);
  }
  return oldest;
}

// A segment, made by a beat that finds no ProxySQL. Jobs need no more.
class Node {
 public:
  explicit Node(const std::string& jobs = "", const std::string& more = "")
      : server_([&] {
          Server::Options options;
          options.start = false;
          options.pulse = "interval_ms=60000, " + more + " jobs=( " + jobs + " ), ";
          return options;
        }()) {
    server_.beat();
  }
  ~Node() { EXPECT_EQ("", job_processes(server_.state(), true)) << "nothing of any job may be left"; }

  const Server& server() const { return server_; }
  Ran job(const std::string& name) const { return server_.run({"job", name}); }
  // A command of `sh`, with a timeout.
  std::vector<std::string> guard(const std::string& name, int timeout_ms, const std::string& script) const {
    return {binary("proxysql-pulse"),
            "guard",
            name,
            "--config=" + server_.config(),
            "--timeout-ms",
            std::to_string(timeout_ms),
            "--",
            "/bin/sh",
            "-c",
            script};
  }
  Ran run(const std::string& name, int timeout_ms, const std::string& script) const {
    return run_to_end(guard(name, timeout_ms, script), server_.dir());
  }
  json status(const std::string& name) const {
    const json all = server_.status();
    for (const json& job : all["jobs"]) {
      if (job["name"] == name) return job;
    }
    return json::object();
  }
  std::string leftovers() const { return job_processes(server_.state()); }

 private:
  Server server_;
};

TEST(Guard, RunsACommandOfTheFile) {
  Node node(
      "{ name=\"a\" command=[\"/bin/sh\", \"-c\", \"echo $A $0 $1; pwd; exit 3\", \"one\", \"two\"] "
      "environment=[\"A=hello\"] directory=\"/tmp\" }, { name=\"b\" command=[\"true\"] }, ");
  const Ran ran = node.job("a");
  EXPECT_EQ(3, ran.exit_code);
  EXPECT_THAT(ran.output, HasSubstr("[info] job a: hello one two\n"));
  EXPECT_THAT(ran.output, HasSubstr("[info] job a: /tmp\n"));
  EXPECT_THAT(ran.output, HasSubstr("[error] job a: exit code 3\n"));
  const json status = node.status("a");
  EXPECT_EQ("failed", status["outcome"]);
  EXPECT_EQ(3, status["exit_code"]);
  EXPECT_EQ("exit code 3", status["message"]);
  EXPECT_EQ("/tmp", status["last_line"]);
  EXPECT_EQ(1, status["counters"]["started"]);
  EXPECT_EQ(1, status["counters"]["failed"]);
  EXPECT_EQ(false, status["running"]);
  EXPECT_THAT(node.server().run({"status"}).output, HasSubstr("jobs          a: failed "));

  const Ran quiet = node.job("b");
  EXPECT_EQ(0, quiet.exit_code) << "found in PATH";
  EXPECT_EQ("", quiet.output) << "a good run without output says nothing";
  EXPECT_EQ("ok", node.status("b")["outcome"]);

  const Ran none = node.job("c");
  EXPECT_EQ(kExitConfig, none.exit_code);
  EXPECT_THAT(none.output, HasSubstr("there is no such job in pulse.jobs; there are: a, b"));
  EXPECT_EQ("not_started", node.status("c")["outcome"]);
}

TEST(Guard, TheCommandGetsACleanWorld) {
  Node node;
  const std::string script =
      "env | sort; grep Sig /proc/self/status; ls -l /proc/self/fd | grep -c ' -> '; "
      "readlink /proc/self/fd/0; grep NoNewPrivs /proc/self/status; "
      "cat /proc/self/oom_score_adj; nice; ulimit -n; ulimit -v; ulimit -c; echo session $(($(cut -d' ' -f6 "
      "/proc/$$/stat) - $$))";
  const Ran ran = run_to_end(node.guard("a", 10'000, script), node.server().dir(), {"SECRET=x", "PATH=/nowhere"}, [] {
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGPIPE, SIG_IGN);
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    ::dup2(0, 77);
  });
  EXPECT_EQ(0, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, Not(HasSubstr("SECRET")));
  EXPECT_THAT(ran.output, HasSubstr("job a: HOME=/\n"));
  EXPECT_THAT(ran.output, HasSubstr("job a: LANG=C\n"));
  EXPECT_THAT(ran.output, HasSubstr("job a: PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"));
  EXPECT_THAT(ran.output, HasSubstr("job a: PULSE_JOB=a\n"));
  EXPECT_THAT(ran.output, HasSubstr("job a: SigBlk: 0000000000000000\n"));
  EXPECT_THAT(ran.output, HasSubstr("job a: SigIgn: 0000000000000000\n"));
  EXPECT_THAT(ran.output, HasSubstr("job a: 4\n")) << "0, 1, 2 and the directory that ls reads";
  EXPECT_THAT(ran.output, HasSubstr("job a: /dev/null\n"));
  EXPECT_THAT(ran.output, HasSubstr("NoNewPrivs: 1\n"));
  EXPECT_THAT(ran.output, HasSubstr("job a: 500\n"));
  const int nice = std::max(10, ::getpriority(PRIO_PROCESS, 0));
  EXPECT_THAT(ran.output, HasSubstr("job a: " + std::to_string(nice) + "\n"));
  EXPECT_THAT(ran.output, HasSubstr("job a: 1024\n"));
  EXPECT_THAT(ran.output, HasSubstr("job a: 4194304\n"));
  EXPECT_THAT(ran.output, HasSubstr("job a: session 0\n")) << "a session of its own";
}

TEST(Guard, LimitsAreTheJobs) {
  Node node(
      "{ name=\"a\" command=[\"/bin/sh\", \"-c\", \"ulimit -t; ulimit -n; ulimit -f; ulimit -p; ulimit -v; nice\"] "
      "cpu_s=5 "
      "open_files=64 file_mb=1 processes=4000 memory_mb=512 nice=19 }, ");
  const Ran ran = node.job("a");
  EXPECT_EQ(0, ran.exit_code) << ran.output;
  for (const char* limit : {"5", "64", "2048", "4000", "524288", "19"}) {
    EXPECT_THAT(ran.output, HasSubstr("job a: " + std::string(limit) + "\n"));
  }
}

TEST(Guard, ExitCodesAreThoseOfTimeout) {
  Node node;
  const std::string plain = node.server().dir().write("plain", "x");
  struct Case {
    std::string script;
    int exit_code;
    const char* outcome;
    std::string message;
  };
  const Case cases[] = {
      {"exit 0", 0, "ok", ""},
      {"exit 255", 255, "failed", "exit code 255"},
      {"kill -SEGV $$", 128 + SIGSEGV, "signal", "signal 11 (Segmentation fault)"},
      {"kill -KILL $$", 128 + SIGKILL, "signal", "signal 9 (Killed)"},
      {"exec /nonexistent", 127, "failed", "exit code 127"},
      {"sleep 60", kExitTimeout, "timed_out", "timed out: its limit is 500 ms"},
  };
  for (const Case& test : cases) {
    const Ran ran = node.run("a", test.outcome == std::string("timed_out") ? 500 : 10'000, test.script);
    EXPECT_EQ(test.exit_code, ran.exit_code) << test.script << ran.output;
    EXPECT_EQ(test.outcome, node.status("a")["outcome"]) << test.script;
    EXPECT_EQ(test.message, node.status("a")["message"]) << test.script;
  }
  const auto run = [&](const std::string& program) {
    return run_to_end({binary("proxysql-pulse"), "guard", "b", "--config=" + node.server().config(), "--", program},
                      node.server().dir());
  };
  EXPECT_EQ(127, run("/nonexistent").exit_code);
  EXPECT_EQ("exec /nonexistent: No such file or directory", node.status("b")["message"]);
  EXPECT_EQ("not_started", node.status("b")["outcome"]);
  EXPECT_EQ(126, run(plain).exit_code);
  EXPECT_EQ(127, run("no-such-program").exit_code);
  EXPECT_EQ(3, node.status("b")["consecutive_failures"]);
}

TEST(Guard, OneOfANameRunsAtATime) {
  Node node;
  Process first(node.guard("a", 30'000, "echo up; sleep 60"), node.server().dir(), {});
  ASSERT_TRUE(eventually([&] { return first.output().find("up") != std::string::npos; })) << first.output();
  for (int i = 0; i < 3; ++i) {
    const Ran second = node.run("a", 30'000, "echo never");
    EXPECT_EQ(kExitSkipped, second.exit_code);
    EXPECT_EQ("", second.output);
  }
  EXPECT_EQ(0, node.run("b", 30'000, "true").exit_code) << "another name";
  const json status = node.status("a");
  EXPECT_EQ(true, status["running"]);
  EXPECT_EQ(3, status["counters"]["skipped_busy"]);
  EXPECT_EQ(1, status["counters"]["started"]);
  first.signal(SIGTERM);
  EXPECT_EQ(128 + SIGTERM, first.wait());
  EXPECT_EQ("stopped", node.status("a")["outcome"]);
  EXPECT_EQ("stopped: its guard got signal 15 (Terminated)", node.status("a")["message"]);
  EXPECT_EQ(0, node.run("a", 30'000, "true").exit_code);
}

TEST(Guard, ACommandMayTidyUpWhenItIsStopped) {
  Node node;
  Process guard(
      node.guard("a", 60'000, "trap 'echo tidied; exit 0' TERM; echo up; for i in $(seq 600); do sleep 0.1; done"),
      node.server().dir(), {});
  ASSERT_TRUE(eventually([&] { return guard.output().find("up") != std::string::npos; }));
  guard.signal(SIGTERM);
  EXPECT_EQ(128 + SIGTERM, guard.wait());
  EXPECT_THAT(guard.output(), HasSubstr("job a: tidied\n"));
  EXPECT_THAT(guard.output(), Not(HasSubstr("had to be killed")));
}

TEST(Guard, WhatACommandLeavesBehindEndsWithIt) {
  Node node;
  const Ran ran =
      node.run("a", 30'000,
               "(trap '' TERM HUP; setsid sh -c 'trap \"\" TERM; for i in $(seq 60); do sleep 1; done' &); echo done");
  EXPECT_EQ(0, ran.exit_code);
  EXPECT_EQ("ok", node.status("a")["outcome"]);
  EXPECT_THAT(node.status("a")["message"].get<std::string>(), HasSubstr("that it left behind were ended; "));
  EXPECT_EQ("", node.leftovers());
  EXPECT_LT(ran.took, seconds(20)) << "not only at its limit";
  EXPECT_EQ(0, node.run("b", 30'000, "(sleep 0.02 &); exit 0").exit_code);
  EXPECT_EQ("", node.status("b")["message"]) << "what ends of itself is no matter";
}

TEST(Guard, AFloodIsTakenInAndNotLogged) {
  Node node(
      "{ name=\"a\" command=[\"/bin/sh\", \"-c\", \"yes 0123456789; echo never\"] timeout_ms=4000 output_lines=7 }, "
      "{ name=\"b\" command=[\"/bin/sh\", \"-c\", \"head -c 300000 /dev/zero; echo; echo the end\"] output_bytes=100 "
      "}, ");
  const Ran flood = node.job("a");
  EXPECT_EQ(kExitTimeout, flood.exit_code);
  size_t lines = 0;
  for (size_t at = 0; (at = flood.output.find("job a: 0123456789\n", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(7u, lines);
  EXPECT_THAT(flood.output, HasSubstr(" more bytes not shown\n"));
  EXPECT_LT(flood.output.size(), 2000u);
  EXPECT_GT(node.status("a")["output_bytes"], 1'000'000);
  EXPECT_EQ("0123456789", node.status("a")["last_line"]);
  const Ran binary_data = node.job("b");
  EXPECT_EQ(0, binary_data.exit_code) << "it could write all of it";
  EXPECT_EQ(300'009, node.status("b")["output_bytes"]);
  EXPECT_EQ("the end", node.status("b")["last_line"]);
  EXPECT_THAT(binary_data.output, HasSubstr("and 300009 more bytes not shown"));
}

TEST(Guard, AKilledGuardTakesItsCommandWithItAndTheNextOneTheRest) {
  Node node;
  Process guard(node.guard("a", 60'000, "(setsid sleep 60 &); echo up; sleep 60; echo never"), node.server().dir(), {});
  ASSERT_TRUE(eventually([&] { return guard.output().find("up") != std::string::npos; }));
  const std::string sleep = std::string("sleep") + '\0' + "60";
  ASSERT_TRUE(eventually([&] {
    const std::string left = node.leftovers();
    return left.find(sleep) != left.rfind(sleep);
  })) << "two of them";
  guard.signal(SIGKILL);
  ASSERT_EQ(-SIGKILL, guard.wait());
  EXPECT_TRUE(eventually([&] {
    const std::string left = node.leftovers();
    return left.find("/bin/sh") == std::string::npos;
  })) << "the command itself dies with its guard";
  const Ran next = node.run("a", 60'000, "echo fine");
  EXPECT_EQ(0, next.exit_code);
  EXPECT_THAT(next.output, HasSubstr("job a: the last run: its guard was killed\n"));
  EXPECT_THAT(next.output, HasSubstr("that the last run had left behind\n"));
  EXPECT_EQ("", node.leftovers());
  const json status = node.status("a");
  EXPECT_EQ(2, status["counters"]["started"]);
  EXPECT_EQ(1, status["counters"]["died"]);
  EXPECT_EQ(1, status["counters"]["ok"]);
}

TEST(Guard, AStoppedGuardIsKilledByTheNextOneOnceItIsOverdue) {
  Node node;
  Process guard(node.guard("a", 1'000, "(setsid sleep 60 &); echo up; sleep 60"), node.server().dir(), {});
  ASSERT_TRUE(eventually([&] { return guard.output().find("up") != std::string::npos; }));
  guard.signal(SIGSTOP);
  EXPECT_EQ(kExitSkipped, node.run("a", 1'000, "echo never").exit_code) << "it isn't overdue yet";
  std::string said;
  ASSERT_TRUE(eventually([&] {
    const Ran next = node.run("a", 10'000, "true");
    said += next.output;
    return next.exit_code == 0;
  }));
  EXPECT_THAT(said, HasSubstr("killed a guard that was ")) << "gone at once or, on a busy host, by the next run";
  EXPECT_EQ(-SIGKILL, guard.wait());
  EXPECT_EQ("", node.leftovers());
}

// The timer is the last resort: here the guard can do nothing else any more.
TEST(Guard, AGuardThatWasAsleepAtItsDeadlineStillEndsAll) {
  Node node;
  Process guard(node.guard("a", 700, "trap '' TERM; (setsid sh -c 'sleep 60; :' &); echo up; sleep 60; :"),
                node.server().dir(), {});
  ASSERT_TRUE(eventually([&] { return guard.output().find("up") != std::string::npos; }));
  guard.signal(SIGSTOP);
  ASSERT_TRUE(eventually([&] { return node.status("a")["outcome"] == "died"; })) << "as far as a reader can know";
  guard.signal(SIGCONT);
  EXPECT_EQ(kExitTimeout, guard.wait());
  EXPECT_EQ("", node.leftovers());
  EXPECT_EQ("timed_out", node.status("a")["outcome"]);
  EXPECT_EQ("timed out: its guard's last resort ended it", node.status("a")["message"]);
}

// ProxySQL's log may be a pipe that nobody reads.
TEST(Guard, ABlockedLogHoldsUpNeitherTheCommandNorTheGuard) {
  Node node;
  int ends[2];
  ASSERT_EQ(0, ::pipe2(ends, O_CLOEXEC | O_NONBLOCK));
  while (::write(ends[1], "x", 1) == 1) {
  }
  const UniqueFd read_end(ends[0]), write_end(ends[1]);
  ASSERT_EQ(0, ::fcntl(ends[1], F_SETFL, 0));
  const Ran ran = run_to_end(node.guard("a", 30'000, "head -c 1000000 /dev/zero; echo; echo done; exit 4"),
                             node.server().dir(), {}, [&] {
                               ::dup2(ends[1], 1);
                               ::dup2(ends[1], 2);
                             });
  EXPECT_EQ(4, ran.exit_code);
  EXPECT_LT(ran.took, seconds(15));
  EXPECT_EQ("done", node.status("a")["last_line"]);
  EXPECT_EQ(1'000'006, node.status("a")["output_not_shown"]);
}

TEST(Guard, WithoutASegmentItRunsWithoutAReport) {
  Server::Options options;
  options.start = false;
  Server server(options);
  const auto guard = [&](std::vector<std::string> more) {
    std::vector<std::string> argv = {binary("proxysql-pulse"), "guard", "a", "--config=" + server.config()};
    argv.insert(argv.end(), more.begin(), more.end());
    argv.insert(argv.end(), {"--", "/bin/sh", "-c", "echo hi; exit 5"});
    return run_to_end(argv, server.dir());
  };
  const Ran plain = guard({});
  EXPECT_EQ(5, plain.exit_code);
  EXPECT_THAT(plain.output, HasSubstr("it is run without a report"));
  const Ran leader_only = guard({"--leader-only"});
  EXPECT_EQ(kExitSkipped, leader_only.exit_code);
  EXPECT_THAT(leader_only.output, HasSubstr("not run, for the leader alone: there is no usable state segment"));
  EXPECT_FALSE(std::filesystem::exists(server.state())) << "only beats make it";
}

TEST(Guard, ASegmentThatIsCutShortCostsTheReportAlone) {
  Node node;
  Process guard(node.guard("a", 30'000, "echo up; sleep 0.5; echo end; exit 6"), node.server().dir(), {});
  ASSERT_TRUE(eventually([&] { return guard.output().find("up") != std::string::npos; }));
  std::filesystem::resize_file(node.server().state(), 4096);
  EXPECT_EQ(6, guard.wait());
  EXPECT_THAT(guard.output(), HasSubstr("job a: end\n"));
  EXPECT_THAT(guard.output(), HasSubstr("was cut short: no report of this run"));
}

TEST(Guard, TheLongestIdleJobMakesRoom) {
  Node node;
  Process busy(node.guard("busy", 60'000, "echo up; sleep 60"), node.server().dir(), {});
  ASSERT_TRUE(eventually([&] { return busy.output().find("up") != std::string::npos; }));
  for (size_t i = 0; i < kJobSlots + 3; ++i) {
    EXPECT_EQ(0, node.run("job-" + std::to_string(i), 30'000, "true").exit_code);
  }
  EXPECT_EQ(kJobSlots, node.server().status()["jobs"].size());
  EXPECT_EQ(json::object(), node.status("job-0"));
  EXPECT_EQ(json::object(), node.status("job-3"));
  EXPECT_EQ("ok", node.status("job-4")["outcome"]);
  EXPECT_EQ(true, node.status("busy")["running"]) << "the oldest, but it runs";
  busy.signal(SIGTERM);
  EXPECT_EQ(128 + SIGTERM, busy.wait());
}

TEST(Guard, AMistakeInAJobIsTheJobsAlone) {
  Server::Options options;
  options.pulse = "jobs=( { name=\"a\" } ), ";
  Server server(options);
  EXPECT_EQ(kExitOk, server.beat().exit_code);
  const Ran job = server.run({"job", "a"});
  EXPECT_EQ(kExitConfig, job.exit_code);
  EXPECT_THAT(job.output, HasSubstr("pulse.jobs: command of \"a\" is missing"));
  const Ran check = server.run({"check-config"});
  EXPECT_EQ(kExitConfig, check.exit_code);
  EXPECT_THAT(check.output, HasSubstr("pulse.jobs: command of \"a\" is missing"));
  EXPECT_EQ("beating", server.status()["state"]);
  const Node good("{ name=\"a\" command=[\"/bin/x\"] }, ");
  EXPECT_THAT(good.server().run({"check-config"}).output,
              HasSubstr("pulse.jobs: { name=\"a\"; command=[\"/bin/x\"]; "));
}

// A person's run as root is one of the scheduler's, with the same lock and the same place in the report.
TEST(Guard, RootSharesLockAndReportWithAnother) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root";
  Node node;
  ASSERT_EQ(0, ::chown(node.server().state().c_str(), 4711, 4711));
  EXPECT_EQ(0, node.run("a", 10'000, "true").exit_code);
  struct stat lock {};
  ASSERT_EQ(0, ::stat((node.server().state() + ".job.a.lock").c_str(), &lock));
  EXPECT_EQ(4711u, lock.st_uid);
  EXPECT_EQ("ok", node.status("a")["outcome"]);
}

// Each process of a chain has ended by the time that it is found, and its child forks on. A cgroup ends them in one go.
// A chain ends of itself after so many.
TEST(Guard, ChainsOfForkAndExitAreGoneByTheLimitWhereThereIsACgroup) {
  if (::access("/sys/fs/cgroup/cgroup.procs", W_OK) != 0 &&
      ::access("/sys/fs/cgroup/unified/cgroup.procs", W_OK) != 0) {
    GTEST_SKIP() << "no cgroup is to be had here";
  }
  Server server({});
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  std::vector<std::string> argv = server.pulse({"guard", "chains", "--timeout-ms=1000"});
  argv.insert(argv.end(), {"--", "/bin/sh", "-c",
                           "f() { [ $1 -gt 0 ] && f $(($1 - 1)) & }; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; "
                           "do f 20000; done; sleep 20; : " +
                               server.dir().path()});
  const Ran ran = run_to_end(argv, server.dir());
  size_t left = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    const std::string line((std::istreambuf_iterator<char>(file)), {});
    if (line.find("sleep 20; : " + server.dir().path()) != std::string::npos) ++left;
  }
  std::printf("gone after %lld ms, %zu processes outlive it\n", static_cast<long long>(ran.took.count()), left);
  EXPECT_EQ(kExitTimeout, ran.exit_code) << ran.output;
  EXPECT_EQ(0u, left);
  // By itself it would last for 20 s; and on a busy machine all of them have to be scheduled once more to end.
  EXPECT_LE(ran.took, milliseconds(12'000)) << ran.output;
}

// Jobs of the worst kind, started by ProxySQL's scheduler twice a second with its empty environment, and a beat beside
// them. None of them needs a guard to be harmless: each ends of itself, at the latest 20 s after it began or, what
// forks on and on, after so many processes; and one doesn't begin while a process of the same one is left, for all of
// them hold a lock of this test's own.
TEST(Guard, WhateverJobsDoTheyAreGoneByTheirLimitAndTheBeatIsNotDisturbed) {
  struct Case {
    const char* name;
    const char* script;
    const char* outcome;
  };
  const Case cases[] = {
      {"hang", "sleep 20", "timed_out"},
      {"stubborn", "trap '' TERM INT HUP; sleep 10; sleep 10", "timed_out"},
      {"setsid", "setsid sh -c 'trap \"\" TERM; sleep 20; :' & sleep 20", "timed_out"},
      {"daemon", "(setsid sh -c 'trap \"\" TERM HUP; (sleep 20; :) & sleep 20; :' &) ; exit 0", "ok"},
      {"flood", "timeout 20 yes", "timed_out"},
      {"binary", "timeout 20 cat /dev/urandom", "timed_out"},
      {"signal", "kill -SEGV $$", "signal"},
      {"closed", "exec <&- >&- 2>&-; sleep 20", "timed_out"},
      // 62 processes, with the sleeps.
      {"bomb", "b() { [ $1 -gt 0 ] && { b $(($1-1)) & b $(($1-1)) & }; trap '' TERM; sleep 20; :; }; b 4", "timed_out"},
      {"runner", "exec /bin/sh DIRECTORY/runner 20000", "ok"},  // it forks and ends, forks and ends, ...
      {"asleep", "(sleep 20; kill -CONT $$) & kill -STOP $$; echo woken", "timed_out"},
      {"spin", "trap '' TERM; ulimit -t 20; while :; do :; done", "timed_out"},  // which the kernel ends, root or not
      {"fails", "echo oh no; exit 7", "failed"},
  };
  const TempDir scripts;
  scripts.write("runner", "[ $1 -le 0 ] || (exec /bin/sh " + (scripts / "runner") + " $(($1-1)) &)\n");
  std::string jobs;
  for (const Case& test : cases) {
    std::string script;
    for (const char* c = test.script; *c != '\0'; ++c) {
      if (*c == '"') script += '\\';
      script += *c;
    }
    if (const size_t at = script.find("DIRECTORY"); at != std::string::npos) script.replace(at, 9, scripts / "");
    script = "exec 9>" + (scripts / test.name) + "; flock -n 9 || exit 99; " + script;
    jobs += "{ name=\"" + std::string(test.name) + "\" command=[\"/bin/sh\",\"-c\",\"" + script +
            "\"] timeout_ms=4000 processes=3000 output_lines=2 }, ";
  }
  Server::Options options;
  options.beat_interval_ms = 1000;
  options.pulse = "timeout_ms=3000, jobs=( " + jobs + "), ";
  Server server(options);
  // Should the code under test be broken, no storm stays behind.
  struct Cleaner {
    ~Cleaner() { job_processes(state, true); }
    std::string state;
  } const cleaner{server.state()};
  const Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return server.status()["counters"]["ok"] >= 1; })) << server.log();
  int id = 100;
  for (const Case& test : cases) {
    server.query("INSERT INTO scheduler (id, active, interval_ms, filename, arg1, arg2, arg3, arg4) VALUES (" +
                 std::to_string(id++) + ", 1, 500, '" + binary("proxysql-pulse") + "', 'job', '" + test.name +
                 "', '--config=" + server.config() + "', '--state=" + server.state() + "')");
  }
  server.query("LOAD SCHEDULER TO RUNTIME");

  const auto status_of = [&](const std::string& name) {
    const json all = server.status();
    for (const json& job : all["jobs"]) {
      if (job["name"] == name) return job;
    }
    return json::object();
  };
  double oldest = 0;
  for (const Case& test : cases) {
    EXPECT_TRUE(eventually([&] {
      oldest = std::max(oldest, oldest_job_process(server.state()));
      return status_of(test.name).value("outcome", "") == test.outcome;
    })) << test.name
        << " " << status_of(test.name).dump() << server.log();
    EXPECT_LE(status_of(test.name)["duration_ms"], 6000) << test.name;
  }
  for (const Case& test : cases) {
    EXPECT_NE(99, status_of(test.name)["exit_code"]) << test.name << ": something was left of the run before";
  }
  EXPECT_GT(oldest, 0.5) << "they did run";
  EXPECT_LT(oldest, 8) << "the limit is 4 s; the rest is for a busy machine";
  const std::string metrics = daemon.get("/metrics").text;
  for (const Case& test : cases) {
    const std::string series =
        std::string("proxysql_pulse_job_runs_total{name=\"") + test.name + "\",outcome=\"" + test.outcome + "\"} ";
    EXPECT_THAT(metrics, HasSubstr(series));
    EXPECT_THAT(metrics, Not(HasSubstr(series + "0\n")));
  }
  EXPECT_EQ("oh no", status_of("fails")["last_line"]);
  EXPECT_GT(status_of("hang")["counters"]["skipped_busy"], 0);

  server.query("DELETE FROM scheduler WHERE id >= 100");
  server.query("LOAD SCHEDULER TO RUNTIME");
  EXPECT_TRUE(eventually([&] { return job_processes(server.state()).empty(); })) << job_processes(server.state());
  const json status = server.status();
  EXPECT_EQ(0, status["counters"]["failed"]) << status.dump(1) << server.log();
  EXPECT_EQ(0, status["counters"]["timed_out"]) << status.dump(1) << server.log();
  for (const json& beat : status["history"]) EXPECT_EQ(0, beat["exit_code"]);
  EXPECT_EQ("beating", status["state"]);
  EXPECT_GT(status["counters"]["ok"], 3);
}

}  // namespace
}  // namespace pulse::test
