// What the daemon must not do to its node: believe what it saw of an earlier ProxySQL, restart a healthy one, let
// anybody shut it down, or stop looking because nobody reads its log.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include "src/base/exit_code.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;

// A satellite whose file has nothing: what it serves came from a core, here by hand.
Server::Options unconfigured(const std::string& daemon) {
  Server::Options options;
  options.mysql_servers = options.mysql_users = "";
  options.pulse = "interval_ms=5000, timeout_ms=1000, daemon={ " + daemon + " }, ";
  return options;
}

void configure(Server& server) {
  server.query("INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (0, '127.0.0.1', 3306)");
  server.query("LOAD MYSQL SERVERS TO RUNTIME");
}

void wait_for_uptime(Server& server, int at_least_s) {
  EXPECT_TRUE(eventually([&] {
    return std::stoi(server.value(
               "SELECT variable_value FROM stats_mysql_global WHERE variable_name='ProxySQL_Uptime'")) >= at_least_s;
  }));
}

bool becomes(const Daemon& daemon, const std::string& path, int status) {
  return eventually([&] { return daemon.get(path).status == status; });
}

// Never `status` as long as the port is known to answer, for two seconds.
void expect_never(const Daemon& daemon, const std::string& path, int status) {
  EXPECT_TRUE(eventually([&] { return daemon.get("/status").body["mysql_port"]["answers"] == true; }));
  for (const Deadline end = Deadline::after(seconds(2)); !end.passed();) ASSERT_NE(status, daemon.get(path).status);
}

class Restarted : public ::testing::TestWithParam<const char*> {};

TEST_P(Restarted, ASatelliteWithoutItsDatabaseIsNotReadyBeforeItIsConfigured) {
  Server server(unconfigured(GetParam()));
  Daemon daemon(server);
  configure(server);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  ASSERT_TRUE(becomes(daemon, "/healthz/ready", 200));
  ASSERT_TRUE(becomes(daemon, "/healthz/started", 200));
  wait_for_uptime(server, 3);  // two starts within two seconds may look like one to a beat

  server.kill();
  ASSERT_TRUE(becomes(daemon, "/healthz/ready", 503));
  server.wipe();
  server.start();
  expect_never(daemon, "/healthz/ready", 200);
  EXPECT_EQ(503, daemon.get("/healthz/started").status) << "that, too, is of one start";
  EXPECT_THAT(daemon.get("/healthz/ready").body["message"], HasSubstr("no configuration has been received"));
  EXPECT_EQ(200, daemon.get("/healthz/live").status);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  EXPECT_TRUE(becomes(daemon, "/healthz/started", 200));
  EXPECT_EQ(503, daemon.get("/healthz/ready").status);
  configure(server);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  EXPECT_TRUE(becomes(daemon, "/healthz/ready", 200));
}

INSTANTIATE_TEST_SUITE_P(Looks, Restarted, ::testing::Values("mysql_look=\"passive\"", "mysql_look=\"active\""),
                         [](const auto& look) {
                           return std::string(look.param).find("active") != std::string::npos ? "active" : "passive";
                         });

TEST(NodeHarm, ARestartBetweenTwoLooksIsNoticed) {
  Server server(unconfigured(""));
  Daemon daemon(server);
  configure(server);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  ASSERT_TRUE(becomes(daemon, "/healthz/ready", 200));
  daemon.process().signal(SIGSTOP);
  server.kill();
  server.wipe();
  server.start();
  daemon.process().signal(SIGCONT);
  EXPECT_TRUE(becomes(daemon, "/healthz/ready", 503));
  expect_never(daemon, "/healthz/ready", 200);
}

TEST(NodeHarm, ARestartWhileNoDaemonLookedIsKnownFromTheSegment) {
  Server server(unconfigured(""));
  configure(server);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  {
    Daemon daemon(server);
    ASSERT_TRUE(becomes(daemon, "/healthz/ready", 200));
    ASSERT_TRUE(eventually([&] { return server.status()["probes"]["ready"]["passes"] == true; }));
  }
  {
    Daemon daemon(server);
    EXPECT_TRUE(becomes(daemon, "/healthz/ready", 200)) << "a restart of the daemon alone changes nothing";
  }
  server.kill();
  server.wipe();
  server.start();
  Daemon daemon(server);
  expect_never(daemon, "/healthz/ready", 200);
}

TEST(NodeHarm, PauseAndResumeAreNoStart) {
  Server server(unconfigured(""));
  Daemon daemon(server);
  configure(server);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  ASSERT_TRUE(becomes(daemon, "/healthz/ready", 200));
  server.query("PROXYSQL PAUSE");
  ASSERT_TRUE(becomes(daemon, "/healthz/ready", 503));
  EXPECT_EQ(200, daemon.get("/healthz/started").status);
  server.query("PROXYSQL RESUME");
  EXPECT_TRUE(becomes(daemon, "/healthz/ready", 200)) << "and no beat has come";
  EXPECT_EQ(200, daemon.get("/healthz/started").status);
}

TEST(NodeHarm, ATimeoutWithoutBeatsAfterItFailsNothing) {
  Server::Options options;
  options.pulse =
      "interval_ms=500, timeout_ms=200, backoff_max_ms=1000, daemon={ live_after_ms=1500, "
      "live_stagger_ms=0 }, ";
  Server server(options);
  Daemon daemon(server);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  ASSERT_TRUE(becomes(daemon, "/healthz/ready", 200));
  server.wedge(seconds(60));
  ASSERT_TRUE(eventually([&] {
    server.beat();
    return daemon.get("/healthz/live").status == 503;
  })) << "while beats come";
  EXPECT_THAT(daemon.get("/healthz/live").body["message"], HasSubstr("longer than live_after"));
  EXPECT_TRUE(becomes(daemon, "/healthz/live", 200)) << "the row was switched off";
  EXPECT_EQ("scheduler_silent", daemon.state());

  ASSERT_TRUE(eventually([&] {
    server.beat();
    return daemon.get("/healthz/live").status == 503;
  }));
  server.kill();
  server.start();
  EXPECT_TRUE(becomes(daemon, "/healthz/live", 200)) << "the one that hung is gone";
  expect_never(daemon, "/healthz/live", 503);
  EXPECT_THAT(daemon.get("/healthz/live").body["message"], HasSubstr("no beat"));
}

TEST(NodeHarm, OneThatHangsFromItsStartOnIsRestartedSoonAndOneThatServedIsNot) {
  Server::Options options = unconfigured("live_unready_after_ms=1500, live_stagger_ms=0");
  options.start = false;
  options.pulse =
      "interval_ms=500, timeout_ms=200, backoff_max_ms=1000, daemon={ live_unready_after_ms=1500, "
      "live_stagger_ms=0 }, ";
  Server server(options);
  Daemon daemon(server);
  server.start();
  const auto hangs = [&](int live) {
    server.wedge(seconds(60));
    return eventually(
        [&] {
          server.beat();
          return daemon.get("/healthz/live").status == live;
        },
        seconds(live == 503 ? 30 : 5));
  };
  EXPECT_TRUE(hangs(503));
  EXPECT_THAT(daemon.get("/healthz/live").body["message"], HasSubstr("was never ready"));
  const UniqueFd client = connect_loopback(server.mysql_port());
  EXPECT_TRUE(becomes(daemon, "/healthz/live", 200)) << "somebody is connected";

  server.kill();
  server.start();
  // A scheduler's first beat comes an interval later; the daemon has looked by then.
  ASSERT_TRUE(
      eventually([&] { return daemon.process().output().find("ProxySQL has started anew") != std::string::npos; }));
  configure(server);
  ASSERT_TRUE(eventually([&] { return server.beat().exit_code == kExitOk; }));
  ASSERT_TRUE(becomes(daemon, "/healthz/ready", 200));
  EXPECT_FALSE(hangs(503)) << "it has served: live_after counts, ten minutes";
}

// As a core of a new cluster comes up: its daemon has its list before the first beat makes the segment.
TEST(NodeHarm, TheFirstBeatOfACorePutsAddressesInPlaceOfItsBootstrapName) {
  Server::Options options;
  options.role = "core";
  options.start = false;
  options.admin_port = free_port();
  const std::string port = std::to_string(options.admin_port);
  options.bootstrap = "{ hostname=\"localhost\", port=" + port + " },";
  options.pulse =
      "interval_ms=5000, timeout_ms=4000, core={ authority=\"never\" }, discovery={ source=\"static\", "
      "members=[\"127.0.0.1:" +
      port + "\", \"127.0.0.9:" + port + "\"] }, ";
  Server server(options);
  Daemon daemon(server);
  server.start();
  // As with a scheduler, which waits for an interval: a module isn't loaded twice within a second.
  wait_for_uptime(server, 2);
  const Ran first = server.beat();
  ASSERT_EQ(kExitOk, first.exit_code) << first.output;
  EXPECT_EQ("127.0.0.1,127.0.0.9", server.column("SELECT hostname FROM runtime_proxysql_servers ORDER BY hostname"));
  EXPECT_LT(first.took, milliseconds(2000));
}

TEST(NodeHarm, WithoutADaemonTheFirstBeatWaitsALittleAndOnce) {
  Server::Options options;
  options.pulse = "interval_ms=5000, timeout_ms=4000, discovery={ source=\"static\", members=[\"127.0.0.9\"] }, ";
  Server server(options);
  const Ran first = server.beat();
  EXPECT_EQ(kExitOk, first.exit_code);
  EXPECT_GE(first.took, milliseconds(250));
  EXPECT_LT(first.took, milliseconds(1500));
  EXPECT_EQ(kExitOk, server.beat().exit_code);
  EXPECT_LT(server.status()["history"][0]["duration_ms"], 250);
}

// What a program of that user gets that POSTs from that address.
std::string post_as(uid_t user, uint16_t port, const std::string& path, const std::string& headers,
                    const char* from = "127.0.0.1") {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    if (user != 0 && (::setgid(user) != 0 || ::setuid(user) != 0)) ::_exit(1);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in own = loopback_address(0, from);
    const sockaddr_in to = loopback_address(port);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) ::_exit(2);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) ::_exit(3);
    const std::string request =
        "POST " + path + " HTTP/1.1\r\nConnection: close\r\n" + headers + "Content-Length: 2\r\n\r\non";
    static_cast<void>(::send(fd, request.data(), request.size(), MSG_NOSIGNAL));
    char buffer[4096];
    for (ssize_t got = 0; (got = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) {
      static_cast<void>(::write(ends[1], buffer, static_cast<size_t>(got)));
    }
    ::_exit(0);
  }
  writing.reset();
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(reading.get(), buffer, sizeof buffer)) > 0;) {
    answer.append(buffer, static_cast<size_t>(got));
  }
  ::waitpid(child, nullptr, 0);
  return answer;
}

TEST(NodeHarm, OnlyTrustedUsersOfThisHostMakeControlCalls) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to be somebody else";
  Server server({});
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  const auto post = [&](uid_t user, const std::string& headers = "", const char* from = "127.0.0.1") {
    return post_as(user, daemon.port(), "/maintenance", headers, from);
  };
  EXPECT_THAT(post(4321), HasSubstr("403"));
  EXPECT_THAT(post(4321), HasSubstr("user 4321: neither root nor ProxySQL's user"));
  EXPECT_THAT(post(0, "", "127.0.0.6"), HasSubstr("it comes from 127.0.0.6")) << "a mesh's proxy, for a stranger";
  EXPECT_THAT(post(0, "Origin: http://evil.example\r\n"), HasSubstr("it comes from a web page"));
  EXPECT_THAT(post(0, "Host: evil.example\r\n"), HasSubstr("its Host"));
  EXPECT_THAT(daemon.ask({"/shutdown", "GET", "Sec-Fetch-Site: cross-site\r\n"}).body["message"],
              HasSubstr("it comes from a web page"));
  EXPECT_TRUE(daemon.get("/status").body["maintenance_since"].is_null());
  EXPECT_TRUE(server.process().running());
  EXPECT_THAT(post(0), HasSubstr("200 OK"));
  EXPECT_THAT(post(0, "Host: localhost:8080\r\n"), HasSubstr("200 OK"));
}

TEST(NodeHarm, ALogThatNobodyReadsHoldsUpNothing) {
  Server server({});
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  int ends[2];
  ASSERT_EQ(0, ::pipe2(ends, O_CLOEXEC));
  const UniqueFd reading(ends[0]), writing(ends[1]);
  ASSERT_EQ(0, ::fcntl(ends[1], F_SETFL, O_NONBLOCK));
  while (::write(ends[1], "x", 1) == 1) {
  }
  ASSERT_EQ(0, ::fcntl(ends[1], F_SETFL, 0));
  const uint16_t port = free_port();
  Process process({binary("proxysql-pulsed"), "--config=" + server.config(), "--port=" + std::to_string(port)},
                  server.dir(), {{}, "deaf", [&] { ::dup2(ends[1], 2); }});
  const auto get = [&](const std::string& path) {
    const UniqueFd fd = connect_loopback(port);
    const std::string request = "GET " + path + " HTTP/1.1\r\nConnection: close\r\n\r\n";
    if (!fd || ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return std::string();
    std::string answer;
    char buffer[65536];
    for (ssize_t got = 0; (got = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0;) {
      answer.append(buffer, static_cast<size_t>(got));
    }
    return answer;
  };
  ASSERT_TRUE(eventually([&] { return get("/healthz/ready").find("200 OK") != std::string::npos; }));
  // Each switch is a line of the log, on the thread that answers probes.
  const int switches = 3000;
  for (int i = 0; i < switches; ++i) {
    ASSERT_THAT(post_as(0, port, "/maintenance", ""), HasSubstr("200 OK")) << i;
    EXPECT_THAT(get("/healthz/ready"), HasSubstr("503")) << i;
    if (get("/metrics").find("log_lines_dropped_total 0\n") == std::string::npos) break;
  }
  EXPECT_THAT(get("/metrics"), ::testing::Not(HasSubstr("log_lines_dropped_total 0\n")));
  EXPECT_EQ(kExitOk, server.run({"maintenance", "off"}).exit_code);
  server.kill();
  EXPECT_TRUE(eventually([&] { return get("/healthz/ready").find("nothing listens") != std::string::npos; }))
      << "it looks on";
  // Somebody reads again.
  std::string read;
  ASSERT_EQ(0, ::fcntl(ends[0], F_SETFL, O_NONBLOCK));
  EXPECT_TRUE(eventually([&] {
    char buffer[65536];
    const ssize_t got = ::read(ends[0], buffer, sizeof buffer);
    if (got > 0) read.append(buffer, static_cast<size_t>(got));
    return read.find("log lines were dropped: nobody read them") != std::string::npos;
  }));
  process.signal(SIGTERM);
  EXPECT_EQ(0, process.wait(seconds(10)));
}

TEST(NodeHarm, ADaemonWhoseLogIsFullStillEndsWhenItIsTold) {
  Server server({});
  int ends[2];
  ASSERT_EQ(0, ::pipe2(ends, O_CLOEXEC | O_NONBLOCK));
  const UniqueFd reading(ends[0]), writing(ends[1]);
  while (::write(ends[1], "x", 1) == 1) {
  }
  ASSERT_EQ(0, ::fcntl(ends[1], F_SETFL, 0));
  const uint16_t port = free_port();
  Process process({binary("proxysql-pulsed"), "--config=" + server.config(), "--port=" + std::to_string(port)},
                  server.dir(), {{}, "deaf", [&] { ::dup2(ends[1], 2); }});
  ASSERT_TRUE(eventually([&] { return static_cast<bool>(connect_loopback(port)); }));
  process.signal(SIGTERM);
  EXPECT_EQ(0, process.wait(seconds(10)));
}

}  // namespace
}  // namespace pulse::test
