// A satellite comes back from an empty table, from dead cores, and from beats that die anywhere on the way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <random>
#include <thread>

#include "src/base/exit_code.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string entry(uint16_t port) {
  return "{ hostname=\"127.0.0.1\", port=" + std::to_string(port) + ", comment=\"core\" },";
}

Server::Options core_options() {
  Server::Options options;
  options.role = "core";
  return options;
}

// One core that is alive, and a satellite whose file names it.
class HealTest : public ::testing::Test {
 protected:
  HealTest() : core_(core_options()), satellite_(satellite_options()) {}

  Server::Options satellite_options() const {
    Server::Options options;
    options.bootstrap = entry(core_.admin_port());
    options.pulse = "timeout_ms=2000, satellite={ peer_timeout_ms=1000 }, ";
    return options;
  }
  std::string at_runtime() { return satellite_.column("SELECT port FROM runtime_proxysql_servers ORDER BY port"); }
  std::string in_memory() { return satellite_.column("SELECT port FROM proxysql_servers ORDER BY port"); }
  bool beats_until(const std::string& ports) {
    return eventually(
        [&] { return satellite_.beat().exit_code == kExitOk && at_runtime() == ports && in_memory() == ports; },
        seconds(15));
  }
  // Puts rows of cores that nobody answers for into memory and runtime.
  void replace_by_dead_cores() {
    satellite_.query("DELETE FROM proxysql_servers");
    for (const char* port : {"1", "2"}) {
      satellite_.query("INSERT INTO proxysql_servers (hostname, port, weight, comment) VALUES ('127.0.0.1', " +
                       std::string(port) + ", 0, '')");
    }
    satellite_.query("LOAD PROXYSQL SERVERS TO RUNTIME");
  }
  std::string core_port() const { return std::to_string(core_.admin_port()); }

  Server core_;
  Server satellite_;
};

TEST_F(HealTest, AQuietBeatWritesNothingAndLogsNothing) {
  ASSERT_TRUE(eventually(
      [&] { return satellite_.beat().exit_code == kExitOk && satellite_.status()["proxysql"]["live_cores"] == 1; }));
  const std::string versions = "SELECT name || version FROM runtime_checksums_values ORDER BY name";
  const std::string before = satellite_.column(versions);
  for (int i = 0; i < 5; ++i) {
    const Ran ran = satellite_.beat();
    EXPECT_EQ(kExitOk, ran.exit_code);
    EXPECT_EQ("", ran.output);
  }
  EXPECT_EQ(before, satellite_.column(versions));
  EXPECT_EQ(0, satellite_.status()["history"][0]["writes"]);
}

TEST_F(HealTest, AnEmptiedTableIsHealedByTheNextBeat) {
  satellite_.query("DELETE FROM proxysql_servers");
  satellite_.query("LOAD PROXYSQL SERVERS TO RUNTIME");
  ASSERT_EQ("", at_runtime());
  const Ran ran = satellite_.beat();
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_EQ(core_port(), at_runtime());
  EXPECT_THAT(ran.output, HasSubstr("LOAD PROXYSQL SERVERS FROM CONFIG: proxysql_servers is empty"));
  EXPECT_THAT(ran.output, HasSubstr("LOAD PROXYSQL SERVERS TO RUNTIME: proxysql_servers is empty"));
  // And it follows its core again.
  EXPECT_TRUE(eventually(
      [&] { return satellite_.beat().exit_code == kExitOk && satellite_.status()["proxysql"]["live_cores"] == 1; }));
}

TEST_F(HealTest, ATableThatSomebodyElsesLookEmptiesForAnInstantIsLeftAlone) {
  if (is_real()) GTEST_SKIP() << "one look in thousands meets that there; the double does it on request";
  ASSERT_TRUE(eventually(
      [&] { return satellite_.beat().exit_code == kExitOk && satellite_.status()["proxysql"]["live_cores"] == 1; }));
  const std::string versions = "SELECT name || version FROM runtime_checksums_values ORDER BY name";
  const std::string before = satellite_.column(versions);
  satellite_.control("empty_looks 1");
  EXPECT_EQ("", satellite_.beat().output);
  satellite_.control("empty_looks 1");
  EXPECT_THAT(satellite_.run({"beat", "--dry-run"}).output, Not(HasSubstr("would run")));
  EXPECT_EQ(before, satellite_.column(versions));
  EXPECT_EQ(0, satellite_.status()["history"][0]["writes"]);
  EXPECT_EQ(1, satellite_.status()["proxysql"]["live_cores"]);
}

TEST_F(HealTest, ATableEmptiedInMemoryAloneIsPutBackWithoutALoad) {
  ASSERT_TRUE(eventually(
      [&] { return satellite_.beat().exit_code == kExitOk && satellite_.status()["proxysql"]["live_cores"] == 1; }));
  const std::string version = "SELECT version FROM runtime_checksums_values WHERE name='proxysql_servers'";
  const std::string before = satellite_.value(version);
  satellite_.query("DELETE FROM proxysql_servers");
  EXPECT_EQ(kExitOk, satellite_.beat().exit_code);
  EXPECT_EQ(core_port(), in_memory());
  EXPECT_EQ(before, satellite_.value(version));
}

TEST_F(HealTest, DeadCoresAreReplacedAndNoInstantIsEmpty) {
  replace_by_dead_cores();
  if (!is_real()) satellite_.control("reset_stats");
  EXPECT_TRUE(beats_until(core_port()));
  if (!is_real()) {
    EXPECT_GE(satellite_.control("stats")["min_proxysql_servers_rows"], 1);
  }
  EXPECT_TRUE(eventually(
      [&] { return satellite_.beat().exit_code == kExitOk && satellite_.status()["proxysql"]["live_cores"] == 1; }));
}

TEST_F(HealTest, ADryRunSaysWhyAndChangesNothing) {
  satellite_.query("DELETE FROM proxysql_servers");
  satellite_.query("LOAD PROXYSQL SERVERS TO RUNTIME");
  const Ran ran = satellite_.run({"beat", "--dry-run"});
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("would run: LOAD PROXYSQL SERVERS FROM CONFIG"));
  EXPECT_THAT(ran.output, HasSubstr("would run: LOAD PROXYSQL SERVERS TO RUNTIME"));
  EXPECT_THAT(ran.output, HasSubstr("why: proxysql_servers is empty"));
  EXPECT_EQ("", at_runtime());
  EXPECT_EQ("", in_memory());
}

TEST_F(HealTest, AResyncGoesBackToTheFile) {
  ASSERT_TRUE(eventually(
      [&] { return satellite_.beat().exit_code == kExitOk && satellite_.status()["proxysql"]["live_cores"] == 1; }));
  EXPECT_EQ(kExitOk, satellite_.run({"resync"}).exit_code);
  EXPECT_EQ(true, satellite_.status()["resync_pending"]);
  const Ran ran = satellite_.beat();
  EXPECT_THAT(ran.output, HasSubstr("LOAD PROXYSQL SERVERS TO RUNTIME: a resync was asked for"));
  EXPECT_EQ(false, satellite_.status()["resync_pending"]);
  EXPECT_EQ("", satellite_.beat().output) << "once";
}

TEST_F(HealTest, WithoutAnythingInTheFileNothingIsLost) {
  Server::Options options = satellite_options();
  options.bootstrap = "";
  Server orphan(options);
  const Ran ran = orphan.beat();
  EXPECT_EQ(kExitOk, ran.exit_code);
  EXPECT_THAT(ran.output, HasSubstr("no proxysql_servers to go back to"));
}

TEST_F(HealTest, AThousandBeatsKilledAtRandomInstantsUnderAReadingDaemon) {
  Daemon daemon(satellite_);
  ASSERT_TRUE(eventually([&] { return satellite_.beat().exit_code == kExitOk && daemon.state() == "beating"; }));
  std::atomic<bool> stop{false};
  int reads = 0;
  std::string wrong;
  std::thread reader([&] {
    while (!stop) {
      const Daemon::Answer answer = daemon.get("/status");
      ++reads;
      if (answer.status != 200 || !answer.body.is_object()) {
        wrong = "no answer";
        continue;
      }
      const nlohmann::json& counters = answer.body["counters"];
      const auto ended =
          counters["ok"].get<int64_t>() + counters["failed"].get<int64_t>() + counters["timed_out"].get<int64_t>();
      const auto started = counters["started"].get<int64_t>();
      // What began last may run, or lie dead until the next beat finds it.
      if (started < ended || started > ended + 1) wrong = counters.dump();
      if (answer.body["segment"]["problem"] != "") wrong = answer.body["segment"]["problem"];
      for (const auto& server : answer.body["proxysql"]["proxysql_servers"]) {
        if (server["hostname"] != "127.0.0.1") wrong = server.dump();
      }
    }
  });
  std::mt19937 random(4711);
  // As long as a whole beat takes here, sanitizers included, so that kills hit every part of it.
  milliseconds whole = milliseconds::max();
  for (int i = 0; i < 5; ++i) whole = std::min(whole, satellite_.beat().took);  // the machine may be busy
  const int64_t span = std::max<int64_t>(1000, 1000 * whole.count());
  std::uniform_int_distribution<int64_t> instant(0, span);
  int killed = 0;
  for (const Deadline minute = Deadline::after(seconds(60)); killed < 1000 && !minute.passed(); ++killed) {
    Process beat(satellite_.pulse({"beat"}), satellite_.dir(), {{}, "killed", {}});
    std::this_thread::sleep_for(std::chrono::microseconds(instant(random)));
    beat.signal(SIGKILL);
    beat.wait();
  }
  stop = true;
  reader.join();
  EXPECT_EQ("", wrong);
  EXPECT_GT(reads, 100);
  EXPECT_GT(killed, 200) << "a thousand, but under sanitizers on a busy machine";
  const Ran next = satellite_.beat();
  EXPECT_EQ(kExitOk, next.exit_code) << "no stale lock, no back-off for deaths: " << next.output;
  const nlohmann::json counters = satellite_.status()["counters"];
  EXPECT_EQ(counters["started"],
            counters["ok"].get<int>() + counters["failed"].get<int>() + counters["timed_out"].get<int>());
  EXPECT_EQ(0, counters["timed_out"]);
}

}  // namespace
}  // namespace pulse::test
