// proxysql-pulse sync-users: PostgreSQL's roles as ProxySQL's users, by the function that docs/sync-users.md has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "src/base/exit_code.h"
#include "tests/integration/postgres_server.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kGrants = R"(
CREATE SCHEMA IF NOT EXISTS proxysql_pulse;
CREATE OR REPLACE FUNCTION proxysql_pulse.accounts()
  RETURNS TABLE (name text, verifier text, can_login bool, is_superuser bool, is_replication bool, expired bool)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT rolname::text, rolpassword, rolcanlogin, rolsuper, rolreplication, coalesce(rolvaliduntil <= now(), false)
    FROM pg_authid $$;
REVOKE ALL ON FUNCTION proxysql_pulse.accounts() FROM PUBLIC;
GRANT USAGE ON SCHEMA proxysql_pulse TO pulse;
GRANT EXECUTE ON FUNCTION proxysql_pulse.accounts() TO pulse;
)";

class SyncPgsqlUsersTest : public ::testing::Test {
 protected:
  static void TearDownTestSuite() {
    delete postgres_;
    postgres_ = nullptr;
  }

  void SetUp() override {
    if (!PostgresServer::is_installed()) GTEST_SKIP() << "postgresql isn't installed";
    if (is_real() && proxysql_major() < 3) GTEST_SKIP() << "PostgreSQL came with ProxySQL 3";
    // Not in SetUpTestSuite: tests whose suite isn't set up count as skipped.
    if (postgres_ == nullptr) postgres_ = new PostgresServer;
    ASSERT_FALSE(HasFailure());
    for (const char* role : {"a", "b", "old", "boss", "expired", "nobody", "replica", "pulse"}) {
      postgres_->sql("DO $$ BEGIN EXECUTE 'DROP OWNED BY " + std::string(role) +
                     "'; EXCEPTION WHEN undefined_object "
                     "THEN NULL; END $$");
      postgres_->sql("DROP ROLE IF EXISTS " + std::string(role));
    }
    postgres_->sql("CREATE ROLE pulse LOGIN PASSWORD 'of-pulse'");
    postgres_->sql(kGrants);
    postgres_->authenticate("scram-sha-256");
  }

  void start(const std::string& source = "tls = \"off\"") {
    Server::Options options;
    options.role = "core";
    if (!is_real()) options.version = "3.0.1-39-g596d5ba";
    options.pgsql_servers = "{ address=\"127.0.0.1\", port=" + std::to_string(postgres_->port()) + ", hostgroup=5 },";
    options.pgsql_users = "{ username=\"hand\", password=\"of-hand\", default_hostgroup=5 },";
    std::ofstream(dir_ / "login") << "pulse\nof-pulse\n";
    ::chmod((dir_ / "login").c_str(), 0600);
    options.pulse = "sync_users = { pgsql = { credentials_file = \"" + (dir_ / "login") +
                    "\" hostgroup = 5 hostgroups = [\"*=5\"] database = \"app\" " + source + " } }\n";
    server_ = std::make_unique<Server>(options);
  }
  Ran sync(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), "sync-users");
    return server_->run(arguments);
  }
  std::string served() {
    return server_->column("SELECT username FROM runtime_pgsql_users WHERE frontend=1 ORDER BY username");
  }

  static PostgresServer* postgres_;
  TempDir dir_;
  std::unique_ptr<Server> server_;
};

PostgresServer* SyncPgsqlUsersTest::postgres_ = nullptr;

TEST_F(SyncPgsqlUsersTest, RolesThatMayLogInBecomeUsers) {
  postgres_->sql("CREATE ROLE a LOGIN PASSWORD 'of-a'");
  postgres_->sql("CREATE ROLE nobody PASSWORD 'x'");
  postgres_->sql("CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'x'");
  postgres_->sql("CREATE ROLE replica REPLICATION LOGIN PASSWORD 'x'");
  postgres_->sql("CREATE ROLE expired LOGIN PASSWORD 'x' VALID UNTIL '2020-01-01'");
  postgres_->sql("CREATE ROLE b LOGIN");
  postgres_->sql("SET password_encryption='md5'; CREATE ROLE old LOGIN PASSWORD 'x'");
  start();
  const Ran listed = sync({"--dry-run"});
  EXPECT_EQ(kExitOk, listed.exit_code) << listed.output;
  for (const char* line : {"a: to be added", "nobody: role", "boss: administrator", "replica: replication",
                           "expired: expired", "b: no_password", "old: md5", "pulse: service", "pg_monitor: role"}) {
    EXPECT_THAT(listed.output, HasSubstr(line));
  }
  const Ran ran = sync();
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_EQ("a,hand", served());
  EXPECT_EQ("1", server_->value("SELECT password LIKE 'SCRAM-SHA-256$4096:%' FROM pgsql_users WHERE username='a'"));
  EXPECT_EQ("", sync().output);
}

TEST_F(SyncPgsqlUsersTest, ThePasswordIsProvedByEachMethodThatTheServerWants) {
  postgres_->sql("CREATE ROLE a LOGIN PASSWORD 'of-a'");
  start();
  EXPECT_EQ(kExitOk, sync().exit_code) << "scram-sha-256";
  postgres_->authenticate("trust");
  EXPECT_EQ(kExitOk, sync().exit_code) << "trust";
  postgres_->authenticate("password");
  const Ran clear = sync();
  EXPECT_EQ(kExitUnavailable, clear.exit_code);
  EXPECT_THAT(clear.output, HasSubstr("clear text, on a connection without TLS"));
  postgres_->sql("SET password_encryption='md5'; ALTER ROLE pulse PASSWORD 'of-pulse'");
  postgres_->authenticate("md5");
  EXPECT_EQ(kExitOk, sync().exit_code) << "md5";
}

TEST_F(SyncPgsqlUsersTest, AServerWithoutTheFunctionOrWithAnotherPasswordRemovesNobody) {
  postgres_->sql("CREATE ROLE a LOGIN PASSWORD 'of-a'");
  start();
  ASSERT_EQ(kExitOk, sync().exit_code);
  postgres_->sql("REVOKE ALL ON FUNCTION proxysql_pulse.accounts() FROM pulse");
  const Ran refused = sync();
  EXPECT_EQ(kExitUnavailable, refused.exit_code);
  EXPECT_THAT(refused.output, HasSubstr("permission denied for function accounts (42501): nobody is removed"));
  postgres_->sql("ALTER ROLE pulse PASSWORD 'another'");
  const Ran wrong = sync();
  EXPECT_EQ(kExitUnavailable, wrong.exit_code);
  EXPECT_THAT(wrong.output, HasSubstr("password authentication failed"));
  EXPECT_EQ("a,hand", served());
}

TEST_F(SyncPgsqlUsersTest, ACertificateIsChecked) {
  postgres_->sql("CREATE ROLE a LOGIN PASSWORD 'of-a'");
  start("tls = \"required\"");
  const Ran none = sync();
  EXPECT_EQ(kExitUnavailable, none.exit_code);
  EXPECT_THAT(none.output, HasSubstr("it has no TLS"));
  const std::string certificate = postgres_->use_tls("IP:127.0.0.1");
  EXPECT_EQ(kExitOk, sync().exit_code);
  postgres_->authenticate("password");
  EXPECT_EQ(kExitOk, sync().exit_code) << "in clear text through TLS";
  start("tls = \"verified\" ca_file = \"" + certificate + "\"");
  const Ran checked = sync();
  EXPECT_EQ(kExitOk, checked.exit_code) << checked.output;
  start("tls = \"verified\"");
  const Ran unknown = sync();
  EXPECT_EQ(kExitUnavailable, unknown.exit_code);
  EXPECT_THAT(unknown.output, HasSubstr("the server's certificate: self-signed certificate"));
  start("tls = \"verified\" ca_file = \"" + postgres_->use_tls("DNS:elsewhere") + "\"");
  const Ran other = sync();
  EXPECT_EQ(kExitUnavailable, other.exit_code);
  EXPECT_THAT(other.output, HasSubstr("the server's certificate: IP address mismatch"));
  EXPECT_EQ("hand", served()) << "of the server that was started last";
}

// The server lets ProxySQL's host in without a password, for a verifier is all that ProxySQL has.
TEST_F(SyncPgsqlUsersTest, AClientLogsInAsASyncedUser) {
  if (!is_real()) GTEST_SKIP() << "the double has no SCRAM";
  postgres_->sql("CREATE ROLE a LOGIN PASSWORD 'of-a'");
  start();
  ASSERT_EQ(kExitOk, sync().exit_code);
  postgres_->authenticate("trust");
  server_->query("SET pgsql-authentication_method=3");
  server_->query("LOAD PGSQL VARIABLES TO RUNTIME");
  const auto log_in = [&](const std::string& password) {
    return run_to_end({"/usr/bin/psql", "-X", "-A", "-t", "-h", "127.0.0.1", "-p",
                       std::to_string(server_->pgsql_port()), "-U", "a", "-d", "app", "-c", "SELECT 7"},
                      dir_, {"PATH=/usr/bin:/bin", "PGPASSWORD=" + password});
  };
  const Ran right = log_in("of-a");
  EXPECT_EQ(0, right.exit_code) << right.output;
  EXPECT_EQ("7\n", right.output);
  EXPECT_NE(0, log_in("wrong").exit_code);
}

}  // namespace
}  // namespace pulse::test
