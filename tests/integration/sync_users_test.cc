// proxysql-pulse sync-users: MariaDB's accounts as ProxySQL's users, and nobody else's rows touched.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "src/base/exit_code.h"
#include "tests/integration/mariadb_server.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kMysqlGrants =
    "CREATE USER pulse@'%' IDENTIFIED BY 'of-pulse';"
    "GRANT SELECT (Host, User, Priv) ON mysql.global_priv TO pulse@'%';";

class SyncUsersTest : public ::testing::Test {
 protected:
  static void TearDownTestSuite() {
    delete mariadb_;
    mariadb_ = nullptr;
  }

  void SetUp() override {
    if (!MariadbServer::is_installed()) GTEST_SKIP() << "mariadb-server-core isn't installed";
    // Not in SetUpTestSuite: tests whose suite isn't set up count as skipped.
    if (mariadb_ == nullptr) mariadb_ = new MariadbServer;
    ASSERT_FALSE(HasFailure());
    mariadb_->sql(
        "DELETE FROM mysql.global_priv WHERE User NOT IN ('root', 'mariadb.sys'); DELETE FROM mysql.tables_priv; "
        "DELETE FROM mysql.columns_priv;"
        "DELETE FROM mysql.roles_mapping; DELETE FROM mysql.db; FLUSH PRIVILEGES;"
        "SET GLOBAL read_only=0;");
    mariadb_->sql(kMysqlGrants);
  }

  // More lines of sync_users.mysql, more lines of sync_users.
  void start(const std::string& source = "", const std::string& more = "", Server::Options options = {}) {
    options.role = "core";
    const std::string port = std::to_string(mariadb_->port());
    options.mysql_servers = "{ address=\"127.0.0.1\", port=" + port + ", hostgroup=10 },";
    options.mysql_users = "{ username=\"hand\", password=\"of-hand\", default_hostgroup=10 },";
    write_login("pulse\nof-pulse\n");
    options.pulse += "sync_users = { " + more + " mysql = { credentials_file = \"" + login() + "\" tls = \"off\" " +
                     (source.find("server") == std::string::npos ? "hostgroup = 10 " : "") + source + " } }\n";
    server_ = std::make_unique<Server>(options);
  }

  std::string login() const { return dir_ / "login"; }
  void write_login(const std::string& text) const {
    std::ofstream(login()) << text;
    ::chmod(login().c_str(), 0600);
  }
  void sql(const std::string& statements) const { mariadb_->sql(statements); }
  static std::string users(const std::string& names) {
    std::string text;
    for (const char name : names) text += std::string("CREATE USER ") + name + "@'%' IDENTIFIED BY 'of-" + name + "';";
    return text;
  }
  Ran sync(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), "sync-users");
    return server_->run(arguments);
  }
  // "a,b" of the users at runtime.
  std::string served() {
    return server_->column("SELECT username FROM runtime_mysql_users WHERE frontend=1 ORDER BY username");
  }
  std::string stored() { return server_->column("SELECT DISTINCT username FROM mysql_users ORDER BY username"); }
  std::string version() {
    return server_->value("SELECT version FROM runtime_checksums_values WHERE name='mysql_users'");
  }

  static MariadbServer* mariadb_;
  TempDir dir_;
  std::unique_ptr<Server> server_;
};

MariadbServer* SyncUsersTest::mariadb_ = nullptr;

TEST_F(SyncUsersTest, AccountsBecomeUsersAndASecondRunDoesNothing) {
  sql(users("ab"));
  start();
  const Ran first = sync();
  EXPECT_EQ(kExitOk, first.exit_code) << first.output;
  EXPECT_THAT(first.output, HasSubstr("2 added, 0 changed, 0 removed, loaded"));
  EXPECT_EQ("a,b,hand", served());
  const std::string loaded = version();
  const Ran second = sync();
  EXPECT_EQ(kExitOk, second.exit_code) << second.output;
  EXPECT_EQ("", second.output);
  EXPECT_EQ(loaded, version()) << "nothing to do is nothing loaded";
}

TEST_F(SyncUsersTest, AClientLogsInAsASyncedUser) {
  sql(users("a") + "GRANT SELECT ON *.* TO a@'%';");
  start();
  ASSERT_EQ(kExitOk, sync().exit_code);
  server_->query("UPDATE mysql_users SET default_hostgroup=10 WHERE username='a'");
  server_->query("LOAD MYSQL USERS TO RUNTIME");
  EXPECT_EQ("7\n", mariadb_->client(server_->mysql_port(), "a", "of-a", "SELECT 7").output);
  EXPECT_NE(0, mariadb_->client(server_->mysql_port(), "a", "wrong", "SELECT 7").exit_code);
}

TEST_F(SyncUsersTest, APasswordThatChangesIsAllThatChanges) {
  sql(users("a"));
  start("hostgroups = [\"a=4\"]");
  ASSERT_EQ(kExitOk, sync().exit_code);
  server_->query(
      "UPDATE mysql_users SET max_connections=7, default_schema='s', transaction_persistent=0, "
      "attributes='{\"x\":1}', comment=comment || ' of team a' WHERE username='a'");
  server_->query("LOAD MYSQL USERS TO RUNTIME");
  sql("SET PASSWORD FOR a@'%' = PASSWORD('another');");
  const Ran ran = sync();
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("0 added, 1 changed, 0 removed, loaded"));
  const auto rows = server_->query(
      "SELECT max_connections, default_schema, transaction_persistent, attributes, comment, default_hostgroup, "
      "password FROM mysql_users WHERE username='a'");
  ASSERT_EQ(1u, rows.size());
  const std::vector<std::string> kept(rows[0].begin(), rows[0].begin() + 6);
  EXPECT_EQ((std::vector<std::string>{"7", "s", "0", "{\"x\":1}", "proxysql-pulse of team a", "4"}), kept);
  EXPECT_EQ("*CB3326D5279DE7915FE5D743232165EE887883CA", rows[0][6]);
}

TEST_F(SyncUsersTest, AnAccountThatIsGoneOrLockedGoes) {
  sql(users("abcdefghij"));
  start();
  ASSERT_EQ(kExitOk, sync().exit_code);
  sql("DROP USER a@'%'; ALTER USER b@'%' ACCOUNT LOCK;");
  const Ran ran = sync();
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_EQ("c,d,e,f,g,h,hand,i,j", served());
  EXPECT_EQ("c,d,e,f,g,h,hand,i,j", stored());
  EXPECT_EQ("c,d,e,f,g,h,i,j", server_->column("SELECT username FROM disk.mysql_users WHERE comment<>'' "
                                               "ORDER BY username"));
}

TEST_F(SyncUsersTest, MoreThanAFifthGoesByForceAlone) {
  sql(users("abcdef"));
  start();
  ASSERT_EQ(kExitOk, sync().exit_code);
  sql("DROP USER a@'%'; DROP USER b@'%';");
  const Ran refused = sync();
  EXPECT_EQ(kExitRefused, refused.exit_code);
  EXPECT_THAT(refused.output, HasSubstr("2 users of 6 would go, and 1 may at once"));
  EXPECT_EQ("a,b,c,d,e,f,hand", served());
  EXPECT_EQ(kExitOk, sync({"--force"}).exit_code);
  EXPECT_EQ("c,d,e,f,hand", served());
}

TEST_F(SyncUsersTest, RowsMadeByHandAreNeitherChangedNorRemoved) {
  sql(users("a") + "CREATE USER hand@'%' IDENTIFIED BY 'of-the-server';");
  start();
  const Ran ran = sync();
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("1 by_hand"));
  EXPECT_EQ("of-hand", server_->value("SELECT password FROM mysql_users WHERE username='hand'"));
  sql("DROP USER hand@'%';");
  EXPECT_EQ(kExitOk, sync().exit_code);
  EXPECT_EQ("a,hand", served());
}

TEST_F(SyncUsersTest, ASourceWithoutAnAccountRemovesNobody) {
  sql(users("a"));
  start();
  ASSERT_EQ(kExitOk, sync().exit_code);
  sql("DROP USER a@'%';");
  const Ran ran = sync({"--force"});
  EXPECT_EQ(kExitRefused, ran.exit_code);
  EXPECT_THAT(ran.output, HasSubstr("nobody is removed"));
  EXPECT_EQ("a,hand", served());
}

TEST_F(SyncUsersTest, ASourceThatFailsRemovesNobody) {
  sql(users("a"));
  start();
  ASSERT_EQ(kExitOk, sync().exit_code);
  sql("REVOKE ALL PRIVILEGES, GRANT OPTION FROM pulse@'%';");
  const Ran refused = sync({"--force"});
  EXPECT_EQ(kExitUnavailable, refused.exit_code);
  EXPECT_THAT(refused.output, HasSubstr("nobody is removed"));
  write_login("pulse\nwrong\n");
  EXPECT_EQ(kExitUnavailable, sync().exit_code);
  EXPECT_EQ("a,hand", served());
}

TEST_F(SyncUsersTest, DryRunListsEachAccountAndCountsReasonsInTheLastLine) {
  sql(users("ab") + R"(
    CREATE USER ''@'10.%' IDENTIFIED BY 'x'; CREATE USER locked@'%' IDENTIFIED BY 'x' ACCOUNT LOCK;
    CREATE USER expired@'%' IDENTIFIED BY 'x' PASSWORD EXPIRE; CREATE USER bare@'%'; CREATE ROLE r;
    CREATE USER sock@'%' IDENTIFIED VIA unix_socket; CREATE USER replica@'%' IDENTIFIED BY 'x';
    GRANT REPLICATION SLAVE ON *.* TO replica@'%'; CREATE USER boss@'%' IDENTIFIED BY 'x'; GRANT ALL ON *.* TO boss@'%';
    CREATE USER admin@'%' IDENTIFIED BY 'x'; CREATE USER monitor@'%' IDENTIFIED BY 'x';
    CREATE USER two@'10.%' IDENTIFIED BY 'x'; CREATE USER two@'11.%' IDENTIFIED BY 'y';
    CREATE USER old@'%' IDENTIFIED BY 'x';)");
  start("exclude = [\"ol?\"]");
  const std::string before = version();
  const Ran ran = sync({"--dry-run"});
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  for (const char* line :
       {"a@%: to be added\n", "@10.%: anonymous", "locked@%: locked", "expired@%: expired", "bare@%: no_password",
        "r: role", "sock@%: method", "replica@%: replication", "boss@%: administrator", "admin@%: credentials",
        "monitor@%: service", "pulse@%: service", "two@10.%: hosts_differ", "two@11.%: hosts_differ", "old@%: excluded",
        "root@localhost: system"}) {
    EXPECT_THAT(ran.output, HasSubstr(line));
  }
  const std::string last = ran.output.substr(ran.output.rfind('\n', ran.output.size() - 2) + 1);
  EXPECT_THAT(last, HasSubstr("2 added, 0 changed, 0 removed, loaded, 2 taken, 1 role, 1 anonymous"));
  EXPECT_EQ("hand", stored());
  EXPECT_EQ(before, version());
}

TEST_F(SyncUsersTest, NamesOfAnyKindComeThrough) {
  const std::string longest(32, 'n');
  sql("SET NAMES utf8mb4; CREATE USER 'o''neil \"x\" ;--\\\\ %'@'%' IDENTIFIED BY 'x';"
      "CREATE USER '\xc3\xa4\xe2\x82\xac'@'%' IDENTIFIED BY 'x';"
      "CREATE USER '" +
      longest +
      "'@'%' IDENTIFIED BY 'x';"
      "CREATE USER 'stats_mysql_global'@'%' IDENTIFIED BY 'x';");
  start();
  const Ran ran = sync();
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_EQ("hand," + longest + ",o'neil \"x\" ;--\\ %,stats_mysql_global,\xc3\xa4\xe2\x82\xac", served());
  EXPECT_EQ("", sync().output);
}

TEST_F(SyncUsersTest, WhatSomebodyHasNotLoadedIsNotLoaded) {
  sql(users("ab"));
  start();
  server_->query("INSERT INTO mysql_users (username, password) VALUES ('draft', 'x')");
  const Ran ran = sync();
  EXPECT_EQ(kExitRefused, ran.exit_code);
  EXPECT_THAT(ran.output, HasSubstr("draft"));
  EXPECT_THAT(ran.output, HasSubstr("LOAD MYSQL USERS TO RUNTIME if it is meant"));
  EXPECT_EQ("draft,hand", stored());
  EXPECT_EQ("hand", served());
  server_->query("LOAD MYSQL USERS TO RUNTIME");
  EXPECT_EQ(kExitOk, sync().exit_code);
  EXPECT_EQ("a,b,draft,hand", served());
}

TEST_F(SyncUsersTest, UsersSavedFromRuntimeAreStillItsOwn) {
  sql(users("abcdef"));
  start();
  ASSERT_EQ(kExitOk, sync().exit_code);
  server_->query("SAVE MYSQL USERS FROM RUNTIME");
  server_->query("DELETE FROM mysql_users WHERE active=0");
  sql("DROP USER a@'%'; SET PASSWORD FOR b@'%' = PASSWORD('another');");
  const Ran ran = sync();
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_EQ("b,c,d,e,f,hand", served());
  EXPECT_EQ("b,c,d,e,f,hand", stored());
}

TEST_F(SyncUsersTest, TheWriterIsTheServerThatTakesWrites) {
  sql(users("a"));
  start();
  sql("SET GLOBAL read_only=1;");
  const Ran ran = sync();
  EXPECT_EQ(kExitUnavailable, ran.exit_code);
  EXPECT_THAT(ran.output, HasSubstr("is read-only, and no other takes writes"));
  sql("SET GLOBAL read_only=0;");
  server_->query("INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (10, '127.0.0.1', 1)");
  server_->query("LOAD MYSQL SERVERS TO RUNTIME");
  EXPECT_EQ(kExitOk, sync().exit_code) << "the first is gone, the second takes writes";
  server_->query("UPDATE mysql_servers SET status='OFFLINE_SOFT'");
  server_->query("LOAD MYSQL SERVERS TO RUNTIME");
  EXPECT_THAT(sync().output, HasSubstr("hostgroup 10 has no server that is ONLINE"));
}

TEST_F(SyncUsersTest, AServerThatIsNamedMayBeAReplica) {
  sql(users("a"));
  start("server = \"127.0.0.1:" + std::to_string(mariadb_->port()) + "\"");
  sql("SET GLOBAL read_only=1;");
  EXPECT_EQ(kExitOk, sync().exit_code);
  EXPECT_EQ("a,hand", served());
}

TEST_F(SyncUsersTest, ASatelliteAndAFileWithoutASourceAreRefused) {
  start();
  server_->rewrite([](Server::Options& options) { options.role = "satellite"; });
  EXPECT_EQ(kExitConfig, sync().exit_code);
  server_->rewrite([](Server::Options& options) {
    options.role = "core";
    options.pulse = "";
  });
  EXPECT_THAT(sync().output, HasSubstr("nothing to sync"));
}

TEST_F(SyncUsersTest, OnlyTheLeaderRunsItWhereThereIsOne) {
  sql(users("a"));
  Server::Options options;
  options.pulse = "leader = { mode = \"lowest\" }\n";
  start("", "", options);
  server_->beat();
  const Ran ran = sync();
  EXPECT_EQ(kExitSkipped, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("isn't the leader"));
  EXPECT_EQ(kExitOk, sync({"--any-node"}).exit_code);
}

TEST_F(SyncUsersTest, ItRunsAsAJob) {
  sql(users("ab"));
  Server::Options options;
  options.pulse = "jobs = ( { name = \"users\"  command = [\"" + binary("proxysql-pulse") +
                  "\", \"sync-users\", \"--config\", \"" + "CONFIG" + "\"]" +
                  // The address sanitizer reserves more address space than a job is given by default.
                  (is_sanitized() ? "  memory_mb = 0" : "") + " } )\n";
  start("", "", options);
  server_->rewrite([&](Server::Options& now) { now.pulse.replace(now.pulse.find("CONFIG"), 6, server_->config()); });
  server_->beat();
  const Ran ran = server_->run({"job", "users"});
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_EQ("a,b,hand", served());
  const nlohmann::json job = server_->status()["jobs"][0];
  EXPECT_EQ("ok", job["outcome"]);
  EXPECT_THAT(job["last_line"].get<std::string>(), HasSubstr("2 added"));
}

// Each statement that changes something is held up, and the program killed meanwhile: ProxySQL runs it all the same.
TEST_F(SyncUsersTest, KilledAtEachStatementItLeavesTheUsersAsBeforeOrAsAfter) {
  sql(users("abcdefghij"));
  start();
  if (!server_->is_double()) GTEST_SKIP() << "only the double holds a statement up";
  ASSERT_EQ(kExitOk, sync().exit_code);
  std::string before = served();
  int round = 0;
  for (const char* statement : {"INSERT OR REPLACE INTO mysql_users", "SELECT username", "LOAD MYSQL USERS TO RUNTIME",
                                "DELETE FROM mysql_users", "INSERT OR REPLACE INTO disk", "DELETE FROM disk"}) {
    const std::string name = "new" + std::to_string(round);
    const std::string gone(1, static_cast<char>('a' + round));
    ++round;
    sql("CREATE USER " + name + "@'%' IDENTIFIED BY 'x'; DROP USER " + gone + "@'%';");
    server_->control("hold match=\"" + std::string(statement) + "\" ms=400 locked");
    const std::string since = "statements " + server_->control("stats")["last_statement"].dump();
    Process run(server_->pulse({"sync-users"}), server_->dir(), {});
    EXPECT_TRUE(eventually([&] {
      const auto asked = server_->control(since)["statements"];
      return std::any_of(asked.begin(), asked.end(), [&](const auto& one) {
        return one["text"].template get<std::string>().find(statement) != std::string::npos;
      });
    })) << statement;
    run.signal(SIGKILL);
    run.wait();
    // What is held up is run all the same, and then nothing waits any more.
    server_->query("SELECT 1");
    server_->control("clear");
    // The names at runtime and in memory (as a load would serve them) are the old ones or the new ones.
    std::string after = before;
    const size_t at = after.find(gone + ",");
    after.erase(at, 2);
    after += "," + name;
    const auto sorted = [](const std::string& list) {
      std::stringstream text(list);
      std::set<std::string> names;
      for (std::string one; std::getline(text, one, ',');) names.insert(one);
      return names;
    };
    for (const char* table : {"runtime_mysql_users", "mysql_users"}) {
      const auto found = sorted(
          server_->column(std::string("SELECT DISTINCT username FROM ") + table + " WHERE active=1 AND frontend=1"));
      EXPECT_TRUE(found == sorted(before) || found == sorted(after)) << statement << " " << table;
    }
    const Ran next = sync();
    EXPECT_EQ(kExitOk, next.exit_code) << statement << " " << next.output;
    EXPECT_EQ(sorted(after), sorted(served())) << statement;
    EXPECT_EQ(sorted(after), sorted(stored())) << statement;
    EXPECT_EQ("", sync().output) << statement;
    before = served();
  }
}

// A peer's pull between the write and the load, which is what reading back is for.
TEST_F(SyncUsersTest, WhatComesInMeanwhileIsNotLoaded) {
  sql(users("ab"));
  start();
  if (!server_->is_double()) GTEST_SKIP() << "only the double has a pull land at will";
  server_->control("late_pull after=\"INSERT OR REPLACE INTO mysql_users\" module=mysql_users times=1");
  const Ran ran = sync();
  EXPECT_EQ(kExitStatement, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("isn't what was written"));
  EXPECT_EQ("hand", served());
  server_->control("clear");
  EXPECT_EQ(kExitOk, sync().exit_code);
  EXPECT_EQ("a,b,hand", served());
}

TEST_F(SyncUsersTest, AnAdminInterfaceThatHangsEndsItByItsDeadline) {
  sql(users("a"));
  start("", "deadline_ms = 1500");
  server_->wedge(seconds(20));
  const Ran ran = sync();
  EXPECT_EQ(kExitTimeout, ran.exit_code) << ran.output;
  EXPECT_LT(ran.took, seconds(3));
  server_->unwedge();
}

// On a real server nothing can be held up: the program is killed after more and more of its time.
TEST_F(SyncUsersTest, KilledAtAnyTimeItLeavesTheUsersAsBeforeOrAsAfter) {
  std::string create;
  for (int i = 10; i < 99; ++i) create += "CREATE USER u" + std::to_string(i) + "@'%' IDENTIFIED BY 'x';";
  sql(create);
  start();
  ASSERT_EQ(kExitOk, sync().exit_code);
  int killed = 0;
  for (int delay_ms = 4; delay_ms < 100; delay_ms += 4) {
    const std::string password = "p" + std::to_string(delay_ms);
    sql("SET PASSWORD FOR u10@'%' = PASSWORD('" + password + "'); SET PASSWORD FOR u98@'%' = PASSWORD('" + password +
        "'); ");
    Process run(server_->pulse({"sync-users"}), server_->dir(), {});
    std::this_thread::sleep_for(milliseconds(delay_ms));
    run.signal(SIGKILL);
    if (run.wait() == -SIGKILL) ++killed;
    for (const char* table : {"mysql_users", "runtime_mysql_users"}) {
      EXPECT_EQ("1", server_->value(std::string("SELECT count(DISTINCT password) FROM ") + table +
                                    " WHERE username IN ('u10', 'u98')"))
          << delay_ms << " " << table;
      EXPECT_EQ("90", server_->value(std::string("SELECT count(DISTINCT username) FROM ") + table));
    }
    EXPECT_EQ(kExitOk, sync().exit_code) << delay_ms;
    EXPECT_EQ("1", server_->value("SELECT count(DISTINCT password) FROM runtime_mysql_users "
                                  "WHERE username IN ('u10', 'u98')"));
  }
  EXPECT_GT(killed, 3);
}

// Recorded: the hash of "of-sha" with 5,000 rounds and a salt that has quotes, a backslash and control characters.
// MySQL 8 stores such accounts, MariaDB holds one here.
TEST_F(SyncUsersTest, ACachingSha2HashComesThroughAndLogsIn) {
  const std::string hash =
      "244124303035240127225C0A7F203B25091B41622D2D2F2A0D315E375656764F5546795A4861414E447835564B666131586F4C504F376365"
      "3578755053594D784F6C37614A30";
  sql(users("a") +
      "INSERT INTO mysql.global_priv VALUES ('%', 'sha', JSON_OBJECT('access', 0, 'plugin', "
      "'caching_sha2_password', 'authentication_string', CONVERT(UNHEX('" +
      hash + "') USING utf8mb4)));");
  start();
  const Ran without = sync();
  EXPECT_EQ(kExitOk, without.exit_code) << without.output;
  EXPECT_THAT(without.output, HasSubstr("1 method_off"));
  if (!server_->is_double()) {
    server_->query("SET mysql-default_authentication_plugin='caching_sha2_password'");
    server_->query("LOAD MYSQL VARIABLES TO RUNTIME");
    const Ran ran = sync();
    EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
    EXPECT_EQ(hash, server_->value("SELECT hex(password) FROM runtime_mysql_users WHERE username='sha'"));
    EXPECT_EQ("", sync().output);
    server_->query(
        "INSERT INTO mysql_query_rules (rule_id, active, username, OK_msg, apply) "
        "VALUES (1, 1, 'sha', 'fine', 1)");
    server_->query("LOAD MYSQL QUERY RULES TO RUNTIME");
    const auto log_in = [&](const std::string& password) {
      return run_to_end(
          {"/usr/bin/mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", std::to_string(server_->mysql_port()), "-u",
           "sha", "--password=" + password, "--ssl", "--default-auth=caching_sha2_password",
           "--plugin-dir=/usr/lib/x86_64-linux-gnu/libmariadb3/plugin", "-e", "DO 1"},
          dir_, {"PATH=/usr/bin:/bin"});
    };
    const Ran right = log_in("of-sha");
    EXPECT_EQ(0, right.exit_code) << right.output;
    EXPECT_NE(0, log_in("wrong").exit_code);
  }
}

TEST_F(SyncUsersTest, TheServersCertificateAndNameAreChecked) {
  const auto certificate = [&](const std::string& file, const std::string& names) {
    const Ran made = run_to_end(
        {"/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=db",
         "-addext", "subjectAltName=" + names, "-keyout", dir_ / (file + ".key"), "-out", dir_ / (file + ".crt")},
        dir_, {"PATH=/usr/bin:/bin"});
    EXPECT_EQ(0, made.exit_code) << made.output;
    return dir_ / (file + ".crt");
  };
  const std::string good = certificate("good", "IP:127.0.0.1,DNS:localhost");
  const std::string strange = certificate("strange", "DNS:elsewhere");
  for (const std::string& file : {good, strange}) {
    const std::string key = file.substr(0, file.size() - 4) + ".key";
    const MariadbServer server({"--ssl-cert=" + file, "--ssl-key=" + key, "--require-secure-transport=ON"});
    const auto with = [&](const std::string& host, const std::string& more) {
      Server::Options options;
      options.role = "core";
      write_login("pulse\nof-pulse\n");
      options.pulse = "sync_users = { mysql = { credentials_file = \"" + login() + "\" server = \"" + host + ":" +
                      std::to_string(server.port()) + "\" " + more + " } }\n";
      server_ = std::make_unique<Server>(options);
      return sync();
    };
    server.sql(std::string(kMysqlGrants) + users("a"));
    EXPECT_EQ(kExitOk, with("127.0.0.1", "tls = \"required\"").exit_code);
    for (const char* host : {"127.0.0.1", "localhost"}) {
      const Ran unknown = with(host, "");
      EXPECT_EQ(kExitUnavailable, unknown.exit_code) << unknown.output;
      const Ran ran = with(host, "ca_file = \"" + file + "\"");
      EXPECT_EQ(file == good ? kExitOk : kExitUnavailable, ran.exit_code) << host << " " << file << " " << ran.output;
    }
  }
}

// What a peer has pulled are two rows for each user, which are as much a sync's own.
TEST_F(SyncUsersTest, ProxysqlSpreadsThemAndAnotherCoreGoesOn) {
  sql(users("abcdef"));
  start();
  ASSERT_EQ(kExitOk, sync().exit_code);
  Server::Options options;
  options.role = "core";
  options.bootstrap = "{ hostname=\"127.0.0.1\", port=" + std::to_string(server_->admin_port()) + " },";
  options.mysql_users = "{ username=\"hand\", password=\"of-hand\", default_hostgroup=10 },";
  options.pulse = "sync_users = { mysql = { credentials_file = \"" + login() +
                  "\" tls = \"off\" server = \"127.0.0.1:" + std::to_string(mariadb_->port()) + "\" } }\n";
  Server other(options);
  const std::string ask = "SELECT username FROM runtime_mysql_users WHERE frontend=1 ORDER BY username";
  EXPECT_TRUE(eventually([&] { return other.column(ask) == "a,b,c,d,e,f,hand"; })) << other.column(ask);
  sql("DROP USER a@'%'; SET PASSWORD FOR b@'%' = PASSWORD('another');" + users("g"));
  const Ran ran = other.run({"sync-users"});
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("1 added, 1 changed, 1 removed, loaded"));
  EXPECT_EQ("b,c,d,e,f,g,hand", other.column(ask));
  EXPECT_EQ("1", other.value("SELECT count(DISTINCT password) FROM mysql_users WHERE username='b'"));
  EXPECT_EQ("", other.run({"sync-users"}).output);
}

// What a core's beat does with a file that has changed: exactly the file's rows.
TEST_F(SyncUsersTest, AfterAFilesLoadTheyComeBack) {
  sql(users("ab"));
  start();
  ASSERT_EQ(kExitOk, sync().exit_code);
  for (const char* statement :
       {"DELETE FROM mysql_users", "LOAD MYSQL USERS FROM CONFIG", "LOAD MYSQL USERS TO RUNTIME"}) {
    server_->query(statement);
  }
  EXPECT_EQ("hand", served());
  EXPECT_EQ(kExitOk, sync().exit_code);
  EXPECT_EQ("a,b,hand", served());
}

TEST_F(SyncUsersTest, ARestartServesTheSameUsersFromDisk) {
  sql(users("ab"));
  start();
  ASSERT_EQ(kExitOk, sync().exit_code);
  server_->query("UPDATE mysql_users SET max_connections=5 WHERE username='hand'");
  server_->query("LOAD MYSQL USERS TO RUNTIME");
  sql("SET PASSWORD FOR a@'%' = PASSWORD('another');");
  ASSERT_EQ(kExitOk, sync().exit_code);
  EXPECT_NE("5", server_->value("SELECT max_connections FROM disk.mysql_users WHERE username='hand'"))
      << "what a person hasn't saved isn't saved";
  server_->kill();
  server_->start();
  EXPECT_EQ("a,b,hand", served());
  EXPECT_EQ("", sync().output);
}

}  // namespace
}  // namespace pulse::test
