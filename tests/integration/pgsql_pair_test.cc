// A core and a satellite for PostgreSQL alone: formed, healed, probed, drained. ProxySQL 3.0.1 syncs nothing of
// PostgreSQL's, nor does the double: each node's own file has its servers and users.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/base/exit_code.h"
#include "tests/integration/pgsql_client.h"
#include "tests/integration/pgsql_server.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;

// With MySQL switched off, or on and without rows.
class PgsqlPair : public PgsqlServerTest, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    PgsqlServerTest::SetUp();
    if (IsSkipped()) return;
    if (is_real() && !GetParam()) GTEST_SKIP() << "3.0.1 can't switch MySQL off";
    core_ = std::make_unique<Server>(node("core"));
    core_->rewrite([&](Server::Options& options) { options.bootstrap = row(*core_); });
    core_->start();
    satellite_ = std::make_unique<Server>(node("satellite"));
    satellite_->rewrite([&](Server::Options& options) { options.bootstrap = row(*core_); });
    satellite_->start();
  }
  Server::Options node(const std::string& role) const {
    Server::Options options = PgsqlServerTest::options();
    options.role = role;
    options.start = false;
    options.beat_interval_ms = 1000;
    options.mysql = GetParam();
    options.mysql_servers = options.mysql_users = "";
    options.pulse = "drain={ settle_ms=1000, timeout_ms=9000 }, ";
    return options;
  }
  static std::string row(const Server& server) {
    return "{ hostname=\"127.0.0.1\", port=" + std::to_string(server.admin_port()) + " },";
  }
  static bool is_ready(const Daemon& daemon) {
    return eventually([&] { return daemon.get("/healthz/ready").status == 200; });
  }

  std::unique_ptr<Server> core_, satellite_;
};

TEST_P(PgsqlPair, IsFormedHealedProbedAndDrained) {
  const Daemon core(*core_), satellite(*satellite_);
  for (const Daemon* daemon : {&core, &satellite}) {
    ASSERT_TRUE(is_ready(*daemon)) << daemon->get("/status").text;
    ASSERT_TRUE(eventually([&] { return daemon->state() == "beating"; })) << daemon->get("/status").text;
    const nlohmann::json body = daemon->get("/healthz/ready").body;
    EXPECT_EQ(true, body["pgsql"]["served"]) << body.dump();
    EXPECT_EQ(1, body["pgsql"]["backends"]["online"]) << body.dump();
    EXPECT_EQ(0, body["mysql"]["backends"]["total"]) << body.dump();
  }
  EXPECT_TRUE(eventually([&] { return satellite.get("/status").body["proxysql"]["live_cores"] == 1; }));

  // Emptied by a hand or a bad pull.
  const auto table = [&] { return satellite_->column("SELECT port FROM runtime_proxysql_servers"); };
  satellite_->query("DELETE FROM proxysql_servers");
  satellite_->query("LOAD PROXYSQL SERVERS TO RUNTIME");
  EXPECT_TRUE(eventually([&] { return table() == std::to_string(core_->admin_port()); })) << table();

  PgsqlClient pooled(satellite_->pgsql_port(), "app", "app");
  ASSERT_TRUE(pooled.query("SELECT 1")) << pooled.error();
  PgsqlClient transaction(satellite_->pgsql_port(), "app", "app");
  ASSERT_TRUE(transaction.query("BEGIN") && transaction.query("SELECT 1")) << transaction.error();
  Process drain(satellite_->pulse({"drain"}), satellite_->dir(), Process::Options{{}, "drain", {}});
  EXPECT_TRUE(eventually([&] { return satellite.get("/healthz/ready").status == 503; }));
  ASSERT_TRUE(eventually([&] { return satellite_->status()["drain"]["clients"] == 1; })) << drain.output();
  EXPECT_FALSE(pooled.query("SELECT 1")) << "it was resting, and is closed";
  EXPECT_TRUE(transaction.query("COMMIT")) << transaction.error();
  EXPECT_EQ(kExitOk, drain.wait()) << drain.output();
  EXPECT_THAT(drain.output(), HasSubstr("no client was left"));
  EXPECT_EQ(0, satellite_->process().wait(seconds(5)));
  EXPECT_EQ(200, satellite.get("/healthz/live").status) << "a drain isn't a death";

  satellite_->start();
  EXPECT_TRUE(is_ready(satellite)) << satellite.get("/status").text;
  EXPECT_EQ(200, core.get("/healthz/ready").status);
}

INSTANTIATE_TEST_SUITE_P(Mysql, PgsqlPair, ::testing::Bool(),
                         [](const auto& on) { return on.param ? "WithoutRows" : "Off"; });

}  // namespace
}  // namespace pulse::test
