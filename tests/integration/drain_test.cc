// A drain takes its ProxySQL out of service without losing anybody, and whatever dies or hangs meanwhile, it is
// bounded, says the truth and leaves nothing behind. What clients see of it is storm_test.cc's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <future>

#include "scheduler/admin/admin_client.h"
#include "shm/segment/lock.h"
#include "shm/segment/segment.h"
#include "src/base/exit_code.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr milliseconds kSettle{1000};
// ProxySQL 3 has a thread for PostgreSQL's clients, which PAUSE needs another second for.
milliseconds drain_timeout() { return milliseconds(proxysql_major() >= 3 ? 7100 : 6000); }
constexpr milliseconds kSlack{1500};  // machines are shared

// A backend for a real ProxySQL. The double needs none.
class Backend {
 public:
  Backend() {
    if (!is_real()) return;
    Server::Options options;
    options.double_always = true;
    server_ = std::make_unique<Server>(options);
  }
  std::string row() const {
    return "{ address=\"127.0.0.1\", port=" + std::to_string(server_ ? server_->mysql_port() : 3306) +
           ", hostgroup=0 },";
  }

 private:
  std::unique_ptr<Server> server_;
};

// A client of the MySQL port.
class DrainedClient {
 public:
  explicit DrainedClient(const Server& server)
      : client_(AdminClient::connect({"127.0.0.1", server.mysql_port(), "app", "app", false},
                                     Deadline::after(seconds(5)))) {
    EXPECT_TRUE(client_) << client_.error().text;
  }
  DrainedClient(const DrainedClient&) = delete;
  DrainedClient& operator=(const DrainedClient&) = delete;
  ~DrainedClient() {
    if (client_) client_->close(Deadline::after(seconds(5)));
  }
  bool query(const std::string& statement) { return client_ && client_->query(statement, Deadline::after(seconds(5))); }

 private:
  Result<AdminClient> client_;
};

// Only a drain that waits for it to leave gets it to go: with PAUSE and SHUTDOWN.
class StayingClient : public DrainedClient {
 public:
  explicit StayingClient(const Server& server) : DrainedClient(server) {
    EXPECT_TRUE(query("BEGIN") && query("SELECT 1"));
  }
};

class DrainTest : public ::testing::Test {
 protected:
  Server::Options options(const std::string& drain = "", const std::string& more = "") const {
    Server::Options options;
    options.mysql_servers = backend_.row();
    options.pulse = "interval_ms=2000, timeout_ms=1500, drain={ settle_ms=" + std::to_string(kSettle.count()) +
                    ", timeout_ms=" + std::to_string(drain_timeout().count()) + ", " + drain + " }, " + more;
    return options;
  }

  static std::string variable(Server& server, const std::string& name) {
    return server.value("SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-" + name + "'");
  }
  static void set_variable(Server& server, const std::string& name, const std::string& value) {
    server.query("UPDATE global_variables SET variable_value='" + value + "' WHERE variable_name='mysql-" + name + "'");
  }
  static std::string phase(const Server& server) {
    const nlohmann::json drain = server.status()["drain"];
    return drain.is_object() ? drain.value("phase", "") : "";
  }
  static bool reaches(const Server& server, const std::string& wanted) {
    return eventually([&] { return phase(server) == wanted; }, seconds(15));
  }
  static std::unique_ptr<Process> start_drain(const Server& server, std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), "drain");
    return std::make_unique<Process>(server.pulse(arguments), server.dir(), Process::Options{{}, "drain", {}});
  }
  static std::future<Daemon::Answer> call_shutdown(const Daemon& daemon) {
    return std::async(std::launch::async, [&daemon] {
      return daemon.ask({"/shutdown", "POST", "", "", "127.0.0.1", seconds(60)});
    });
  }
  static bool beats_until_ready(const Server& server, const Daemon& daemon) {
    return eventually([&] { return server.beat().exit_code == kExitOk && daemon.get("/healthz/ready").status == 200; });
  }

  Backend backend_;
};

TEST_F(DrainTest, WithoutClientsItTakesSettleAndASecond) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  const Ran ran = server.run({"drain"});
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_GE(ran.took, kSettle);
  EXPECT_LE(ran.took, kSettle + seconds(2) + kSlack);
  EXPECT_LT(ran.took, drain_timeout()) << "that is what it is about";
  EXPECT_EQ(0, server.process().wait(seconds(5)));
  EXPECT_THAT(ran.output, HasSubstr("ProxySQL was stopped by PROXYSQL SHUTDOWN; no client was left"));
  for (const std::string& log : {ran.output, server.log()}) {
    EXPECT_THAT(log, Not(HasSubstr("[error]"))) << "this is how it should end";
    EXPECT_THAT(ran.output, Not(HasSubstr("[warning]")));
  }
  const nlohmann::json status = server.status();
  EXPECT_EQ("draining", status["state"]);
  EXPECT_EQ("stopped", status["drain"]["outcome"]);
  EXPECT_EQ("ended", status["drain"]["phase"]);
  EXPECT_EQ(0, status["drain"]["clients"]);
  EXPECT_EQ(false, status["drain"]["paused"]);

  const Ran again = server.run({"drain"});
  EXPECT_EQ(kExitOk, again.exit_code) << again.output;
  EXPECT_THAT(again.output, HasSubstr("ProxySQL isn't running, there is nothing to drain"));
  EXPECT_LE(again.took, seconds(1) + kSlack);
  const Ran beat = server.beat();
  EXPECT_EQ(kExitUnavailable, beat.exit_code);
  EXPECT_EQ("", beat.output) << "nobody answers, as it was asked for";
}

TEST_F(DrainTest, IdleClientsAreClosedAndOpenTransactionsLeftAlone) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  DrainedClient idle(server);
  ASSERT_TRUE(idle.query("SELECT 1"));
  auto staying = std::make_unique<StayingClient>(server);
  const auto drain = start_drain(server);
  ASSERT_TRUE(reaches(server, "close"));
  ASSERT_TRUE(eventually([&] { return server.status()["drain"]["clients"] == 1; }));
  EXPECT_FALSE(idle.query("SELECT 1"));
  EXPECT_TRUE(staying->query("SELECT 1"));
  EXPECT_TRUE(staying->query("COMMIT"));
  EXPECT_EQ(kExitOk, drain->wait()) << "from the COMMIT on it is idle";
  EXPECT_THAT(drain->output(), HasSubstr("no client was left"));
  EXPECT_THAT(drain->output(), HasSubstr("with 2 clients"));
  EXPECT_EQ(0, server.process().wait(seconds(5)));
}

TEST_F(DrainTest, NoShutdownLeavesItUpAndUndrainPutsItBack) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  ASSERT_TRUE(beats_until_ready(server, daemon));
  set_variable(server, "wait_timeout", "12345678");
  server.query("LOAD MYSQL VARIABLES TO RUNTIME");
  const std::string poll_timeout = variable(server, "poll_timeout");
  set_variable(server, "shun_on_failures", "17");  // and not loaded

  const Ran ran = server.run({"drain", "--no-shutdown"});
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("mysql-shun_on_failures had been set and not loaded"));
  EXPECT_TRUE(server.process().running());
  EXPECT_EQ("10", variable(server, "poll_timeout"));
  EXPECT_NE("12345678", variable(server, "wait_timeout"));
  const nlohmann::json status = server.status();
  EXPECT_EQ("drained", status["drain"]["outcome"]);
  EXPECT_THAT(status["drain"]["message"], HasSubstr("mysql-shun_on_failures had been set and not loaded"));

  // Beats go on, and leave it as it is.
  EXPECT_EQ(kExitOk, server.beat().exit_code);
  const Daemon::Answer ready = daemon.get("/healthz/ready");
  EXPECT_EQ(503, ready.status);
  EXPECT_EQ("draining", ready.body["state"]);
  EXPECT_EQ(true, ready.body["draining"]);
  EXPECT_EQ(200, daemon.get("/healthz/live").status);

  // A second one remembers what the first one found, not what it left.
  ASSERT_EQ(kExitOk, server.run({"drain", "--no-shutdown"}).exit_code);
  set_variable(server, "shun_on_failures", "18");
  const Ran undrain = server.run({"undrain"});
  EXPECT_EQ(kExitOk, undrain.exit_code) << undrain.output;
  EXPECT_THAT(undrain.output, HasSubstr("mysql-shun_on_failures had been set and not loaded"));
  EXPECT_EQ("12345678", variable(server, "wait_timeout"));
  EXPECT_EQ(poll_timeout, variable(server, "poll_timeout"));
  EXPECT_EQ("undone", server.status()["drain"]["outcome"]);
  EXPECT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 200; }));
  EXPECT_THAT(server.run({"undrain"}).output, HasSubstr("nothing to do"));
}

TEST_F(DrainTest, UndrainResumesWhatWasPaused) {
  Server::Options with = options();
  if (!is_real()) with.version = "3.0.1";  // which says OK twice
  Server server(with);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  StayingClient client(server);
  const Ran ran = server.run({"drain", "--no-shutdown"});
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("drained and paused: new connections are refused; 1 client left"));
  EXPECT_FALSE(connect_loopback(server.mysql_port()));
  EXPECT_TRUE(client.query("SELECT 1"));
  const Ran again = server.run({"drain", "--no-shutdown"});
  EXPECT_EQ(kExitOk, again.exit_code) << "already paused: " << again.output;
  EXPECT_THAT(again.output, Not(HasSubstr("already paused")));
  const Ran undrain = server.run({"undrain"});
  EXPECT_EQ(kExitOk, undrain.exit_code) << undrain.output;
  EXPECT_TRUE(connect_loopback(server.mysql_port()));
  EXPECT_EQ("28800000", variable(server, "wait_timeout"));
}

TEST_F(DrainTest, WhatACoreLoadsIsLoweredAgain) {
  Server::Options core_options;
  core_options.role = "core";
  core_options.mysql_servers = backend_.row();
  Server core(core_options);
  Server::Options with = options();
  with.bootstrap = "{ hostname=\"127.0.0.1\", port=" + std::to_string(core.admin_port()) + ", comment=\"core\" },";
  Server server(with);
  // The satellite follows its core.
  set_variable(core, "wait_timeout", "23456789");
  core.query("LOAD MYSQL VARIABLES TO RUNTIME");
  ASSERT_TRUE(eventually([&] { return variable(server, "wait_timeout") == "23456789"; }));
  ASSERT_EQ(kExitOk, server.beat().exit_code);

  const auto drain = start_drain(server, {"--timeout-ms=20000", "--no-shutdown"});
  StayingClient client(server);
  ASSERT_TRUE(eventually([&] { return variable(server, "poll_timeout") == "10"; }, seconds(10)));
  // Epochs are whole seconds: a load in the second of the last one isn't seen as newer.
  const std::string epoch = "SELECT epoch FROM runtime_checksums_values WHERE name='mysql_variables'";
  ASSERT_TRUE(eventually([&] { return std::time(nullptr) > std::stoll(server.value(epoch)); }));
  core.query("LOAD MYSQL VARIABLES TO RUNTIME");
  ASSERT_TRUE(eventually(
      [&] { return drain->output().find("mysql-wait_timeout was set to 23456789") != std::string::npos; }, seconds(15)))
      << drain->output();
  EXPECT_TRUE(eventually([&] { return variable(server, "wait_timeout") != "23456789"; }, seconds(5)));
  ASSERT_TRUE(client.query("COMMIT"));
  EXPECT_EQ(kExitOk, drain->wait()) << drain->output();
  EXPECT_EQ("drained", server.status()["drain"]["outcome"]);
  EXPECT_EQ(kExitOk, server.run({"undrain"}).exit_code);
  EXPECT_EQ("23456789", variable(server, "wait_timeout"));
}

TEST_F(DrainTest, PauseComesAtTheDeadlineForAClientThatStays) {
  for (const bool already : {false, true}) {
    Server server(options());
    ASSERT_EQ(kExitOk, server.beat().exit_code);
    StayingClient client(server);
    if (already) server.query("PROXYSQL PAUSE");
    const Ran ran = server.run({"drain"});
    EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
    EXPECT_LE(ran.took, drain_timeout() + kSlack);
    EXPECT_THAT(ran.output, HasSubstr("1 client still here near the deadline: PROXYSQL PAUSE"));
    EXPECT_THAT(ran.output, HasSubstr("stopped by PROXYSQL SHUTDOWN; 1 client cut"));
    EXPECT_THAT(ran.output, Not(HasSubstr("already paused")));
    EXPECT_THAT(ran.output, Not(HasSubstr("[error]")));
    EXPECT_EQ(0, server.process().wait(seconds(5)));
    EXPECT_EQ(1, server.status()["drain"]["clients"]);
    EXPECT_FALSE(client.query("SELECT 1"));
  }
}

TEST_F(DrainTest, TooShortForPauseItShutsDownAndBlamesNobody) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  StayingClient client(server);
  const Ran ran = server.run({"drain", "--timeout-ms=4000"});
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("stopped by PROXYSQL SHUTDOWN; 1 client cut"));
  EXPECT_THAT(ran.output, Not(HasSubstr("unresponsive")));
  EXPECT_EQ(0, server.process().wait(seconds(5)));
}

TEST_F(DrainTest, WithAHungAdminInterfaceTheKernelCountsAndSigtermStops) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  ASSERT_TRUE(beats_until_ready(server, daemon));
  std::vector<std::unique_ptr<DrainedClient>> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(std::make_unique<DrainedClient>(server));
  server.wedge(seconds(60));
  const int64_t began = monotonic_ns();
  auto answer = call_shutdown(daemon);
  EXPECT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 503; }, seconds(1))) << "at once";
  EXPECT_EQ(200, daemon.get("/healthz/live").status);
  EXPECT_TRUE(eventually([&] { return server.status()["drain"]["clients"] == 3; }, seconds(10)));
  EXPECT_TRUE(clients[0]->query("SELECT 1")) << "clients are still served";
  clients.pop_back();  // one leaves, as those do who are sent elsewhere
  EXPECT_TRUE(eventually([&] { return server.status()["drain"]["clients"] == 2; }, seconds(10)));

  const Daemon::Answer done = answer.get();
  EXPECT_LE(nanoseconds(monotonic_ns() - began), drain_timeout() + kSlack);
  EXPECT_GE(nanoseconds(monotonic_ns() - began), drain_timeout() - seconds(2)) << "they had their time";
  EXPECT_EQ(200, done.status) << done.body;
  EXPECT_EQ("ok", done.body["status"]);
  EXPECT_EQ(2, done.body["clients"]);
  EXPECT_EQ(true, done.body["drain"]["admin_unresponsive"]);
  EXPECT_THAT(done.body["message"],
              HasSubstr("ProxySQL was stopped by SIGTERM to process " + std::to_string(server.process().pid())));
  EXPECT_THAT(done.body["message"], HasSubstr("2 clients cut"));
  EXPECT_THAT(done.body["message"], HasSubstr("the admin interface was unresponsive"));
  EXPECT_EQ(0, server.process().wait(seconds(5)));
  EXPECT_EQ(503, daemon.get("/healthz/ready").status);
}

TEST_F(DrainTest, WithAHungAdminInterfaceItIsOverWhenTheLastHasLeft) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  auto client = std::make_unique<DrainedClient>(server);
  server.wedge(seconds(60));
  const auto drain = start_drain(server, {"--timeout-ms=60000"});
  ASSERT_TRUE(eventually([&] { return server.status()["drain"]["admin_unresponsive"] == true; }));
  ASSERT_TRUE(reaches(server, "close"));
  client.reset();
  // An attempt at the admin interface may be under way, for as long as a beat would wait.
  EXPECT_EQ(kExitOk, drain->wait(seconds(2) + milliseconds(1500) + kSlack));
  EXPECT_THAT(drain->output(), HasSubstr("SIGTERM"));
  EXPECT_THAT(drain->output(), HasSubstr("no client was left"));
  EXPECT_EQ(0, server.process().wait(seconds(5)));
}

TEST_F(DrainTest, AHangThatEndsIsNoticed) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  server.wedge(seconds(4));
  const auto drain = start_drain(server, {"--timeout-ms=30000"});
  auto client = std::make_unique<DrainedClient>(server);
  ASSERT_TRUE(eventually([&] { return server.status()["drain"]["admin_unresponsive"] == true; }));
  EXPECT_TRUE(eventually([&] { return drain->output().find("answers again") != std::string::npos; }))
      << drain->output();
  EXPECT_EQ(kExitOk, drain->wait()) << "the idle client is closed then";
  EXPECT_THAT(drain->output(), HasSubstr("stopped by PROXYSQL SHUTDOWN; no client was left"));
  EXPECT_EQ(0, server.process().wait(seconds(5)));
}

// PAUSE holds the admin mutex while it works, and whatever hangs the admin interface takes it right after.
TEST_F(DrainTest, AHangInTheMiddleOfPause) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  StayingClient client(server);
  if (!is_real()) server.control("hold match=\"PROXYSQL PAUSE\" ms=60000 locked");
  const int64_t began = monotonic_ns();
  const auto drain = start_drain(server);
  ASSERT_TRUE(reaches(server, "pause"));
  if (is_real()) server.wedge(seconds(60));
  EXPECT_EQ(kExitOk, drain->wait()) << drain->output();
  EXPECT_LE(nanoseconds(monotonic_ns() - began), drain_timeout() + kSlack);
  EXPECT_THAT(drain->output(), HasSubstr("stopped by SIGTERM"));
  EXPECT_THAT(drain->output(), HasSubstr("1 client cut"));
  EXPECT_THAT(drain->output(), HasSubstr("the admin interface was unresponsive"));
  EXPECT_EQ(0, server.process().wait(seconds(5)));
}

// A PAUSE that wasn't answered in time comes into effect later: undrain must know of it.
TEST_F(DrainTest, APauseThatComesTooLateIsResumed) {
  if (is_real()) GTEST_SKIP() << "the double does it on request";
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  StayingClient client(server);
  server.control("hold match=\"PROXYSQL PAUSE\" ms=3500 locked");
  const Ran ran = server.run({"drain", "--no-shutdown"});
  EXPECT_EQ(kExitTimeout, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("1 client still here at the deadline"));
  ASSERT_TRUE(eventually([&] { return !connect_loopback(server.mysql_port()); }));
  EXPECT_EQ(kExitOk, server.run({"undrain"}).exit_code);
  EXPECT_TRUE(connect_loopback(server.mysql_port()));
}

// What a drain finds in each of its phases. The guard keeps the phase for as long as the test needs it.
class DrainPhaseTest : public DrainTest, public ::testing::WithParamInterface<const char*> {
 protected:
  bool is(const char* phase) const { return std::string(GetParam()) == phase; }

  // To be called before the drain begins.
  void prepare(Server& server) {
    if (is("lock")) {
      auto lock = InstanceLock::try_take(server.state(), std::nullopt);
      while (lock && !lock->taken()) lock = InstanceLock::try_take(server.state(), std::nullopt);
      ASSERT_TRUE(lock);
      beats_lock_ = std::move(*lock);
    }
    if (is("close") || is("pause")) client_ = std::make_unique<StayingClient>(server);
  }
  void wait_for_phase(Server& server) {
    if (is("stop")) {
      // A stopped ProxySQL answers neither SHUTDOWN nor SIGTERM.
      ASSERT_TRUE(reaches(server, "settle"));
      server.process().signal(SIGSTOP);
    }
    ASSERT_TRUE(reaches(server, GetParam())) << server.status()["drain"];
  }
  void let_go(Server& server) {
    beats_lock_.reset();
    if (is("stop")) server.process().signal(SIGCONT);
  }

  std::unique_ptr<StayingClient> client_;
  std::optional<InstanceLock> beats_lock_;
};

INSTANTIATE_TEST_SUITE_P(Each, DrainPhaseTest, ::testing::Values("lock", "settle", "close", "pause", "stop"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(DrainPhaseTest, ProxysqlDies) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  ASSERT_TRUE(beats_until_ready(server, daemon));
  prepare(server);
  const int64_t began = monotonic_ns();
  auto answer = call_shutdown(daemon);
  wait_for_phase(server);
  server.kill();
  const Daemon::Answer done = answer.get();
  EXPECT_LE(nanoseconds(monotonic_ns() - began), drain_timeout() + kSlack);
  EXPECT_EQ(200, done.status) << done.body;
  EXPECT_EQ("stopped", done.body["drain"]["outcome"]);
  // Whether SHUTDOWN or SIGTERM had come through can't be told any more.
  if (is("lock")) {
    EXPECT_THAT(done.body["message"], HasSubstr("ProxySQL isn't running"));
  } else if (!is("stop") && !is("pause")) {
    EXPECT_THAT(done.body["message"], HasSubstr("ProxySQL ended by itself"));
  }
  EXPECT_EQ(503, daemon.get("/healthz/ready").status);
  EXPECT_TRUE(server.processes("drain").empty());

  beats_lock_.reset();
  server.start();
  // The last look may be of the time before the new start; one that meets it later than the first beats says
  // "starting" once more, until the next beat.
  EXPECT_TRUE(eventually([&] {
    return server.beat().exit_code == kExitOk && daemon.state() == "beating" &&
           daemon.get("/healthz/ready").status == 200;
  })) << daemon.get("/status").body.dump(1);
  EXPECT_EQ("28800000", variable(server, "wait_timeout"));
}

TEST_P(DrainPhaseTest, TheOneShotDies) {
  Server::Options with = options();
  with.beat_interval_ms = 500;
  Server server(with);
  Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 200; }));
  const std::string poll_timeout = variable(server, "poll_timeout");
  prepare(server);
  auto answer = call_shutdown(daemon);
  wait_for_phase(server);
  const std::vector<pid_t> one_shots = server.processes("drain");
  ASSERT_EQ(1u, one_shots.size());
  ASSERT_EQ(0, ::kill(one_shots.front(), SIGKILL));
  const Daemon::Answer done = answer.get();
  EXPECT_EQ(500, done.status) << done.body;
  EXPECT_EQ("error", done.body["status"]);
  EXPECT_THAT(done.body["message"], HasSubstr("killed"));
  EXPECT_EQ("none", done.body["drain"]["outcome"]) << "nothing was done";
  let_go(server);

  // Its SIGTERM may have been under way.
  const bool stopped = is("stop") && server.process().wait(seconds(2)) == 0;
  if (stopped) server.start();
  EXPECT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 200; })) << server.log();
  EXPECT_EQ("28800000", variable(server, "wait_timeout"));
  EXPECT_EQ(poll_timeout, variable(server, "poll_timeout"));
  EXPECT_TRUE(connect_loopback(server.mysql_port()));
  EXPECT_TRUE(server.process().running());
  EXPECT_TRUE(server.processes("drain").empty());
  const nlohmann::json drain = server.status()["drain"];
  EXPECT_EQ(1, drain["number"]) << "no second one";
  if (!stopped) {
    EXPECT_EQ("undone", drain["outcome"]);
    EXPECT_THAT(server.log(), HasSubstr(std::string("a drain was killed in phase ") + GetParam()));
  }
  if (client_) {
    EXPECT_TRUE(client_->query("SELECT 1"));
  }
}

TEST_P(DrainPhaseTest, TheDaemonIsKilledAndStartedAnew) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  auto daemon = std::make_unique<Daemon>(server);
  const uint16_t port = daemon->port();
  ASSERT_TRUE(beats_until_ready(server, *daemon));
  prepare(server);
  auto cut = call_shutdown(*daemon);
  wait_for_phase(server);
  daemon->process().signal(SIGKILL);
  EXPECT_EQ(-SIGKILL, daemon->process().wait());
  EXPECT_EQ(0, cut.get().status) << "no answer";
  daemon = std::make_unique<Daemon>(server, std::vector<std::string>{"--port=" + std::to_string(port)});
  EXPECT_EQ(503, daemon->get("/healthz/ready").status);
  EXPECT_EQ("draining", daemon->state());
  auto answer = call_shutdown(*daemon);
  EXPECT_TRUE(eventually([&] {
    return daemon->process().output().find("another one is under way") != std::string::npos || phase(server) == "ended";
  })) << daemon->process().output();
  EXPECT_EQ(200, daemon->get("/healthz/live").status);
  let_go(server);
  const Daemon::Answer done = answer.get();
  EXPECT_EQ(200, done.status) << done.body;
  EXPECT_EQ("stopped", done.body["drain"]["outcome"]);
  EXPECT_LE(done.body["drain"]["number"], is("pause") ? 2 : 1) << "joined";
  EXPECT_EQ(0, server.process().wait(seconds(5)));
}

TEST_P(DrainPhaseTest, TheDaemonGetsSigterm) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  ASSERT_TRUE(beats_until_ready(server, daemon));
  prepare(server);
  auto answer = call_shutdown(daemon);
  wait_for_phase(server);
  daemon.process().signal(SIGTERM);
  ASSERT_TRUE(eventually([&] {
    return daemon.process().output().find("a drain is under way: staying") != std::string::npos;
  })) << daemon.process().output();
  EXPECT_EQ(503, daemon.get("/healthz/ready").status) << "it stays";
  let_go(server);
  const Daemon::Answer done = answer.get();
  EXPECT_EQ(200, done.status) << done.body;
  EXPECT_EQ("stopped", done.body["drain"]["outcome"]);
  EXPECT_EQ(0, server.process().wait(seconds(5)));
  EXPECT_EQ(0, daemon.process().wait(seconds(5)));
}

TEST_F(DrainTest, FiftyShutdownsAreOneDrainAndFiftyAnswers) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  ASSERT_TRUE(beats_until_ready(server, daemon));
  std::vector<std::future<Daemon::Answer>> answers;
  for (int i = 0; i < 50; ++i) answers.push_back(call_shutdown(daemon));
  size_t most = 0;
  ASSERT_TRUE(eventually([&] {
    most = std::max(most, server.processes("drain").size());
    return phase(server) == "close" || phase(server) == "ended";
  }));
  EXPECT_EQ(1u, most);
  const nlohmann::json first = answers.front().get().body;
  EXPECT_EQ("ok", first["status"]);
  for (size_t i = 1; i < answers.size(); ++i) {
    const Daemon::Answer answer = answers[i].get();
    EXPECT_EQ(200, answer.status);
    EXPECT_EQ(first, answer.body);
  }
  EXPECT_EQ(1, first["drain"]["number"]);
  EXPECT_EQ(0, server.process().wait(seconds(5)));
  EXPECT_THAT(daemon.process().output(), Not(HasSubstr("[error]")));
}

TEST_F(DrainTest, AnExecHookAndAnHttpHookAreOneDrain) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  const auto hook = start_drain(server);
  ASSERT_TRUE(reaches(server, "settle"));
  const Daemon::Answer done = call_shutdown(daemon).get();
  EXPECT_EQ(200, done.status) << done.body;
  EXPECT_EQ(1, done.body["drain"]["number"]);
  EXPECT_EQ(kExitOk, hook->wait(seconds(5)));
  EXPECT_EQ(0, server.process().wait(seconds(5)));
}

TEST_F(DrainTest, ACallerThatGoesAwayChangesNothing) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  ASSERT_TRUE(beats_until_ready(server, daemon));
  {
    const UniqueFd caller = connect_loopback(daemon.port());
    const std::string request = "GET /shutdown HTTP/1.1\r\nHost: localhost\r\n\r\n";
    ASSERT_EQ(static_cast<ssize_t>(request.size()), ::send(caller.get(), request.data(), request.size(), MSG_NOSIGNAL));
    ASSERT_TRUE(reaches(server, "settle"));
  }
  EXPECT_EQ(0, server.process().wait()) << "gone, and it was drained all the same";
  EXPECT_TRUE(eventually([&] { return server.status()["drain"]["outcome"] == "stopped"; }));
  EXPECT_TRUE(eventually([&] { return server.processes("drain").empty(); }));
}

TEST_F(DrainTest, SigtermToTheDaemonDrainsWhereThatIsConfigured) {
  Server server(options("on_sigterm=true"));
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  ASSERT_TRUE(beats_until_ready(server, daemon));
  daemon.process().signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 503; }));
  EXPECT_EQ(200, daemon.get("/healthz/live").status);
  ASSERT_TRUE(reaches(server, "settle"));
  EXPECT_EQ(0, server.process().wait());
  EXPECT_EQ(0, daemon.process().wait(seconds(5)));
  EXPECT_EQ("stopped", server.status()["drain"]["outcome"]);
}

// As for `systemctl restart proxysql-pulsed` and an upgrade of the package: systemd tells its services their
// invocation.
TEST_F(DrainTest, SigtermToADaemonOfSystemdLeavesProxysqlAlone) {
  Server server(options("on_sigterm=true"));
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server, {}, {"INVOCATION_ID=6f1d8c0e7b2a4c5d9e3f"});
  ASSERT_TRUE(beats_until_ready(server, daemon));
  daemon.process().signal(SIGTERM);
  EXPECT_EQ(0, daemon.process().wait(seconds(5)));
  EXPECT_TRUE(server.process().running());
  EXPECT_TRUE(server.status()["drain"].is_null());
  EXPECT_THAT(daemon.process().output(), HasSubstr("enable proxysql-pulse-drain.service"));
}

TEST_F(DrainTest, ASecondSigtermEndsTheDaemonAndTheDrainGoesOn) {
  Server server(options("on_sigterm=true"));
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  daemon.process().signal(SIGTERM);
  ASSERT_TRUE(reaches(server, "settle"));
  daemon.process().signal(SIGTERM);
  EXPECT_EQ(0, daemon.process().wait(seconds(5)));
  EXPECT_TRUE(server.process().running());
  EXPECT_EQ(0, server.process().wait());
}

TEST_F(DrainTest, AProxysqlThatIsStartedAnewIsInServiceByItself) {
  Server::Options with = options();
  with.beat_interval_ms = 500;
  Server server(with);
  Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 200; }));
  EXPECT_EQ(200, call_shutdown(daemon).get().status);
  EXPECT_EQ(0, server.process().wait(seconds(5)));
  EXPECT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 503; }));
  server.start();
  EXPECT_TRUE(eventually([&] { return daemon.state() == "beating"; }));
  EXPECT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 200; }));
  EXPECT_EQ("28800000", variable(server, "wait_timeout"));
  EXPECT_THAT(server.log(), HasSubstr("ProxySQL has been started since it was drained"));
  EXPECT_THAT(server.log(), Not(HasSubstr("[error]")));
}

// The drain and its ProxySQL die together, at the worst moment: announced, and not a word of record yet.
TEST_F(DrainTest, AnAnnouncementWithoutARecordDoesNotOutliveItsProxysql) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  ASSERT_TRUE(beats_until_ready(server, daemon));
  SegmentOptions segment_options;
  segment_options.path = server.state();
  auto segment = Segment::open(segment_options);
  ASSERT_TRUE(segment);
  segment->layout().draining_since_ns.store(boottime_ns());
  EXPECT_EQ(503, daemon.get("/healthz/ready").status);
  server.kill();
  server.start();
  EXPECT_TRUE(beats_until_ready(server, daemon));
  // In the same boot it is undone too.
  segment->layout().draining_since_ns.store(boottime_ns());
  EXPECT_EQ(503, daemon.get("/healthz/ready").status);
  EXPECT_TRUE(beats_until_ready(server, daemon));
}

// What an earlier boot's drain remembered is nothing to this one.
TEST_F(DrainTest, AnAnnouncementWithoutARecordRestoresNothing) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  // Boots are told apart by their uptimes, in whole seconds.
  const std::string uptime = "SELECT Variable_Value FROM stats_mysql_global WHERE Variable_Name='ProxySQL_Uptime'";
  ASSERT_TRUE(eventually([&] { return std::stoi(server.value(uptime)) >= 3; }));
  ASSERT_EQ(kExitOk, server.run({"drain"}).exit_code);
  ASSERT_EQ(0, server.process().wait(seconds(5)));
  server.start();
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  set_variable(server, "wait_timeout", "7654321");
  server.query("LOAD MYSQL VARIABLES TO RUNTIME");
  SegmentOptions segment_options;
  segment_options.path = server.state();
  auto segment = Segment::open(segment_options);
  ASSERT_TRUE(segment);
  segment->layout().draining_since_ns.store(boottime_ns());
  EXPECT_EQ(kExitOk, server.beat().exit_code);
  EXPECT_EQ("7654321", variable(server, "wait_timeout"));
  EXPECT_NE("draining", server.status()["state"]);
}

TEST_F(DrainTest, BeatsStandAside) {
  Server server(options());
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  StayingClient client(server);
  const auto drain = start_drain(server);
  ASSERT_TRUE(reaches(server, "settle"));
  const Ran beat = server.beat();
  EXPECT_EQ(kExitSkipped, beat.exit_code);
  EXPECT_EQ("", beat.output);
  EXPECT_EQ(kExitSkipped, server.run({"undrain", "--timeout-ms=100"}).exit_code);
  EXPECT_EQ(kExitOk, drain->wait());
}

TEST_F(DrainTest, WithoutASegmentItWorksAndLeavesNoFile) {
  Server server(options());
  Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.get("/status").body["mysql_port"]["answers"] == true; }));
  auto answer = call_shutdown(daemon);
  EXPECT_TRUE(eventually([&] { return daemon.get("/healthz/ready").body["state"] == "draining"; }));
  EXPECT_EQ(200, daemon.get("/healthz/live").status);
  const Daemon::Answer done = answer.get();
  EXPECT_EQ(200, done.status) << done.body;
  EXPECT_EQ("drained", done.body["message"]);
  EXPECT_EQ(0, server.process().wait(seconds(5)));
  EXPECT_EQ("draining", daemon.state());
  for (const char* suffix : {"", ".lock", ".drain.lock"}) {
    EXPECT_FALSE(std::filesystem::exists(server.state() + suffix)) << suffix;
  }
  server.start();
  EXPECT_TRUE(beats_until_ready(server, daemon));
}

TEST_F(DrainTest, AOneShotThatCantBeStartedIsATruthful500) {
  Server server(options("", "daemon={ program=\"/nonexistent/proxysql-pulse\" }, "));
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  ASSERT_TRUE(beats_until_ready(server, daemon));
  const Daemon::Answer done = call_shutdown(daemon).get();
  EXPECT_EQ(500, done.status);
  EXPECT_THAT(done.body["message"], HasSubstr("start /nonexistent/proxysql-pulse: No such file"));
  EXPECT_EQ(200, daemon.get("/healthz/ready").status) << "nothing drains";
  EXPECT_TRUE(server.process().running());
}

// A mistake of whoever calls it.
// A person's error in the file of a ProxySQL that runs is no reason to cut its clients off.
TEST_F(DrainTest, AFileThatWasBrokenMeanwhileStopsNoDrain) {
  Server server(options());
  std::ofstream(server.config(), std::ios::app) << "mysql_users = ( { username = \"half\n";
  EXPECT_EQ(kExitConfig, server.beat().exit_code);
  const Ran ran = server.run({"drain"});
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("which is enough"));
  EXPECT_FALSE(server.process().running());
}

TEST_F(DrainTest, OptionsAndKeysThatCantBe) {
  Server server(options());
  EXPECT_EQ(kExitUsage, server.run({"drain", "--timeout-ms=10"}).exit_code);
  EXPECT_EQ(kExitUsage, server.run({"beat", "--no-shutdown"}).exit_code);
  EXPECT_EQ(kExitUsage, server.run({"drain", "now"}).exit_code);
  const auto check = [](const std::string& drain) {
    Server::Options options;
    options.start = false;
    options.pulse = "drain={ " + drain + " }, ";
    return Server(options).run({"check-config"});
  };
  for (const char* wrong : {"steps=[\"500:1000\", \"2000\"]", "steps=[\"soon\"]", "steps=[]", "settle_ms=22501",
                            "settle_ms=1000, timeout_ms=3000", "timeout_ms=2999", "setle_ms=5"}) {
    const Ran ran = check(wrong);
    EXPECT_EQ(kExitConfig, ran.exit_code) << wrong << ": " << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("proxysql.cnf:")) << wrong;
  }
  EXPECT_EQ(kExitOk, check("settle_ms=22500, grace_ms=27000").exit_code);
  const Ran grace = check("timeout_ms=30000, grace_ms=30000");
  EXPECT_EQ(kExitConfig, grace.exit_code);
  EXPECT_THAT(grace.output, HasSubstr("set terminationGracePeriodSeconds to 32 at least"));
  EXPECT_THAT(check("timeout_ms=30000").output, HasSubstr("terminationGracePeriodSeconds must be 32 or more"));
  EXPECT_TRUE(server.process().running());
}

}  // namespace
}  // namespace pulse::test
