// A drain of ProxySQL 3, whose clients are of both protocols.
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

constexpr milliseconds kTimeout{7100};
constexpr milliseconds kSlack{1500};  // machines are shared

class PgsqlDrain : public PgsqlServerTest {
 protected:
  Server::Options options() const {
    Server::Options options = PgsqlServerTest::options();
    options.pulse =
        "interval_ms=2000, timeout_ms=1500, drain={ settle_ms=1000, timeout_ms=" + std::to_string(kTimeout.count()) +
        " }, ";
    return options;
  }
  static std::string variable(Server& server, const std::string& name) {
    return server.value("SELECT variable_value FROM runtime_global_variables WHERE variable_name='" + name + "'");
  }
  static std::string paused(Server& server, const std::string& protocol) {
    return server.value("SELECT Variable_Value FROM stats_" + protocol + "_global WHERE Variable_Name='" + protocol +
                        "_listener_paused'");
  }
};

TEST_F(PgsqlDrain, IdleClientsAreClosedAndOpenTransactionsLeftAlone) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  PgsqlClient idle(server.pgsql_port(), "app", "app");
  ASSERT_TRUE(idle.query("SELECT 1")) << idle.error();
  EXPECT_EQ("1", idle.value());
  auto mysql =
      AdminClient::connect({"127.0.0.1", server.mysql_port(), "app", "app", false}, Deadline::after(kPatience));
  ASSERT_TRUE(mysql) << mysql.error().text;
  PgsqlClient staying(server.pgsql_port(), "app", "app");
  ASSERT_TRUE(staying.query("BEGIN") && staying.query("SELECT 1")) << staying.error();
  Process drain(server.pulse({"drain", "--timeout-ms=12000"}), server.dir(), Process::Options{{}, "drain", {}});
  ASSERT_TRUE(eventually([&] { return server.status()["drain"]["clients"] == 1; }, seconds(10))) << drain.output();
  EXPECT_FALSE(idle.query("SELECT 1"));
  EXPECT_FALSE(mysql->query("SELECT 1", Deadline::after(seconds(5))));
  EXPECT_TRUE(staying.query("SELECT 1")) << staying.error();
  EXPECT_TRUE(staying.query("COMMIT")) << staying.error();
  EXPECT_EQ(kExitOk, drain.wait()) << "from the COMMIT on it is idle";
  EXPECT_THAT(drain.output(), HasSubstr("with 3 clients"));
  EXPECT_THAT(drain.output(), HasSubstr("no client was left"));
  EXPECT_EQ(0, server.process().wait(seconds(5)));
}

TEST_F(PgsqlDrain, UndrainPutsBothBack) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  for (const char* set :
       {"UPDATE global_variables SET variable_value='12345678' WHERE variable_name='pgsql-wait_timeout'",
        "UPDATE global_variables SET variable_value='1234' WHERE variable_name='pgsql-poll_timeout'",
        "LOAD PGSQL VARIABLES TO RUNTIME",
        "UPDATE global_variables SET variable_value='17' WHERE variable_name='pgsql-shun_on_failures'"}) {
    server.query(set);
  }
  const Ran ran = server.run({"drain", "--no-shutdown"});
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("pgsql-shun_on_failures had been set and not loaded"));
  for (const char* protocol : {"mysql", "pgsql"}) {
    EXPECT_EQ("10", variable(server, std::string(protocol) + "-poll_timeout"));
    EXPECT_LE(variable(server, std::string(protocol) + "-wait_timeout").size(), 4u);
  }
  EXPECT_EQ(kExitOk, server.run({"undrain"}).exit_code);
  EXPECT_EQ("12345678", variable(server, "pgsql-wait_timeout"));
  EXPECT_EQ("1234", variable(server, "pgsql-poll_timeout"));
  EXPECT_EQ("28800000", variable(server, "mysql-wait_timeout"));
  EXPECT_EQ("2000", variable(server, "mysql-poll_timeout"));
}

TEST_F(PgsqlDrain, BothPortsArePausedAndResumed) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  PgsqlClient staying(server.pgsql_port(), "app", "app");
  ASSERT_TRUE(staying.query("BEGIN") && staying.query("SELECT 1")) << staying.error();
  for (const char* which : {"first", "second"}) {
    const Ran ran = server.run({"drain", "--no-shutdown"});
    EXPECT_EQ(kExitOk, ran.exit_code) << which << ran.output;
    EXPECT_LE(ran.took, kTimeout + kSlack);
    EXPECT_THAT(ran.output, HasSubstr("drained and paused: new connections are refused; 1 client left"));
  }
  for (const char* protocol : {"mysql", "pgsql"}) EXPECT_EQ("true", paused(server, protocol));
  EXPECT_FALSE(connect_loopback(server.mysql_port()));
  EXPECT_FALSE(connect_loopback(server.pgsql_port()));
  EXPECT_TRUE(staying.query("SELECT 1")) << staying.error();
  const Ran undrain = server.run({"undrain"});
  EXPECT_EQ(kExitOk, undrain.exit_code) << undrain.output;
  for (const char* protocol : {"mysql", "pgsql"}) EXPECT_EQ("false", paused(server, protocol));
  EXPECT_TRUE(connect_loopback(server.mysql_port()));
  EXPECT_TRUE(PgsqlClient(server.pgsql_port(), "app", "app").is_open());
}

TEST_F(PgsqlDrain, WithAHungAdminInterfaceTheKernelCountsBothPorts) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  PgsqlClient staying(server.pgsql_port(), "app", "app");
  ASSERT_TRUE(staying.query("SELECT 1")) << staying.error();
  server.wedge(seconds(60));
  const Ran ran = server.run({"drain"});
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("1 client cut"));
  EXPECT_THAT(ran.output, HasSubstr("stopped by SIGTERM"));
  EXPECT_EQ(0, server.process().wait(seconds(5)));
}

}  // namespace
}  // namespace pulse::test
