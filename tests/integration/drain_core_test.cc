// A core that serves is drained: nothing that it does reaches another node, and nobody in a transaction is closed.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>

#include <deque>

#include "scheduler/admin/admin_client.h"
#include "src/base/exit_code.h"
#include "src/base/unique_fd.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const char* const kUnsynced = "cluster_mysql_variables_diffs_before_sync=0, ";

class Client {
 public:
  explicit Client(const Server& server, const std::string& user = "app")
      : client_(
            AdminClient::connect({"127.0.0.1", server.mysql_port(), user, user, false}, Deadline::after(seconds(5)))) {
    EXPECT_TRUE(client_) << client_.error().text;
  }
  bool query(const std::string& statement) { return client_ && client_->query(statement, Deadline::after(seconds(5))); }

 private:
  Result<AdminClient> client_;
};

// Two cores, each with both in its file.
class DrainCoreTest : public ::testing::Test {
 protected:
  DrainCoreTest() {
    if (!is_real()) return;
    Server::Options options;
    options.double_always = true;
    options.mysql_users = kUsers;
    backend_ = std::make_unique<Server>(options);
  }

  void start(const std::string& first_variables, const std::string& second_variables) {
    for (const std::string& variables : {first_variables, second_variables}) {
      Server::Options options;
      options.role = "core";
      options.start = false;
      options.admin_variables = variables;
      const std::string backend = std::to_string(backend_ ? backend_->mysql_port() : 3306);
      options.mysql_servers = "{ address=\"127.0.0.1\", port=" + backend + ", hostgroup=0 }, " +
                              "{ address=\"127.0.0.1\", port=" + backend + ", hostgroup=1 }";
      options.mysql_users = kUsers;
      options.query_rules = "{ rule_id=1, active=1, match_pattern=\"^SELECT 7\", destination_hostgroup=1, apply=1 }";
      options.pulse = "interval_ms=2000, timeout_ms=1500, drain={ settle_ms=1000, timeout_ms=20000 }, ";
      servers_.emplace_back(options);
    }
    std::string members;
    for (const Server& server : servers_) {
      members += "{ hostname=\"127.0.0.1\", port=" + std::to_string(server.admin_port()) + " }, ";
    }
    for (Server& server : servers_) {
      server.rewrite([&](Server::Options& options) { options.bootstrap = members; });
      server.start();
    }
    for (Server& server : servers_) {
      EXPECT_TRUE(eventually([&] {
        return server.value(
                   "SELECT count(*) FROM stats_proxysql_servers_checksums WHERE name='admin_variables' AND "
                   "checksum LIKE '0x%'") == "2";
      }));
      EXPECT_EQ(kExitOk, server.beat().exit_code);
    }
  }
  Server& drained() { return servers_[0]; }
  Server& other() { return servers_[1]; }

  static std::string wait_timeout(Server& server) {
    return server.value("SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-wait_timeout'");
  }
  static std::string version(Server& server) {
    return server.value("SELECT version FROM runtime_checksums_values WHERE name='mysql_variables'");
  }
  static std::unique_ptr<Process> start_drain(const Server& server) {
    return std::make_unique<Process>(server.pulse({"drain", "--no-shutdown"}), server.dir(),
                                     Process::Options{{}, "drain", {}});
  }
  // The other core's variables are what they were, for longer than ProxySQL needs to pull: three checks, 0.2 s apart.
  void expect_untouched_for(milliseconds span) {
    const Deadline until = Deadline::after(span);
    while (!until.passed()) {
      ASSERT_EQ("28800000", wait_timeout(other()));
      std::this_thread::sleep_for(milliseconds(100));
    }
  }

  static constexpr const char* kUsers =
      "{ username=\"app\", password=\"app\", default_hostgroup=0 }, "
      "{ username=\"apart\", password=\"apart\", default_hostgroup=0, transaction_persistent=0 }, ";
  std::unique_ptr<Server> backend_;
  std::deque<Server> servers_;
};

TEST_F(DrainCoreTest, WhereVariablesAreSyncedRestingSessionsAreClosedAndNothingElse) {
  start("", "");
  const std::string before = version(drained());
  Client idle(drained());
  Client working(drained());
  ASSERT_TRUE(idle.query("SELECT 1") && working.query("BEGIN") && working.query("SELECT 1"));
  const auto drain = start_drain(drained());
  EXPECT_TRUE(eventually([&] { return !idle.query("SELECT 1"); }) || !drain->running());
  ASSERT_TRUE(working.query("SELECT 1") && working.query("COMMIT")) << drain->output();
  EXPECT_EQ(kExitOk, drain->wait()) << drain->output();
  EXPECT_THAT(drain->output(), HasSubstr("closes resting sessions one by one, once the endpoints have settled: "
                                         "admin-cluster_mysql_variables_diffs_before_sync isn't 0"));
  EXPECT_EQ(before, version(drained())) << "nothing was loaded that would spread";
  const nlohmann::json shown = drained().status()["drain"];
  EXPECT_EQ("closes_sessions", shown["way"]);
  EXPECT_GE(shown["sessions_closed"], 1);
  EXPECT_EQ(0, shown["clients"]) << shown;
  EXPECT_EQ(false, shown["paused"]);
  // ProxySQL 3.0 lowers PostgreSQL's, which it doesn't sync.
  EXPECT_EQ("28800000", wait_timeout(drained()));
  EXPECT_EQ(kExitOk, drained().run({"undrain"}).exit_code);
}

// ProxySQL shows a session's backend of the hostgroup that it asked last. This one's transaction is in another.
TEST_F(DrainCoreTest, ATransactionThatProxysqlDoesntShowIsntClosed) {
  start("", "");
  Client hidden(drained(), "apart");
  ASSERT_TRUE(hidden.query("BEGIN") && hidden.query("SELECT 1") && hidden.query("SELECT 7"));
  if (is_real()) {
    EXPECT_EQ("1", drained().value("SELECT count(*) FROM stats_mysql_processlist WHERE user='apart' AND "
                                   "command='Sleep' AND srv_host IS NULL"))
        << "it looks like one without a backend";
  }
  const auto drain = start_drain(drained());
  ASSERT_TRUE(eventually([&] { return drained().status()["drain"]["phase"] == "close"; })) << drain->output();
  // By then the steps have come to their end.
  ASSERT_TRUE(eventually([&] { return drained().status()["drain"]["began_ms_ago"] > 9000; }));
  EXPECT_TRUE(hidden.query("SELECT 1") && hidden.query("COMMIT"));
  EXPECT_EQ(0, drained().status()["drain"]["sessions_closed"]);
  drain->signal(SIGKILL);
}

TEST_F(DrainCoreTest, WhereNobodyPullsVariablesItDrainsAsASatelliteDoes) {
  start(kUnsynced, kUnsynced);
  Client idle(drained());
  Client working(drained());
  ASSERT_TRUE(idle.query("SELECT 1") && working.query("BEGIN"));
  const auto drain = start_drain(drained());
  EXPECT_TRUE(eventually([&] { return wait_timeout(drained()) != "28800000"; }));
  expect_untouched_for(seconds(5));
  ASSERT_TRUE(working.query("COMMIT"));
  EXPECT_EQ(kExitOk, drain->wait()) << drain->output();
  EXPECT_THAT(drain->output(), HasSubstr("lowers mysql-wait_timeout: "
                                         "admin-cluster_mysql_variables_diffs_before_sync is 0 on all members"));
  EXPECT_EQ("lowers_wait_timeout", drained().status()["drain"]["way"]);
  EXPECT_EQ("28800000", wait_timeout(other()));
  EXPECT_EQ(kExitOk, drained().run({"undrain"}).exit_code);
  EXPECT_EQ("28800000", wait_timeout(drained()));
}

// 0 here, and ProxySQL's default there, which would take over what is lowered here, and keep it.
TEST_F(DrainCoreTest, AMemberThatPullsVariablesIsSpared) {
  start(std::string(kUnsynced) + "cluster_admin_variables_diffs_before_sync=0, ",
        "cluster_admin_variables_diffs_before_sync=0, ");
  // Version 1 is never pulled.
  drained().query("LOAD MYSQL VARIABLES TO RUNTIME");
  Client idle(drained());
  ASSERT_TRUE(idle.query("SELECT 1"));
  const auto drain = start_drain(drained());
  EXPECT_EQ(kExitOk, drain->wait()) << drain->output();
  EXPECT_THAT(drain->output(), HasSubstr("closes resting sessions one by one"));
  EXPECT_EQ("closes_sessions", drained().status()["drain"]["way"]);
  EXPECT_THAT(drained().status()["drain"]["way_reason"], HasSubstr("a member's admin variables differ"));
  expect_untouched_for(seconds(2));
  EXPECT_FALSE(idle.query("SELECT 1"));
}

// It is started anew with the file that it had before 0 came: it is at version 1, and takes what there is.
TEST_F(DrainCoreTest, AMemberThatComesBackWithItsOldFileIsSpared) {
  start(kUnsynced, kUnsynced);
  Client working(drained());
  ASSERT_TRUE(working.query("BEGIN"));
  const auto drain = start_drain(drained());
  ASSERT_TRUE(eventually([&] { return wait_timeout(drained()) != "28800000"; }));
  other().kill();
  other().wipe();
  other().rewrite([](Server::Options& options) {
    options.admin_variables = "";
    options.cluster_check_ms = 1000;  // ProxySQL's default: it pulls after three of its checks
  });
  other().start();
  ASSERT_TRUE(eventually([&] { return drained().status()["drain"]["way"] == "closes_sessions"; })) << drain->output();
  EXPECT_TRUE(eventually([&] { return wait_timeout(drained()) == "28800000"; })) << drain->output();
  EXPECT_THAT(drain->output(), HasSubstr("puts mysql-wait_timeout back"));
  expect_untouched_for(seconds(5));
  ASSERT_TRUE(working.query("COMMIT"));
  EXPECT_EQ(kExitOk, drain->wait()) << drain->output();
}

std::string outer_address() {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return "";
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(all, &::freeifaddrs);
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    if ((one->ifa_flags & IFF_LOOPBACK) != 0) continue;
    char text[INET_ADDRSTRLEN] = "";
    ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(one->ifa_addr)->sin_addr, text, sizeof text);
    return text;
  }
  return "";
}

// A satellite is in no core's proxysql_servers, and its file may say that it pulls variables.
TEST_F(DrainCoreTest, AHostThatIsNoMemberMayPull) {
  const std::string outer = outer_address();
  if (outer.empty()) GTEST_SKIP() << "this host has loopback addresses alone";
  start(kUnsynced, kUnsynced);
  const UniqueFd stranger(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ASSERT_EQ(1, ::inet_pton(AF_INET, outer.c_str(), &address.sin_addr));
  ASSERT_EQ(0, ::bind(stranger.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(drained().admin_port());
  ASSERT_EQ(0, ::connect(stranger.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  const auto drain = start_drain(drained());
  EXPECT_EQ(kExitOk, drain->wait()) << drain->output();
  EXPECT_THAT(drained().status()["drain"]["way_reason"], HasSubstr("hosts that are no members"));
  EXPECT_EQ("28800000", wait_timeout(drained()));
}

}  // namespace
}  // namespace pulse::test
