// A wall clock that is set, under a satellite's ProxySQL.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "src/base/exit_code.h"
#include "tests/integration/cluster.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

// The wall clock of a server with this environment: tests/stepped-clock.
class WallClock {
 public:
  WallClock() { set(seconds(0)); }
  std::vector<std::string> environment() const {
    return {"LD_PRELOAD=" + std::string(PULSE_BIN_DIR) + "/libstepped-clock.so",
            "PULSE_STEPPED_CLOCK=" + (dir_ / "offset")};
  }
  // So much later than the machine's.
  void set(seconds offset) const {
    // Written in place: the server has mapped it.
    std::fstream file(dir_ / "offset", std::ios::binary | std::ios::in | std::ios::out);
    if (!file) file.open(dir_ / "offset", std::ios::binary | std::ios::out);
    const int64_t value = offset.count();
    file.write(reinterpret_cast<const char*>(&value), sizeof value);
  }

 private:
  TempDir dir_;
};

class ClockStep : public ::testing::Test {
 protected:
  static std::string row(const Server& server) {
    return "{ hostname=\"127.0.0.1\", port=" + std::to_string(server.admin_port()) + " },";
  }
  static Server::Options core() {
    Server::Options options;
    options.role = "core";
    options.start = false;
    return options;
  }
};

// The satellite's file names one core, and it has learned of the other: what a step makes look dead would go.
TEST_F(ClockStep, TakesNoLiveCoreAway) {
  Server one(core()), two(core());
  for (Server* server : {&one, &two}) {
    server->rewrite([&](Server::Options& options) { options.bootstrap = row(one) + row(two); });
    server->start();
    server->query("LOAD PROXYSQL SERVERS TO RUNTIME");  // version 2, which satellites pull
  }
  const WallClock clock;
  Server::Options with;
  with.environment = clock.environment();
  with.bootstrap = row(one);
  // Long, so that beats come between a step and ProxySQL's next check of the cores.
  with.cluster_check_ms = 1000;
  Server satellite(with);
  const auto table = [&](const std::string& name) {
    return satellite.column("SELECT port FROM " + name + " ORDER BY port");
  };
  const std::string both = std::to_string(std::min(one.admin_port(), two.admin_port())) + "," +
                           std::to_string(std::max(one.admin_port(), two.admin_port()));
  const auto checked = [&] {
    return satellite.value("SELECT COUNT(DISTINCT port) FROM stats_proxysql_servers_checksums WHERE updated_at > 0") ==
           "2";
  };
  ASSERT_TRUE(eventually([&] { return table("runtime_proxysql_servers") == both && checked(); })) << satellite.log();
  ASSERT_EQ(kExitOk, satellite.beat().exit_code);

  const auto now = [&] { return std::stoll(satellite.value("SELECT strftime('%s', 'now')")); };
  for (const seconds step : {seconds(3600), seconds(7200), seconds(86400), seconds(0), seconds(-3600), seconds(0)}) {
    clock.set(step);
    EXPECT_NEAR(static_cast<double>(std::time(nullptr) + step.count()), static_cast<double>(now()), 20);
    for (int beat = 0; beat < 4; ++beat) {
      const Ran ran = satellite.beat();
      ASSERT_EQ(kExitOk, ran.exit_code) << ran.output;
      ASSERT_EQ(both, table("runtime_proxysql_servers")) << "at " << step.count() << " s: " << ran.output;
    }
    EXPECT_EQ(both, table("proxysql_servers"));
  }
  EXPECT_EQ(0, satellite.status()["history"][0]["writes"]);
}

}  // namespace
}  // namespace pulse::test
