// Where ProxySQL's scheduler has no row for it, the daemon starts the beats.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;

Server::Options options(const std::string& beats) {
  Server::Options options;
  options.pulse = "interval_ms=200, timeout_ms=150, daemon={ beats=\"" + beats + "\" }, ";
  return options;
}

TEST(Sidecar, TheDaemonStartsTheBeats) {
  Server server(options("always"));
  Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.state() == "beating"; })) << daemon.process().output();
  const auto attempts = [&] { return server.status()["counters"]["started"].get<int>(); };
  const int before = attempts();
  EXPECT_TRUE(eventually([&] { return attempts() > before + 3; }));
  daemon.process().signal(SIGTERM);
  EXPECT_EQ(0, daemon.process().wait());
  EXPECT_THAT(daemon.process().output(), HasSubstr("starting beats from here, every 200 ms"));
}

// With an interval that no test waits for: what has changed is seen to at once.
TEST(Sidecar, ABeatComesAtOnceWhenItIsAskedFor) {
  Server::Options slow;
  slow.bootstrap = "{ hostname=\"127.0.0.1\", port=1 },";
  slow.pulse = "interval_ms=600000, timeout_ms=5000, daemon={ beats=\"always\" }, ";
  Server server(slow);
  Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.state() == "beating"; })) << daemon.process().output();
  const auto ok = [&] { return server.status()["counters"]["ok"].get<int>(); };
  const int before = ok();
  ASSERT_EQ(202, daemon.get("/resync", "POST").status);
  EXPECT_TRUE(eventually([&] { return ok() >= before + 2; })) << "and one more, for the first has written";
  EXPECT_EQ(false, server.status()["resync_pending"]);
}

TEST(Sidecar, AHungAdminInterfacePilesNothingUpAndProbesGoOn) {
  Server server(options("always"));
  Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.state() == "beating" && daemon.get("/healthz/ready").status == 200; }))
      << daemon.get("/healthz/ready").body;
  const int threads = server.threads();
  server.wedge(seconds(20));
  ASSERT_TRUE(eventually([&] {
    EXPECT_LE(server.beats().size(), 1U);
    const auto ready = daemon.get("/healthz/ready");
    EXPECT_EQ(200, ready.status) << ready.body;
    return daemon.state() == "admin_unresponsive" &&
           daemon.get("/healthz/live").body["heartbeat"]["consecutive_timeouts"] >= 3;
  }));
  EXPECT_LE(server.threads(), threads + 12);
  server.unwedge();
  EXPECT_TRUE(eventually([&] { return daemon.state() == "beating"; }));
}

TEST(Sidecar, WhenSilentItStandsBackForTheScheduler) {
  Server::Options with = options("when_silent");
  with.beat_interval_ms = 500;
  Server server(with);
  Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.state() == "beating"; }));
  server.query("UPDATE scheduler SET active=0");
  server.query("LOAD SCHEDULER TO RUNTIME");
  ASSERT_TRUE(eventually([&] {
    return daemon.process().output().find("starting beats from here") != std::string::npos;
  })) << daemon.process().output();
  EXPECT_TRUE(eventually([&] { return daemon.state() == "beating"; }));
  server.query("UPDATE scheduler SET active=1");
  server.query("LOAD SCHEDULER TO RUNTIME");
  EXPECT_TRUE(eventually([&] {
    return daemon.process().output().find("ProxySQL's scheduler starts beats again") != std::string::npos;
  })) << daemon.process().output();
}

TEST(Sidecar, AProgramThatIsNotThereIsSaidOnce) {
  Server::Options nowhere;
  nowhere.pulse = "interval_ms=100, daemon={ beats=\"always\", program=\"/nonexistent/proxysql-pulse\" }, ";
  Server server(nowhere);
  Daemon daemon(server);
  const std::string said = "start /nonexistent/proxysql-pulse: No such file or directory; install proxysql-pulse there";
  ASSERT_TRUE(eventually([&] { return daemon.process().output().find(said) != std::string::npos; }));
  ASSERT_TRUE(eventually([&] { return daemon.state() == "scheduler_silent"; })) << "and probes go on";
  const std::string log = daemon.process().output();
  EXPECT_EQ(log.find(said), log.rfind(said));
}

}  // namespace
}  // namespace pulse::test
