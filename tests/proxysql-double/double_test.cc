#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <mysql.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(0, ::bind(fd, reinterpret_cast<sockaddr*>(&address), size));
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

bool eventually(const std::function<bool()>& condition, milliseconds limit = seconds(8)) {
  for (const auto end = Clock::now() + limit; Clock::now() < end; std::this_thread::sleep_for(milliseconds(20))) {
    if (condition()) return true;
  }
  return condition();
}

// One connection; the timeout holds for every read.
class Connection {
 public:
  Connection(int port, const char* user, const char* password, unsigned read_timeout_s = 5)
      : handle_(::mysql_init(nullptr), &::mysql_close) {
    my_bool verify = 0;
    ::mysql_options(handle_.get(), MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    ::mysql_options(handle_.get(), MYSQL_OPT_CONNECT_TIMEOUT, &read_timeout_s);
    ::mysql_options(handle_.get(), MYSQL_OPT_READ_TIMEOUT, &read_timeout_s);
    up_ = ::mysql_real_connect(handle_.get(), "127.0.0.1", user, password, nullptr, static_cast<unsigned>(port),
                               nullptr, 0) != nullptr;
  }
  bool up() const { return up_; }
  bool ping() { return ::mysql_ping(handle_.get()) == 0; }
  std::string error() const { return ::mysql_error(handle_.get()); }

  // The first field of the first row, empty if there is none; nothing on an error.
  std::optional<std::string> ask(const std::string& sql) {
    if (::mysql_query(handle_.get(), sql.c_str()) != 0) return std::nullopt;
    const std::unique_ptr<MYSQL_RES, decltype(&::mysql_free_result)> result(::mysql_store_result(handle_.get()),
                                                                            &::mysql_free_result);
    if (result == nullptr) return ::mysql_errno(handle_.get()) == 0 ? std::optional<std::string>("") : std::nullopt;
    const MYSQL_ROW row = ::mysql_fetch_row(result.get());
    return row != nullptr && row[0] != nullptr ? row[0] : std::string();
  }

  // All rows, the fields of each joined; none on an error.
  std::vector<std::string> all(const std::string& sql) {
    std::vector<std::string> rows;
    if (::mysql_query(handle_.get(), sql.c_str()) != 0) return rows;
    const std::unique_ptr<MYSQL_RES, decltype(&::mysql_free_result)> result(::mysql_store_result(handle_.get()),
                                                                            &::mysql_free_result);
    while (const MYSQL_ROW row = result == nullptr ? nullptr : ::mysql_fetch_row(result.get())) {
      std::string joined;
      for (unsigned i = 0; i < ::mysql_num_fields(result.get()); ++i) joined.append(row[i]).push_back('\0');
      rows.push_back(joined);
    }
    return rows;
  }

 private:
  std::unique_ptr<MYSQL, decltype(&::mysql_close)> handle_;
  bool up_ = false;
};

// One running double with a directory of its own.
class Double {
 public:
  explicit Double(const std::string& extra, int peer_port = 0, const char* version = "2.7.1-16-g2726c27")
      : admin_port(free_port()), mysql_port(free_port()) {
    char name[] = "/tmp/double-test.XXXXXX";
    directory_ = ::mkdtemp(name);
    const std::string admin = "127.0.0.1:" + std::to_string(admin_port);
    std::ofstream(directory_ + "/proxysql.cnf")
        << "admin_variables={ admin_credentials=\"admin:admin;;pulse:pw:x;node:nodepw\" mysql_ifaces=\"" << admin
        << "\" cluster_username=\"node\" cluster_password=\"nodepw\" cluster_check_interval_ms=50 }\n"
        << "mysql_variables={ threads=2 interfaces=\"127.0.0.1:" << mysql_port << "\" }\n"
        << "mysql_users=({ username=\"app\" password=\"app\" },)\n"
        << extra;
    if (peer_port != 0) {
      std::ofstream(file("proxysql.cnf"), std::ios::app)
          << "proxysql_servers=({ hostname=\"127.0.0.1\" port=" << peer_port << " })\n";
    }
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(::open(file("log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), STDERR_FILENO);
      ::execl(DOUBLE_BINARY, DOUBLE_BINARY, "-f", "-c", file("proxysql.cnf").c_str(), "-D", directory_.c_str(),
              "--control", file("control").c_str(), "--die-with-parent", "--proxysql-version", version, nullptr);
      ::_exit(127);
    }
    EXPECT_TRUE(eventually([&] { return Connection(admin_port, "pulse", "pw").up(); }));
  }
  ~Double() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(directory_);
  }
  Double(const Double&) = delete;
  Double& operator=(const Double&) = delete;

  Connection admin(unsigned timeout_s = 5) const { return {admin_port, "pulse", "pw", timeout_s}; }
  std::string file(const std::string& name) const { return directory_ + "/" + name; }
  std::string read(const std::string& name) const {
    std::stringstream text;
    text << std::ifstream(file(name)).rdbuf();
    return text.str();
  }
  nlohmann::json control(const std::string& command) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    file("control").copy(address.sun_path, sizeof(address.sun_path) - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // It listens there a moment after it listens for clients.
    EXPECT_TRUE(eventually([&] { return ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0; }));
    const std::string line = command + "\n";
    EXPECT_EQ(static_cast<ssize_t>(line.size()), ::write(fd, line.data(), line.size()));
    std::string answer;
    for (char c = 0; ::read(fd, &c, 1) == 1 && c != '\n';) answer += c;
    ::close(fd);
    return nlohmann::json::parse(answer);
  }

  const int admin_port;
  const int mysql_port;

 private:
  std::string directory_;
  pid_t pid_ = -1;
};

TEST(ProxysqlDouble, LogsInOnBothPortsAndRefusesWrongPasswords) {
  const Double server("");
  EXPECT_EQ("2.7.1-16-g2726c27", server.admin().ask("SELECT @@version"));
  EXPECT_EQ("1", Connection(server.mysql_port, "app", "app").ask("SELECT 1"));
  const Connection wrong(server.admin_port, "pulse", "wrong");
  EXPECT_FALSE(wrong.up());
  EXPECT_EQ("ProxySQL Error: Access denied for user 'pulse'@'127.0.0.1' (using password: YES)", wrong.error());
}

TEST(ProxysqlDouble, LoadBumpsTheVersionAndInsertDoesNot) {
  const Double server("");
  Connection admin = server.admin();
  const std::string version = "SELECT version FROM runtime_checksums_values WHERE name='mysql_servers'";
  EXPECT_EQ("1", admin.ask(version));
  admin.ask("INSERT INTO mysql_servers(hostname) VALUES ('a')");
  EXPECT_EQ("0", admin.ask("SELECT count(*) FROM runtime_mysql_servers"));
  admin.ask("LOAD MYSQL SERVERS TO RUNTIME");
  EXPECT_EQ("2", admin.ask(version));
  EXPECT_EQ("1", admin.ask("SELECT count(*) FROM runtime_mysql_servers"));
}

TEST(ProxysqlDouble, LoadsAndReadsTheListOfItsNodesAtOnce) {
  Double server("");
  auto loading = server.admin();
  ASSERT_TRUE(loading.ask("INSERT INTO proxysql_servers (hostname, port) VALUES ('127.0.0.9', 6032)"));
  ASSERT_TRUE(loading.ask("LOAD PROXYSQL SERVERS TO RUNTIME"));
  std::thread reading([&server] {
    auto connection = server.admin();
    for (int i = 0; i < 2000; ++i) {
      if (!connection.ask("SELECT count(*) FROM runtime_proxysql_servers")) return;
    }
  });
  for (int i = 0; i < 2000; ++i) {
    if (!loading.ask("LOAD PROXYSQL SERVERS TO RUNTIME")) break;
  }
  reading.join();
  EXPECT_EQ("1", loading.ask("SELECT count(*) FROM runtime_proxysql_servers")) << server.read("log");
}

// tests/config-corpus/rows.txt has more of what a real server does.
TEST(ProxysqlDouble, ReadsItsFileAsTheRealServerDoes) {
  const Double server(
      "mysql_servers=( { hostgroup=0 address=\"a\" port=\"3307\" weight=7L }, { hostgroup=\"1\" address=\"b\" },, )\n"
      "mysql_query_rules=( { rule_id=1 apply=5 }, { rule_id=2 cache_ttl=0 } )\n"
      "scheduler=( { interval_ms=100 filename=\"/bin/true\" } ) # no id");
  Connection admin = server.admin();
  EXPECT_EQ("3306", admin.ask("SELECT port FROM mysql_servers WHERE weight=1"));
  EXPECT_EQ("1", admin.ask("SELECT count(*) FROM mysql_servers")) << "a row without a host group is skipped";
  EXPECT_EQ("1", admin.ask("SELECT count(*) FROM mysql_query_rules WHERE active=1 AND apply=1"));
  EXPECT_EQ("1", admin.ask("SELECT count(*) FROM mysql_query_rules")) << "no cache_ttl is 0";
  EXPECT_EQ("0", admin.ask("SELECT count(*) FROM scheduler"));
  std::ofstream(server.file("proxysql.cnf")) << "admin_variables={ admin_credentials=\"\" admin-mysql_ifaces=\"x\" }";
  EXPECT_TRUE(admin.ask("LOAD ADMIN VARIABLES FROM CONFIG"));
  EXPECT_EQ("x",
            admin.ask("SELECT variable_value FROM GLOBAL_VARIABLES WHERE variable_name='admin-admin-mysql_ifaces'"));
  EXPECT_TRUE(admin.ask("LOAD ADMIN VARIABLES TO RUNTIME"));
  EXPECT_EQ("0", admin.ask("SELECT count(*) FROM GLOBAL_VARIABLES WHERE variable_name LIKE 'admin-admin-%'"));
  EXPECT_TRUE(server.admin().up()) << "an empty value leaves the credentials as they are";
  const auto user = [&](const std::string& table) {
    return admin.ask("SELECT variable_value FROM " + table + " WHERE variable_name='admin-cluster_username'");
  };
  EXPECT_TRUE(admin.ask("SET admin-cluster_username='node'"));
  EXPECT_TRUE(admin.ask("LOAD ADMIN VARIABLES TO RUNTIME"));
  EXPECT_TRUE(admin.ask("SET admin-cluster_username=''"));
  EXPECT_TRUE(admin.ask("LOAD ADMIN VARIABLES TO RUNTIME"));
  EXPECT_EQ("", user("global_variables"));
  EXPECT_EQ("node", user("runtime_global_variables")) << "so is the cluster's user";
}

TEST(ProxysqlDouble, FaultHitsTheStatementItIsMeantFor) {
  const Double server("");
  server.control("fault query error nth=2 match=two");
  Connection admin = server.admin();
  EXPECT_EQ("two", admin.ask("SELECT 'two'"));
  EXPECT_FALSE(admin.ask("SELECT 'two'"));
  EXPECT_EQ("two", admin.ask("SELECT 'two'"));
}

TEST(ProxysqlDouble, SilenceLastsUntilTheClientGivesUp) {
  const Double server("");
  server.control("fault query silence");
  Connection admin = server.admin(1);
  const auto before = Clock::now();
  EXPECT_FALSE(admin.ask("SELECT 1"));
  EXPECT_GE(Clock::now() - before, milliseconds(900));
  EXPECT_LT(Clock::now() - before, seconds(3));
}

TEST(ProxysqlDouble, EachAbandonedStatementLeavesAThreadUntilTheWedgeEnds) {
  const Double server("");
  const auto threads = [&] { return server.control("stats")["threads"].get<int>(); };
  server.control("wedge 1");
  std::this_thread::sleep_for(milliseconds(200));  // until the threads of earlier connections have gone
  const int before = threads();
  for (int i = 0; i < 3; ++i) {
    Connection admin = server.admin(1);
    EXPECT_TRUE(admin.ping());
    EXPECT_FALSE(admin.ask("SELECT 1"));
  }
  EXPECT_GE(threads(), before + 3);
  server.control("unwedge");
  EXPECT_TRUE(eventually([&] { return threads() < before; }));
}

TEST(ProxysqlDouble, SchedulerGivesAnEmptyEnvironmentAndArgumentsUpToTheFirstNull) {
  const Double server("");
  Connection admin = server.admin();
  const std::string script = "tr \"\\0\" \"\\n\" < /proc/self/environ > " + server.file("env.new") +
                             "; echo \"$# $1\" > " + server.file("args") + "; mv " + server.file("env.new") + " " +
                             server.file("env");
  admin.ask("INSERT INTO scheduler(id,interval_ms,filename,arg1,arg2,arg3,arg5) VALUES (1,100,'/bin/sh','-c','" +
            script + "','me','unseen')");
  admin.ask("LOAD SCHEDULER TO RUNTIME");
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(server.file("env")); }));
  EXPECT_EQ("0 \n", server.read("args"));
  EXPECT_EQ(std::string::npos, server.read("env").find("PATH="));
}

TEST(ProxysqlDouble, SatelliteFollowsOnlyWhatItsCoreHasLoaded) {
  const Double core("mysql_servers=({ address=\"10.0.0.1\" hostgroup=0 })\n");
  const Double satellite("", core.admin_port);
  const auto servers = [&] { return satellite.admin().ask("SELECT count(*) FROM runtime_mysql_servers"); };
  std::this_thread::sleep_for(milliseconds(500));
  EXPECT_EQ("0", servers());
  core.admin().ask("LOAD MYSQL SERVERS TO RUNTIME");
  EXPECT_TRUE(eventually([&] { return servers() == "1"; }));
  EXPECT_EQ("1", satellite.admin().ask("SELECT count(*) FROM disk.mysql_servers"));
}

TEST(ProxysqlDouble, WaitTimeoutClosesIdleSessionsButNoTransactions) {
  const Double server("");
  Connection idle(server.mysql_port, "app", "app");
  Connection busy(server.mysql_port, "app", "app");
  busy.ask("BEGIN");
  Connection admin = server.admin();
  admin.ask("SET mysql-wait_timeout=0");
  admin.ask("LOAD MYSQL VARIABLES TO RUNTIME");
  EXPECT_TRUE(eventually([&] { return server.control("stats")["mysql_connections_now"] == 1; }));
  EXPECT_FALSE(idle.ask("SELECT 1"));
  EXPECT_EQ("1", busy.ask("SELECT 1"));
}

// Seen on 2.7.1: without multiplexing's hold nobody has a backend who asks nothing and is in no transaction.
TEST(ProxysqlDouble, KillConnectionClosesWhomeverItNames) {
  const Double server("");
  Connection idle(server.mysql_port, "app", "app");
  Connection busy(server.mysql_port, "app", "app");
  busy.ask("BEGIN");
  Connection admin = server.admin();
  const std::string resting = "SELECT SessionID FROM stats_mysql_processlist WHERE command='Sleep' AND srv_host IS ";
  const auto id = admin.ask(resting + "NULL");
  const auto other = admin.ask(resting + "NOT NULL");
  ASSERT_TRUE(id && other);
  EXPECT_NE(*id, *other);
  EXPECT_TRUE(admin.ask("KILL CONNECTION " + *id));
  EXPECT_FALSE(idle.ask("SELECT 1"));
  EXPECT_FALSE(admin.ask("KILL CONNECTION " + *id));
  EXPECT_EQ("ProxySQL Admin Error: Unknown thread id: " + *id, admin.error());
  EXPECT_EQ("1", busy.ask("SELECT 1"));
  EXPECT_TRUE(admin.ask("KILL CONNECTION " + *other)) << "in a transaction, too";
  EXPECT_FALSE(busy.ask("SELECT 1"));
}

// Seen on 2.7.1: a client that has its greeting and hasn't logged in is no exception.
TEST(ProxysqlDouble, ALoginThatIsUnderWayIsIdleToo) {
  const Double server("");
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(server.mysql_port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(0, ::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
  EXPECT_TRUE(eventually([&] { return server.control("stats")["mysql_connections_now"] == 1; }));
  Connection admin = server.admin();
  admin.ask("SET mysql-wait_timeout=0");
  admin.ask("LOAD MYSQL VARIABLES TO RUNTIME");
  EXPECT_TRUE(eventually([&] { return server.control("stats")["mysql_connections_now"] == 0; }));
  ::close(client);
}

TEST(ProxysqlDouble, PauseRefusesNewConnectionsAndResumeBringsThemBack) {
  const Double server("");
  Connection open(server.mysql_port, "app", "app");
  Connection admin = server.admin();
  EXPECT_TRUE(admin.ask("PROXYSQL PAUSE"));
  EXPECT_FALSE(Connection(server.mysql_port, "app", "app").up());
  EXPECT_EQ("1", open.ask("SELECT 1"));
  EXPECT_FALSE(admin.ask("PROXYSQL PAUSE"));
  EXPECT_EQ("ProxySQL Admin Error: ProxySQL MySQL module is already paused, impossible to pause", admin.error());
  EXPECT_TRUE(admin.ask("PROXYSQL RESUME"));
  EXPECT_TRUE(Connection(server.mysql_port, "app", "app").up());
}

// The whole table comes in pieces, any other question goes through SQLite: both are of the same rows.
TEST(ProxysqlDouble, HasAsManyDigestsAsAreAskedFor) {
  const Double server("");
  Connection admin = server.admin();
  server.control("digests 500");
  EXPECT_EQ("500", admin.ask("SELECT count(DISTINCT digest) FROM stats_mysql_query_digest"));
  EXPECT_EQ("500", admin.ask("SELECT count(DISTINCT digest_text) FROM stats_mysql_query_digest"));
  EXPECT_EQ(admin.all("SELECT * FROM stats_mysql_query_digest WHERE 1"),
            admin.all("SELECT * FROM stats_mysql_query_digest"));
  EXPECT_EQ(500u, admin.all("SELECT * FROM stats_mysql_query_digest_reset").size());
  EXPECT_EQ(0u, admin.all("SELECT * FROM stats_mysql_query_digest").size());
  EXPECT_EQ("0", admin.ask("SELECT count(*) FROM stats_mysql_query_digest"));
}

// A cluster's user is let in as one of admin_credentials, and by nothing else.
TEST(ProxysqlDouble, LetsInWhomTheCredentialsNameAlone) {
  const Double server("");
  EXPECT_TRUE(Connection(server.admin_port, "node", "nodepw").up());
  EXPECT_TRUE(server.admin().ask("SET admin-admin_credentials='pulse:pw;admin:admin'"));
  EXPECT_TRUE(server.admin().ask("LOAD ADMIN VARIABLES TO RUNTIME"));
  EXPECT_FALSE(Connection(server.admin_port, "node", "nodepw").up());
}

TEST(ProxysqlDouble, HasPageTablesOfAnySize) {
  const Double server("");
  const auto page_tables_kb = [&] {
    std::ifstream status("/proc/" + std::to_string(server.control("stats")["pid"].get<int>()) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmPTE:")) return std::atoi(line.c_str() + 6);
    }
    return 0;
  };
  // A sanitizer's shadow of the mapping has page tables too, an eighth, which stay.
  constexpr int kSlack = 8192 / 8 + 256;
  const int own = page_tables_kb();
  server.control("page_tables 8");
  EXPECT_NEAR(own + 8192, page_tables_kb(), kSlack);
  server.control("page_tables 0");
  EXPECT_NEAR(own, page_tables_kb(), kSlack);
}

TEST(ProxysqlDouble, AsVersionThreeHasPostgresqlsModulesTablesAndPort) {
  const int port = free_port();
  const std::string groups = "pgsql_variables={ threads=1 interfaces=\"127.0.0.1:" + std::to_string(port) +
                             "\" }\npgsql_users=({ username=\"app\" password=\"app\" },)\n"
                             "pgsql_servers=({ address=\"10.0.0.1\" hostgroup=1 },)\n";
  const Double server(groups, 0, "3.0.1-39-g596d5ba");
  EXPECT_EQ("11", server.admin().ask("SELECT count(*) FROM runtime_checksums_values"));
  EXPECT_EQ("0", server.admin().ask("SELECT version FROM runtime_checksums_values WHERE name='pgsql_variables'"));
  EXPECT_EQ("5432", server.admin().ask("SELECT port FROM runtime_pgsql_servers"));
  EXPECT_EQ("false", server.admin().ask("SELECT Variable_Value FROM stats_pgsql_global WHERE Variable_Name="
                                        "'pgsql_listener_paused'"));
  Connection admin = server.admin();
  admin.ask("LOAD PGSQL USERS TO RUNTIME");
  EXPECT_EQ("2", server.admin().ask("SELECT version FROM runtime_checksums_values WHERE name='pgsql_users'"));
  EXPECT_EQ("", server.admin().ask("PROXYSQL PAUSE"));
  EXPECT_EQ("true", server.admin().ask("SELECT Variable_Value FROM stats_pgsql_global WHERE Variable_Name="
                                       "'pgsql_listener_paused'"));
}

TEST(ProxysqlDouble, AsVersionTwoKnowsNothingOfPostgresql) {
  const Double server("pgsql_users=({ username=\"app\" },)\n");
  EXPECT_EQ("7", server.admin().ask("SELECT count(*) FROM runtime_checksums_values"));
  EXPECT_EQ("0", server.admin().ask("SELECT count(*) FROM GLOBAL_VARIABLES WHERE variable_name LIKE 'pgsql-%'"));
  EXPECT_EQ("0", server.admin().ask("SELECT count(*) FROM sqlite_master WHERE name LIKE '%pgsql%'"));
}

}  // namespace
