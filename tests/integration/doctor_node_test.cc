// What `doctor` says of this node's file, state segment, process, daemon and drain: each comes, and goes.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "src/base/exit_code.h"
#include "tests/integration/doctor.h"
#include "tests/integration/http_stub.h"

namespace pulse::test {
namespace {

class DoctorOfAFile : public ::testing::Test {
 protected:
  void SetUp() override { wait_for_beats(server_); }

  void with_pulse(const std::string& lines) {
    server_.rewrite([&](Server::Options& options) { options.pulse = lines; });
  }
  void comes_with(const std::string& lines, const Ill& ill) {
    comes_and_goes(
        ill, [this] { return diagnose(server_); }, [&] { with_pulse(lines); }, [this] { with_pulse(""); });
  }

  Server server_{healthy_node()};
};

TEST_F(DoctorOfAFile, ThatCannotBeRead) {
  comes_with("discovery = { source = \"sauce\" }", {"critical", "configuration", {"discovery.source = \"sauce\""}});
}

TEST_F(DoctorOfAFile, ThatHoldsWhatWillNotWork) {
  comes_with("interval_ms = 9000", {"warning", "configuration", {"every 500 ms, and pulse.interval_ms is 9000"}});
}

TEST_F(DoctorOfAFile, WhoseGraceIsTooShort) {
  comes_with("drain = { timeout_ms = 60000, grace_ms = 30000 }",
             {"critical", "grace", {"pulse.drain.grace_ms = 30000 is too short"}});
}

TEST(DoctorOfANode, WithoutARowInFileAndProxySQLSaysHowToAddOne) {
  Server server(healthy_node());
  wait_for_beats(server);
  const auto bring_in = [&] {
    for (const char* statement : {"DELETE FROM scheduler", "LOAD SCHEDULER FROM CONFIG", "LOAD SCHEDULER TO RUNTIME"})
      server.query(statement);
  };
  comes_and_goes(
      {"critical", "scheduler", {"add a row to the file's group scheduler (check-config shows it)"}},
      [&] { return diagnose(server); },
      [&] {
        server.rewrite([](Server::Options& options) { options.beat_interval_ms = 0; });
        bring_in();
      },
      [&] {
        server.rewrite([](Server::Options& options) { options.beat_interval_ms = 500; });
        bring_in();
      });
}

TEST(DoctorOfANode, AStateSegmentThatIsNoneIsMadeAnewByTheNextBeat) {
  Server server(healthy_node());
  wait_for_beats(server);
  comes_and_goes(
      {"critical", "state segment", {"is not one"}}, [&] { return diagnose(server); },
      [&] {
        // A beat that has it mapped goes on with it: what comes next finds the other one.
        server.dir().write("garbage", "garbage");
        std::filesystem::rename(server.dir() / "garbage", server.state());
      },
      [&] { std::filesystem::remove(server.state()); });
}

TEST(DoctorOfANode, WhereNoBeatHasComeItSaysSo) {
  Server::Options options = healthy_node();
  options.beat_interval_ms = 0;
  Server server(options);
  const Ill absent{"warning", "state segment", {"no beat has come yet"}};
  const Ill silent{"critical", "beats", {"no beat has ever come"}};
  const auto look = [&] { return diagnose(server); };
  EXPECT_TRUE(absent.is_in(look()) && silent.is_in(look())) << look().ills();
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  EXPECT_FALSE(absent.is_in(look()) || silent.is_in(look())) << look().ills();
}

TEST(DoctorOfANode, ALockOfAnotherUserIsSaid) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to be two users";
  constexpr uid_t kNobody = 65534;
  Server server(healthy_node());
  wait_for_beats(server);
  const std::string lock = server.state() + ".lock";
  comes_and_goes(
      {"warning", "lock", {"belongs to user 65534 (nobody)"}}, [&] { return diagnose(server); },
      [&] { ASSERT_EQ(0, ::chown(lock.c_str(), kNobody, kNobody)); },
      [&] { ASSERT_EQ(0, ::chown(lock.c_str(), 0, 0)); });
}

TEST(DoctorOfANode, MaintenanceIsANotice) {
  Server server(healthy_node());
  wait_for_beats(server);
  comes_and_goes(
      {"notice", "beats", {"maintenance: ", "maintenance off ends it"}}, [&] { return diagnose(server); },
      [&] {
        ASSERT_EQ(kExitOk, server.run({"maintenance", "on"}).exit_code);
      },
      [&] {
        ASSERT_EQ(kExitOk, server.run({"maintenance", "off"}).exit_code);
      });
}

TEST(DoctorOfANode, ADrainIsNotDisturbedAndIsOverWhenItIsUndone) {
  Server::Options options = healthy_node();
  options.pulse = "drain={ settle_ms=6000, timeout_ms=20000 }, ";
  Server server(options);
  wait_for_beats(server);
  const auto look = [&] { return diagnose(server); };
  std::optional<Process> drain;
  const Ill draining{"notice", "beats", {"draining: "}};
  comes_and_goes(
      {"notice", "admin interface", {"not asked: a drain is under way"}}, look,
      [&] {
        drain.emplace(server.pulse({"drain", "--no-shutdown"}), server.dir(), Process::Options{});
      },
      [&] {
        wait_for(draining, look);
        EXPECT_EQ(kExitOk, drain->wait()) << drain->output();
      });
  ASSERT_EQ(kExitOk, server.run({"undrain"}).exit_code);
  wait_for_end_of(draining, look);
}

TEST(DoctorOfANode, WhatEachRunOfTheSchedulerCostsIsSaidWhereItIsDear) {
  if (is_real()) GTEST_SKIP() << "a real server needs gigabytes for that";
  Server::Options options = healthy_node();
  options.beat_interval_ms = 0;
  Server server(options);
  // Beats look at the memory every five minutes, and the first one of a segment at once, for 20 ms at most.
  const auto with_page_tables = [&](const char* megabytes) {
    server.control(std::string("page_tables ") + megabytes);
    ASSERT_TRUE(eventually([&] {
      std::filesystem::remove(server.state());
      return server.beat().exit_code == kExitOk && server.status()["proxysql"]["memory"].is_object();
    }));
  };
  comes_and_goes(
      {"warning", "scheduler", {"each run stalls clients for some", "daemon.beats = \"always\""}},
      [&] { return diagnose(server); }, [&] { with_page_tables("12"); }, [&] { with_page_tables("0"); });
}

class DoctorOfADaemon : public ::testing::Test {
 protected:
  void SetUp() override { wait_for_beats(server_); }

  void start_daemon(const std::vector<std::string>& arguments = {}) {
    daemon_.reset();
    daemon_.emplace(server_, arguments);
    port_ = daemon_->port();
  }
  // Asks whoever listens on `port_`.
  Look look() const {
    return [this] { return diagnose(server_, {"PULSE_DAEMON_PORT=" + std::to_string(port_)}); };
  }

  Server server_{healthy_node()};
  std::optional<Daemon> daemon_;
  uint16_t port_ = free_port();
};

TEST_F(DoctorOfADaemon, ThatWasNeverThere) {
  const Ill none{"notice", "daemon", {"none answers at 127.0.0.1", "if this node is to have one"}};
  wait_for(none, look());
  start_daemon();
  wait_for_end_of(none, look());
}

TEST_F(DoctorOfADaemon, ThatIsGone) {
  start_daemon();
  const std::string port = "--port=" + std::to_string(port_);
  comes_and_goes(
      {"warning", "daemon", {"none answers at 127.0.0.1", "start proxysql-pulsed again"}}, look(),
      [&] { daemon_.reset(); }, [&] { start_daemon({port}); });
}

TEST_F(DoctorOfADaemon, ThatReadsAnotherSegment) {
  start_daemon();
  comes_and_goes(
      {"critical", "daemon", {"reads the state segment " + (server_.dir() / "elsewhere")}}, look(),
      [&] { start_daemon({"--state=" + (server_.dir() / "elsewhere")}); }, [&] { start_daemon(); });
}

TEST_F(DoctorOfADaemon, ThatIsOfAnotherVersion) {
  const HttpStub old([this](const std::string&) {
    return HttpStub::json(R"({"heartbeat":{},"version":"0.0.1","segment":{"path":")" + server_.state() + "\"}}");
  });
  start_daemon();
  comes_and_goes(
      {"warning", "daemon", {"is version 0.0.1, this program"}}, look(), [&] { port_ = old.port(); },
      [&] { port_ = daemon_->port(); });
}

TEST_F(DoctorOfADaemon, ThatIsSomethingElse) {
  const HttpStub other([](const std::string&) { return HttpStub::json("{}"); });
  start_daemon();
  comes_and_goes(
      {"warning", "daemon", {"what answers there is no proxysql-pulsed"}}, look(), [&] { port_ = other.port(); },
      [&] { port_ = daemon_->port(); });
}

TEST_F(DoctorOfADaemon, ThatStartsTheBeats) {
  server_.rewrite([](Server::Options& options) { options.pulse = "daemon={ beats=\"when_silent\" }, "; });
  start_daemon();
  comes_and_goes(
      {"notice", "scheduler", {"the daemon starts the beats (daemon.beats = \"when_silent\")"}}, look(),
      [&] {
        server_.query("DELETE FROM scheduler");
        server_.query("LOAD SCHEDULER TO RUNTIME");
      },
      [&] {
        server_.query("LOAD SCHEDULER FROM CONFIG");
        server_.query("LOAD SCHEDULER TO RUNTIME");
      });
}

// Clients that have connected and say nothing.
class DoctorOfADrain : public ::testing::TestWithParam<bool> {};

TEST_P(DoctorOfADrain, ThatWouldTakeLongerThanItMaySaysWhatIsEnough) {
  Server::Options options = healthy_node();
  options.idle_threads = GetParam();
  options.pulse = "drain={ settle_ms=0, timeout_ms=3000 }, ";
  Server server(options);
  wait_for_beats(server);
  std::vector<UniqueFd> clients;
  comes_and_goes(
      {"warning",
       "drain",
       {GetParam() ? "128 idle clients per thread every 2 s" : "clients that are left then are cut",
        GetParam() ? "(20 clients, --idle-threads)" : "(20 clients)", "set drain.timeout_ms to "}},
      [&] { return diagnose(server); },
      [&] {
        for (int i = 0; i < 20; ++i) clients.push_back(connect_loopback(server.mysql_port()));
      },
      [&] { clients.clear(); });
}

INSTANTIATE_TEST_SUITE_P(Threads, DoctorOfADrain, ::testing::Bool(),
                         [](const auto& each) { return each.param ? "Idle" : "Usual"; });

}  // namespace
}  // namespace pulse::test
