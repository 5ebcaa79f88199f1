// A satellite comes back from beats that die anywhere on the way: what tests/scenarios can't tell, for kills come at
// random while a daemon is read. The scenarios heal-* tell the rest.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <random>
#include <thread>

#include "src/base/exit_code.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

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
    options.bootstrap =
        "{ hostname=\"127.0.0.1\", port=" + std::to_string(core_.admin_port()) + ", comment=\"core\" },";
    options.pulse = "timeout_ms=2000, satellite={ peer_timeout_ms=1000 }, ";
    return options;
  }
  Server core_;
  Server satellite_;
};

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
