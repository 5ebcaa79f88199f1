// The main promise: an admin interface that hangs piles up nothing.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <map>
#include <thread>

#include "src/base/exit_code.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

constexpr int kIntervalMs = 500;
constexpr milliseconds kTimeout{400};
constexpr milliseconds kSlack{250};  // machines are shared

Server::Options every_half_second() {
  Server::Options options;
  options.role = "core";
  options.beat_interval_ms = kIntervalMs;
  return options;
}

// One minute under a wedge, sampled all the time.
struct Watch {
  size_t most_beats = 0;
  milliseconds longest{0};
  int most_threads = 0;
  int probes = 0;
  int failed_probes = 0;
  std::vector<double> probe_ms;
};

Watch watch(const Server& server, const Daemon& daemon, seconds span) {
  Watch seen;
  std::map<pid_t, int64_t> first_seen;
  const Deadline end = Deadline::after(span);
  while (!end.passed()) {
    const std::vector<pid_t> beats = server.beats();
    seen.most_beats = std::max(seen.most_beats, beats.size());
    for (const pid_t pid : beats) {
      const int64_t since = first_seen.emplace(pid, monotonic_ns()).first->second;
      seen.longest =
          std::max(seen.longest, std::chrono::duration_cast<milliseconds>(nanoseconds(monotonic_ns() - since)));
    }
    seen.most_threads = std::max(seen.most_threads, server.threads());
    const Daemon::Answer answer = daemon.get("/healthz/ready");
    ++seen.probes;
    if (answer.status != 200) ++seen.failed_probes;
    seen.probe_ms.push_back(answer.ms);
    std::this_thread::sleep_for(milliseconds(10));
  }
  std::sort(seen.probe_ms.begin(), seen.probe_ms.end());
  return seen;
}

// Who starts beats, and how often.
struct Starts {
  const char* by;
  int row_ms;
  const char* pulse;
  milliseconds interval;
  milliseconds timeout;
};

class WedgeOfAMinute : public ::testing::TestWithParam<Starts> {};

TEST_P(WedgeOfAMinute, PilesUpNothing) {
  Server::Options options = every_half_second();
  options.beat_interval_ms = GetParam().row_ms;
  options.pulse = GetParam().pulse;
  Server server(options);
  Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.state() == "beating"; })) << daemon.process().output();
  ASSERT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 200; }));
  const int threads_before = server.threads();

  constexpr seconds kWedge{60};
  const int64_t wedged_at = monotonic_ns();
  server.wedge(kWedge);
  const int64_t attempts_before = server.status()["counters"]["started"];
  ASSERT_TRUE(eventually([&] { return daemon.state() == "admin_unresponsive"; },
                         2 * (GetParam().interval + milliseconds(505)) + GetParam().timeout + kSlack))
      << "within two beats";
  const auto left = kWedge - std::chrono::duration_cast<seconds>(nanoseconds(monotonic_ns() - wedged_at)) - seconds(3);
  const Watch seen = watch(server, daemon, left);
  EXPECT_EQ("admin_unresponsive", daemon.state());

  const nlohmann::json status = server.status();
  const int64_t attempts = status["counters"]["started"].get<int64_t>() - attempts_before;
  RecordProperty("most_beats", static_cast<int>(seen.most_beats));
  RecordProperty("longest_ms", static_cast<int>(seen.longest.count()));
  RecordProperty("extra_threads", seen.most_threads - threads_before);
  RecordProperty("attempts", static_cast<int>(attempts));
  RecordProperty("probe_p99_us", static_cast<int>(seen.probe_ms[seen.probe_ms.size() * 99 / 100] * 1000));
  std::printf(
      "beats at once %zu, longest %lld ms, extra threads %d, attempts %lld, probes %d, p50 %.2f ms, p99 %.2f ms\n",
      seen.most_beats, static_cast<long long>(seen.longest.count()), seen.most_threads - threads_before,
      static_cast<long long>(attempts), seen.probes, seen.probe_ms[seen.probe_ms.size() / 2],
      seen.probe_ms[seen.probe_ms.size() * 99 / 100]);
  EXPECT_LE(seen.most_beats, 1u);
  EXPECT_LE(seen.longest, GetParam().timeout + kSlack);
  EXPECT_LE(seen.most_threads - threads_before, 12);
  EXPECT_LE(attempts, 10);
  EXPECT_GT(seen.probes, 500);
  EXPECT_EQ(0, seen.failed_probes) << "the data plane works: ready stays 200";
  EXPECT_LT(seen.probe_ms[seen.probe_ms.size() / 2], 5.0);

  // All blocked threads go when the wedge ends; the beats notice, and the first attempt works.
  server.unwedge();
  ASSERT_TRUE(eventually([&] { return daemon.state() == "beating"; }, seconds(45)))
      << "by the longest back-off: " << daemon.process().output();
  const auto not_ok = [](const nlohmann::json& counters) {
    return counters["started"].get<int64_t>() - counters["ok"].get<int64_t>();
  };
  EXPECT_EQ(not_ok(status["counters"]), not_ok(server.status()["counters"])) << "no attempt failed after the wedge";
  EXPECT_TRUE(eventually([&] { return server.threads() <= threads_before + 2; }));
}

// The second is what proxysql-config/ has.
INSTANTIATE_TEST_SUITE_P(Wedge, WedgeOfAMinute,
                         ::testing::Values(Starts{"Scheduler", kIntervalMs, "", milliseconds(kIntervalMs), kTimeout},
                                           Starts{"Daemon", 30'000,
                                                  "interval_ms=2000, timeout_ms=1500, daemon={ beats=\"always\" }, ",
                                                  milliseconds(2000), milliseconds(1500)}),
                         [](const auto& of) { return of.param.by; });

// Beats come from a wrapper without exec, from cron, from a timer: each has another parent, and none of them is
// ProxySQL.
TEST(Wedge, BackOffHoldsThoughEachBeatHasAnotherParent) {
  Server::Options options;
  options.role = "core";
  options.pulse = "interval_ms=500, timeout_ms=200, ";
  Server server(options);
  const auto wrapped_beat = [&] {
    const std::string command = binary("proxysql-pulse") + " beat --config=" + server.config();
    return run_to_end({"/bin/sh", "-c", command + "; exit $?"}, server.dir());
  };
  ASSERT_EQ(kExitOk, wrapped_beat().exit_code);
  const int threads_before = server.threads();
  constexpr seconds kWedge{12};
  server.wedge(kWedge);
  const int64_t before = server.status()["counters"]["started"];
  const Deadline end = Deadline::after(seconds(10));
  int beats = 0;
  while (!end.passed()) {
    wrapped_beat();
    ++beats;
    std::this_thread::sleep_for(milliseconds(100));
  }
  const int64_t attempts = server.status()["counters"]["started"].get<int64_t>() - before;
  std::printf("%d beats, %lld attempts, %d threads more\n", beats, static_cast<long long>(attempts),
              server.threads() - threads_before);
  EXPECT_GT(beats, 20);
  EXPECT_LE(attempts, 5) << "at 0, 1.2, 3.4 and 7.6 s";
  EXPECT_LE(server.threads() - threads_before, 7);
  // The next attempt would be due 8 s after the last one; ProxySQL's own threads tell of the end, so it comes with one
  // of the next beats, however long these take on a busy machine.
  server.unwedge();
  const int64_t unwedged_at = monotonic_ns();
  int until_ok = 0;
  EXPECT_TRUE(eventually([&] { return ++until_ok, wrapped_beat().exit_code == kExitOk; }));
  std::printf("beating %lld ms after the end, by the %dth beat\n",
              static_cast<long long>((monotonic_ns() - unwedged_at) / 1'000'000), until_ok);
  if (!is_real()) {
    EXPECT_LE(until_ok, 20);
  }
}

TEST(Wedge, OfKind2IsASilentScheduler) {
  if (is_real()) GTEST_SKIP() << "the double does it on request";
  Server server(every_half_second());
  Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.state() == "beating"; }));
  server.control("wedge 2");
  ASSERT_TRUE(eventually([&] { return daemon.state() == "scheduler_silent"; }, seconds(10)));
  EXPECT_EQ(200, daemon.get("/healthz/ready").status);
  EXPECT_EQ(200, daemon.get("/healthz/live").status);
  server.unwedge();
  EXPECT_TRUE(eventually([&] { return daemon.state() == "beating"; }, seconds(15)));
}

TEST(Wedge, AStoppedProxySQLIsASilentSchedulerWithinThreeIntervals) {
  Server server(every_half_second());
  Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.state() == "beating"; }));
  server.process().signal(SIGSTOP);
  const int64_t stopped_at = monotonic_ns();
  // A beat that had been started may still time out first; silence is reported after it.
  ASSERT_TRUE(eventually([&] { return daemon.state() == "scheduler_silent"; }, seconds(10)));
  EXPECT_LT(nanoseconds(monotonic_ns() - stopped_at), milliseconds(4 * kIntervalMs + 505) + kTimeout + kSlack);
  EXPECT_GE(daemon.get("/status").body["heartbeat"]["age_ms"], 3 * kIntervalMs);
  server.process().signal(SIGCONT);
  EXPECT_TRUE(eventually([&] { return daemon.state() == "beating"; }, seconds(15)));
}

// Nobody empties the accept queue of a stopped ProxySQL: with clients knocking, the data plane is known to be dead.
TEST(Wedge, AStoppedProxySQLWithClientsIsNotReady) {
  Server server(every_half_second());
  Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 200; }));
  server.process().signal(SIGSTOP);
  const Ran client = run_to_end({"/bin/bash", "-c",
                                 "exec 3<>/dev/tcp/127.0.0.1/" + std::to_string(server.mysql_port()) +
                                     "; exec 4<>/dev/tcp/127.0.0.1/" + std::to_string(server.mysql_port())},
                                server.dir());
  ASSERT_EQ(0, client.exit_code);
  EXPECT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 503; }, seconds(15)));
  server.process().signal(SIGCONT);
  EXPECT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 200; }, seconds(15)));
}

TEST(Wedge, AStoppedBeatIsKilledByALaterOneWhichWorks) {
  Server::Options options;
  options.role = "core";
  options.pulse = "timeout_ms=200, ";
  Server server(options);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  // Stopped between its lock and its end: its timer's signal stays pending, as in a frozen container.
  server.wedge(seconds(8));
  Process stopped(server.pulse({"beat"}), server.dir(), {{}, "stopped", {}});
  ASSERT_TRUE(eventually([&] { return server.status()["heartbeat"]["running"] == true; }, seconds(5)));
  stopped.signal(SIGSTOP);
  EXPECT_EQ(kExitSkipped, server.beat().exit_code) << "not overdue yet: left alone";
  ASSERT_TRUE(eventually(
      [&] {
        // The deadline is 200 ms after the start; status sees it as stuck one second later.
        return server.status()["state"] == "admin_unresponsive";
      },
      seconds(5)));
  server.unwedge();
  ASSERT_TRUE(eventually(
      [&] {
        const Ran later = server.beat();
        return later.output.find("killed a beat that was") != std::string::npos || stopped.wait(milliseconds(0));
      },
      seconds(5)));
  EXPECT_EQ(-SIGKILL, stopped.wait(seconds(5)));
  EXPECT_TRUE(eventually([&] { return server.beat().exit_code == kExitOk; }, seconds(15)));
  const nlohmann::json counters = server.status()["counters"];
  EXPECT_EQ(1, counters["killed_overdue"]);
  EXPECT_EQ(counters["started"],
            counters["ok"].get<int>() + counters["failed"].get<int>() + counters["timed_out"].get<int>());
}

}  // namespace
}  // namespace pulse::test
