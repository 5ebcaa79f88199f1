// The daemon's look at ProxySQL 3's port for PostgreSQL clients, and what the probes make of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/admin/admin_client.h"
#include "src/base/exit_code.h"
#include "tests/integration/pgsql_client.h"
#include "tests/integration/pgsql_server.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PgsqlHealth : public PgsqlServerTest {
 protected:
  // Serves both protocols.
  Server::Options options(const std::string& daemon = "") const {
    Server::Options options = PgsqlServerTest::options();
    options.pulse = "interval_ms=2000, timeout_ms=1500, daemon={ " + daemon + " }, ";
    return options;
  }
  static bool becomes(const Daemon& daemon, const std::string& path, int status) {
    return eventually([&] { return daemon.get(path).status == status; });
  }
};

TEST_F(PgsqlHealth, ClientsAndBackendsAreToldApartAndTogether) {
  Server server(options());
  const Deadline soon = Deadline::after(kPatience);
  const auto mysql = AdminClient::connect({"127.0.0.1", server.mysql_port(), "app", "app", false}, soon);
  ASSERT_TRUE(mysql) << mysql.error().text;
  const PgsqlClient one(server.pgsql_port(), "app", "app"), two(server.pgsql_port(), "app", "app");
  ASSERT_TRUE(one.is_open() && two.is_open()) << one.error() << two.error();
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  const Daemon daemon(server);
  ASSERT_TRUE(becomes(daemon, "/healthz/ready", 200));
  for (const char* path : {"/healthz/ready", "/status"}) {
    const nlohmann::json body = daemon.get(path).body;
    EXPECT_EQ(3, body["clients"]) << path;
    EXPECT_EQ(1, body["mysql"]["clients"]) << body.dump();
    EXPECT_EQ(2, body["pgsql"]["clients"]) << body.dump();
    EXPECT_EQ(2, body["backends"]["total"]);
    EXPECT_EQ(1, body["mysql"]["backends"]["total"]);
    EXPECT_EQ(1, body["pgsql"]["backends"]["online"]);
    EXPECT_EQ(true, body["pgsql"]["served"]);
    EXPECT_EQ(true, body["pgsql"]["port_answers"]);
  }
  EXPECT_EQ(server.pgsql_port(), daemon.get("/status").body["pgsql_port"]["port"]);
  const std::string metrics = daemon.get("/metrics").text;
  EXPECT_THAT(metrics, HasSubstr("proxysql_pulse_clients 3\n"));
  EXPECT_THAT(metrics, HasSubstr("proxysql_pulse_protocol_clients{protocol=\"pgsql\"} 2\n"));
  EXPECT_THAT(metrics, HasSubstr("proxysql_pulse_protocol_port_answers{protocol=\"pgsql\"} 1\n"));
  const std::string status = server.run({"status"}).output;
  EXPECT_THAT(status, HasSubstr("127.0.0.1:" + std::to_string(server.pgsql_port()) + " answers, 2 clients"));
  EXPECT_THAT(status, HasSubstr("pgsql: 1 online"));
  // The kernel's tables count alike, once the beats' count is old.
  EXPECT_TRUE(eventually([&] {
    const nlohmann::json body = daemon.get("/status").body;
    return body["state"] == "scheduler_silent" && body["mysql"]["clients"] == 1 && body["pgsql"]["clients"] == 2;
  }));
}

TEST_F(PgsqlHealth, AServedPortThatDiesFailsReadyAndThenLive) {
  if (is_real()) GTEST_SKIP() << "only the double closes one port and not the other";
  Server server(options("mysql_dead_after_ms=1000"));
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  const Daemon daemon(server);
  ASSERT_TRUE(becomes(daemon, "/healthz/ready", 200));
  server.control("port pgsql down");
  ASSERT_TRUE(becomes(daemon, "/healthz/ready", 503));
  const std::string why = "the PostgreSQL port doesn't answer: nothing listens on the port";
  EXPECT_EQ(why, daemon.get("/healthz/ready").body["message"]);
  EXPECT_EQ(true, daemon.get("/status").body["mysql_port"]["answers"]);
  ASSERT_TRUE(becomes(daemon, "/healthz/live", 503));
  EXPECT_THAT(daemon.get("/healthz/live").body["message"], HasSubstr(why + ", for "));
  EXPECT_EQ(200, daemon.get("/healthz/started").status);
  EXPECT_THAT(server.run({"doctor"}).output, HasSubstr("pgsql port"));
  server.control("port pgsql up");
  EXPECT_TRUE(becomes(daemon, "/healthz/ready", 200));
  EXPECT_TRUE(becomes(daemon, "/healthz/live", 200));
}

// ProxySQL 3 opens the port unasked, and a file that SAVE CONFIG TO FILE has written names it.
TEST_F(PgsqlHealth, APortThatNobodyUsesHurtsNobody) {
  if (is_real()) GTEST_SKIP() << "only the double closes one port and not the other";
  Server::Options mysql_alone = options("mysql_dead_after_ms=1000");
  mysql_alone.pgsql_servers = mysql_alone.pgsql_users = "";
  Server server(mysql_alone);
  const Daemon before(server);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  ASSERT_TRUE(becomes(before, "/healthz/ready", 200));
  server.control("port pgsql down");
  EXPECT_TRUE(eventually([&] { return before.get("/status").body["pgsql_port"]["answers"] == false; }));
  const Daemon after(server);
  for (const Deadline end = Deadline::after(seconds(3)); !end.passed();) {
    for (const char* path : {"/healthz/ready", "/healthz/live"}) {
      ASSERT_EQ(200, before.get(path).status);
      ASSERT_EQ(200, after.get(path).status);
    }
  }
  EXPECT_EQ(false, after.get("/status").body["pgsql"]["served"]);
}

TEST(PgsqlPort, AProxysqlWithoutPostgresqlIsReadyWithAFileForBoth) {
  if (is_real() && proxysql_major() >= 3) GTEST_SKIP() << "this one has it";
  Server::Options old;
  old.version = is_real() ? "" : "2.7.1-16-g2726c27";
  old.pulse = "interval_ms=2000, timeout_ms=1500, daemon={ pgsql_port=" + std::to_string(free_port()) + " }, ";
  Server server(old);
  const Daemon daemon(server);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  EXPECT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 200; })) << daemon.get("/status").text;
  EXPECT_EQ(false, daemon.get("/status").body["pgsql"]["served"]);
}

TEST_F(PgsqlHealth, ASatelliteForPostgresqlAloneIsReadyOnceItsServersCame) {
  for (const bool mysql_is_on : {true, false}) {
    if (is_real() && !mysql_is_on) continue;  // 3.0.1 can't switch it off
    Server::Options alone = options();
    alone.mysql = mysql_is_on;
    alone.mysql_servers = alone.mysql_users = alone.pgsql_servers = alone.pgsql_users = "";
    Server server(alone);
    const Daemon daemon(server);
    ASSERT_EQ(kExitOk, server.beat().exit_code);
    ASSERT_TRUE(becomes(daemon, "/healthz/started", 200)) << daemon.get("/status").text;
    EXPECT_EQ(503, daemon.get("/healthz/ready").status);
    EXPECT_THAT(daemon.get("/healthz/ready").body["message"], HasSubstr("no configuration has been received"));
    // As a pull leaves it.
    server.query("INSERT INTO pgsql_servers (hostgroup_id, hostname, port) VALUES (7, '127.0.0.1', 5432)");
    server.query("LOAD PGSQL SERVERS TO RUNTIME");
    ASSERT_EQ(kExitOk, server.beat().exit_code);
    EXPECT_TRUE(becomes(daemon, "/healthz/ready", 200)) << daemon.get("/status").text;
    const nlohmann::json body = daemon.get("/status").body;
    EXPECT_EQ(true, body["pgsql"]["served"]) << body.dump();
    EXPECT_EQ(1, body["pgsql"]["backends"]["online"]);
    EXPECT_EQ(mysql_is_on, body["mysql"]["port_answers"]);
    EXPECT_EQ(200, daemon.get("/healthz/live").status);
  }
}

TEST_F(PgsqlHealth, AnActiveLookIsAnsweredAndLeavesNothing) {
  Server server(options("mysql_look=\"active\""));
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  const std::string aborted =
      "SELECT Variable_Value FROM stats_pgsql_global WHERE Variable_Name='Client_Connections_aborted'";
  const std::string before = server.value(aborted);
  const Daemon daemon(server);
  ASSERT_TRUE(becomes(daemon, "/healthz/ready", 200)) << daemon.get("/status").text;
  const nlohmann::json port = daemon.get("/status").body["pgsql_port"];
  EXPECT_EQ("connection", port["how"]) << port.dump();
  EXPECT_THAT(port["reason"].get<std::string>(), HasSubstr("greeted in"));
  int looks = 0;
  int64_t age = 0;
  ASSERT_TRUE(eventually([&] {  // a later look's age is less
    const int64_t now = daemon.get("/status").body["pgsql_port"]["looked_age_ms"];
    looks += now < age ? 1 : 0;
    age = now;
    return looks >= 3;
  }));
  EXPECT_EQ(before, server.value(aborted));
  EXPECT_TRUE(eventually([&] {
    return server.value(
               "SELECT Variable_Value FROM stats_pgsql_global WHERE Variable_Name='Client_Connections_connected'") ==
           "0";
  })) << "no look costs a session";
  EXPECT_THAT(server.log(), Not(HasSubstr("[ERROR]")));
  const PgsqlClient client(server.pgsql_port(), "app", "app");
  EXPECT_TRUE(client.is_open()) << client.error();
}

}  // namespace
}  // namespace pulse::test
