#include "shm/status/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "scheduler/status/status_text.h"
#include "shm/segment/names.h"
#include "tests/unit/spans.h"

namespace pulse {
namespace {

constexpr int64_t kNow = 10'000 * kSecond;

class VerdictTest : public ::testing::Test {
 protected:
  void SetUp() override {
    policy_.interval_ns = kSecond;
    policy_.live_after_ns = 600 * kSecond;
    policy_.live_stagger_ns = 100 * kSecond;
    view_.last_beat_ns = kNow - kSecond / 2;
    view_.record.attempt = 5;
    view_.record.ok = 5;
    view_.record.last_ok_ns = kNow - kSecond / 2;
    view_.attempt.id = 5;
    view_.observation.at_ns = kNow - kSecond / 2;
    view_.observation.configured = 1;
    view_.observation.live_peers = 1;
    view_.observation.backends.online = 2;
    port_.known = port_.answers = port_.ever_answered = true;
    port_.since_ns = kNow - 100 * kSecond;
    port_.looked_at_ns = kNow;
  }
  Verdict now() { return decide(view_, port_, policy_, memory_, running_since_, kNow); }
  void wedge(int64_t seconds) {
    view_.record.consecutive_timeouts = view_.record.consecutive_failures = 3;
    view_.record.wedged_since_ns = view_.record.failing_since_ns = kNow - seconds * kSecond;
    view_.record.history_count = 1;
    view_.record.history[0].at_ns = kNow - std::min<int64_t>(seconds, 1) * kSecond;
  }

  StateView view_;
  PortView port_;
  Policy policy_;
  Memory memory_;
  int64_t running_since_ = kNow - 1000 * kSecond;
};

TEST_F(VerdictTest, AllIsWell) {
  const Verdict verdict = now();
  EXPECT_EQ(State::beating, verdict.state);
  EXPECT_EQ("all backends online", verdict.message);
  EXPECT_TRUE(verdict.started.passes && verdict.ready.passes && verdict.live.passes);
}

// Somebody holds the lock for good, a process that is no beat: nothing else would show it.
TEST_F(VerdictTest, BeatsThatFindTheLockTakenAllTheTimeAreAFailure) {
  view_.busy_in_row = 3;
  view_.busy_since_ns = kNow - 10 * kSecond;
  EXPECT_EQ(State::beating, now().state) << "a beat may last";
  view_.busy_since_ns = kNow - 11 * kSecond;
  EXPECT_EQ(State::failing, now().state);
  EXPECT_NE(std::string::npos, now().message.find("3 beats in a row found the lock taken, for 11")) << now().message;
  EXPECT_TRUE(now().ready.passes && now().live.passes);
  view_.busy_with = 4000000000;
  EXPECT_NE(std::string::npos, now().message.find("user 4000000000 holds the beats' lock")) << now().message;
  view_.busy_in_row = 2;
  EXPECT_EQ(State::beating, now().state);
}

TEST_F(VerdictTest, ACoreHasStartedOnceItsFilesModulesAreLoaded) {
  policy_.is_core = true;
  running_since_ = kNow - 59 * kSecond;
  EXPECT_FALSE(now().started.passes);
  EXPECT_NE(std::string::npos, now().started.message.find("isn't decided yet"));
  view_.core.standing = static_cast<uint8_t>(Standing::authority);
  view_.core.waiting = 1;
  set_text(view_.core.reason, "this is the newest core");
  EXPECT_FALSE(now().started.passes);
  EXPECT_EQ("the configuration file's modules are still to be loaded: this is the newest core", now().started.message);
  running_since_ = kNow - 61 * kSecond;
  EXPECT_TRUE(now().started.passes) << "a restart wouldn't mend it";
  running_since_ = kNow - 59 * kSecond;
  for (const auto& [standing, waiting] : {std::pair{Standing::authority, 0}, std::pair{Standing::aside, 1}}) {
    memory_ = Memory{};
    view_.core.standing = static_cast<uint8_t>(standing);
    view_.core.waiting = static_cast<uint8_t>(waiting);
    EXPECT_TRUE(now().started.passes) << name(standing);
  }
  view_.core = CoreRecord{};
  EXPECT_TRUE(now().started.passes) << "once is enough";
  EXPECT_TRUE(now().ready.passes);
}

TEST_F(VerdictTest, AWedgeIsNamedAndHurtsNobodyAtFirst) {
  wedge(10);
  const Verdict verdict = now();
  EXPECT_EQ(State::admin_unresponsive, verdict.state);
  EXPECT_TRUE(verdict.ready.passes) << "the data plane works";
  EXPECT_TRUE(verdict.live.passes);
}

TEST_F(VerdictTest, ALongWedgeFailsLivenessAfterTheStagger) {
  wedge(699);
  EXPECT_TRUE(now().live.passes);
  wedge(701);
  EXPECT_FALSE(now().live.passes);
  EXPECT_TRUE(now().ready.passes);
  policy_.live_after_ns = 0;
  EXPECT_TRUE(now().live.passes) << "0: never";
}

TEST_F(VerdictTest, AStuckBeatIsAWedgeToo) {
  view_.attempt = {6, kNow - 3 * kSecond, kNow - 2 * kSecond};
  view_.attempt_open = true;
  EXPECT_EQ(State::admin_unresponsive, now().state);
  view_.attempt.deadline_ns = kNow + kSecond;
  EXPECT_EQ(State::beating, now().state);
}

TEST_F(VerdictTest, SilenceAfterThreeIntervals) {
  view_.last_beat_ns = kNow - 3 * kSecond;
  EXPECT_EQ(State::beating, now().state);
  view_.last_beat_ns = kNow - 3 * kSecond - 1;
  EXPECT_EQ(State::scheduler_silent, now().state);
  EXPECT_TRUE(now().ready.passes);
  view_.last_beat_ns = kNow - 100'000;
  wedge(10);
  view_.last_beat_ns = kNow - 4000 * kSecond;
  EXPECT_EQ(State::scheduler_silent, now().state) << "silence is the newer news";
}

TEST_F(VerdictTest, ASilentSchedulerNeverFailsLiveness) {
  view_.last_beat_ns = kNow - 9000 * kSecond;
  EXPECT_TRUE(now().live.passes) << "somebody may have switched the row off";
}

TEST_F(VerdictTest, FailingSaysWhy) {
  view_.record.consecutive_failures = 2;
  view_.record.failing_since_ns = kNow - 4 * kSecond;
  set_text(view_.record.message, "Access denied");
  EXPECT_EQ(State::failing, now().state);
  EXPECT_EQ("beats have failed for 4.0 s: Access denied", now().message);
  EXPECT_TRUE(now().ready.passes);
}

TEST_F(VerdictTest, NoBeatYet) {
  view_ = StateView{};
  running_since_ = kNow - 5 * kSecond;
  EXPECT_EQ(State::starting, now().state);
  EXPECT_FALSE(now().started.passes);
  EXPECT_FALSE(now().ready.passes) << "a satellite without a configuration serves nobody";
  EXPECT_TRUE(now().live.passes);
  running_since_ = kNow - 11 * kSecond;
  EXPECT_EQ(State::scheduler_silent, now().state);
}

TEST_F(VerdictTest, ACoreNeedsNoConfiguration) {
  view_.observation.configured = 0;
  EXPECT_FALSE(now().ready.passes);
  policy_.is_core = true;
  EXPECT_TRUE(now().ready.passes);
}

TEST_F(VerdictTest, MaintenanceIsNotReadyAndNothingElse) {
  view_.maintenance_realtime_ns = 1;
  port_.answers = false;
  port_.since_ns = kNow - 1000 * kSecond;
  EXPECT_EQ(State::maintenance, now().state);
  EXPECT_FALSE(now().ready.passes);
  EXPECT_TRUE(now().live.passes) << "who maintains may close the port";
}

TEST_F(VerdictTest, ADeadPort) {
  port_.answers = false;
  port_.since_ns = kNow - 5 * kSecond;
  EXPECT_FALSE(now().ready.passes) << "at once";
  EXPECT_TRUE(now().live.passes) << "not yet";
  port_.since_ns = kNow - 10 * kSecond;
  EXPECT_TRUE(now().live.passes) << "for longer than that, not as long";
  port_.since_ns = kNow - 11 * kSecond;
  EXPECT_FALSE(now().live.passes);
  view_.observation.listener_paused = 1;
  EXPECT_TRUE(now().live.passes) << "PROXYSQL PAUSE closed it";
  EXPECT_EQ("PROXYSQL PAUSE has closed the MySQL port: PROXYSQL RESUME opens it", now().ready.message);
  view_.observation.listener_paused = 0;
  port_.ever_answered = false;
  EXPECT_TRUE(now().live.passes) << "that is the startup probe's business";
  EXPECT_FALSE(now().started.passes);
}

// Both protocols are served, by the file and by ProxySQL.
class BothProtocolsTest : public VerdictTest {
 protected:
  void SetUp() override {
    VerdictTest::SetUp();
    policy_.file.pgsql_port = policy_.file.pgsql_rows = true;
    view_.observation.globals_ns = view_.observation.at_ns;
    view_.observation.serves_mysql = view_.observation.serves_pgsql = 1;
    pgsql_ = port_;
  }
  Verdict now() { return decide(view_, port_, policy_, memory_, running_since_, kNow, pgsql_); }

  PortView pgsql_;
};

TEST_F(BothProtocolsTest, ReadyNeedsBoth) {
  EXPECT_TRUE(now().ready.passes && now().served.mysql && now().served.pgsql);
  pgsql_.answers = false;
  pgsql_.reason = "nothing listens on the port";
  pgsql_.since_ns = kNow - 5 * kSecond;
  EXPECT_FALSE(now().ready.passes);
  EXPECT_EQ("the PostgreSQL port doesn't answer: nothing listens on the port", now().ready.message);
  EXPECT_TRUE(now().live.passes) << "not yet";
  pgsql_.since_ns = kNow - 11 * kSecond;
  EXPECT_FALSE(now().live.passes);
  EXPECT_EQ("the PostgreSQL port doesn't answer: nothing listens on the port, for 11.0 s", now().live.message);
  view_.observation.listener_paused = 1;
  EXPECT_TRUE(now().live.passes);
  EXPECT_EQ("PROXYSQL PAUSE has closed the PostgreSQL port: PROXYSQL RESUME opens it", now().ready.message);
  view_.observation.listener_paused = 0;
  pgsql_.ever_answered = false;
  EXPECT_TRUE(now().live.passes) << "it has never been there";
  EXPECT_TRUE(now().started.passes) << "ProxySQL has: MySQL's port answers";
  EXPECT_FALSE(now().ready.passes);
}

TEST_F(BothProtocolsTest, APortThatNobodyUsesHurtsNobody) {
  policy_.file = {};
  pgsql_.answers = false;
  pgsql_.since_ns = kNow - 100 * kSecond;
  pgsql_.looked_at_ns = kNow - 100 * kSecond;
  EXPECT_TRUE(now().ready.passes && now().live.passes);
  EXPECT_EQ("all backends online", now().ready.message);
  port_.answers = false;
  port_.since_ns = kNow - 100 * kSecond;
  EXPECT_FALSE(now().ready.passes || now().live.passes);
  EXPECT_THAT(now().ready.message, ::testing::StartsWith("the MySQL port"));
}

TEST_F(BothProtocolsTest, ALookThatIsTooOldFailsNoLiveness) {
  pgsql_.answers = false;
  pgsql_.since_ns = kNow - 100 * kSecond;
  pgsql_.looked_at_ns = kNow - 17 * kSecond;
  EXPECT_TRUE(now().live.passes);
  EXPECT_EQ("the PostgreSQL port hasn't been looked at for 17.0 s, what was known of it stands; all backends online",
            now().live.message);
}

// MySQL is switched off, or has no rows: its port may be closed.
TEST_F(BothProtocolsTest, ASatelliteForPostgresqlAloneIsReadyOnceItsServersCame) {
  view_.observation.serves_mysql = 0;
  view_.observation.configured = 0;
  port_ = {};
  EXPECT_FALSE(now().ready.passes);
  EXPECT_THAT(now().ready.message, ::testing::StartsWith("no configuration has been received"));
  EXPECT_TRUE(now().started.passes);
  view_.observation.configured = 1;
  EXPECT_TRUE(now().ready.passes) << now().ready.message;
  EXPECT_TRUE(now().live.passes);
  port_.known = port_.ever_answered = true;
  EXPECT_TRUE(now().ready.passes && now().live.passes) << "it was on in an earlier start";
  pgsql_.answers = false;
  EXPECT_FALSE(now().ready.passes);
}

// A drain's end is known by a port that answers after it, whichever it is.
TEST_F(BothProtocolsTest, APostgresqlPortThatIsOpenAgainEndsADrain) {
  port_.answers = pgsql_.answers = false;
  view_.draining_since_ns = kNow - 20 * kSecond;
  view_.drain.outcome = static_cast<uint8_t>(DrainOutcome::stopped);
  view_.drain.ended_ns = kNow - 10 * kSecond;
  EXPECT_EQ(State::draining, now().state);
  pgsql_.answers = true;
  pgsql_.since_ns = kNow - kSecond;
  EXPECT_NE(State::draining, now().state);
}

TEST_F(VerdictTest, ALostSegmentTakesNothingOutOfService) {
  EXPECT_TRUE(now().ready.passes);
  view_ = StateView{};
  view_.problem = "the state segment is not one";
  Verdict verdict = now();
  EXPECT_EQ(State::failing, verdict.state);
  EXPECT_EQ("the state segment is not one", verdict.message);
  EXPECT_TRUE(verdict.ready.passes && verdict.live.passes && verdict.started.passes);
  view_ = StateView{};  // made anew: no beat in it yet
  verdict = now();
  EXPECT_TRUE(verdict.ready.passes) << "known to be configured";
  EXPECT_TRUE(verdict.started.passes);
}

TEST_F(VerdictTest, ADaemonThatNeverSawASegmentGoesByThePort) {
  view_ = StateView{};
  view_.problem = "no such file";
  EXPECT_TRUE(now().ready.passes && now().started.passes && now().live.passes);
  port_.answers = false;
  EXPECT_FALSE(now().ready.passes);
}

// ProxySQL started anew a moment ago: all that beats have left is of the one before it.
class RestartedTest : public VerdictTest {
 protected:
  void restart(int64_t seconds_ago) {
    now();
    view_.start.since_ns = port_.since_ns = kNow - seconds_ago * kSecond;
    view_.start.not_before_ns = view_.start.since_ns - 3 * kSecond;
    view_.last_beat_ns = view_.observation.at_ns = view_.record.last_ok_ns = view_.start.since_ns - 4 * kSecond;
  }
  void beat() {
    view_.last_beat_ns = view_.observation.at_ns = view_.record.last_ok_ns = kNow - kSecond / 2;
    ++view_.record.ok;
  }
};

TEST_F(RestartedTest, ASatelliteIsNotReadyForWhatTheLastOneHad) {
  EXPECT_TRUE(now().ready.passes);
  restart(1);
  EXPECT_EQ(State::starting, now().state);
  EXPECT_FALSE(now().ready.passes);
  EXPECT_FALSE(now().started.passes);
  EXPECT_EQ("no configuration has been received from a core; no beat has succeeded since ProxySQL's start",
            now().ready.message);
  beat();
  view_.observation.configured = 0;
  EXPECT_TRUE(now().started.passes);
  EXPECT_FALSE(now().ready.passes);
  view_.observation.configured = 1;
  EXPECT_TRUE(now().ready.passes);
}

TEST_F(RestartedTest, WhatABeatSawBeforeTheDaemonDidCounts) {
  restart(1);
  view_.observation.at_ns = kNow - kSecond - kSecond / 4;
  view_.observation.proxysql_started_ns = view_.start.not_before_ns + 2 * kSecond;
  EXPECT_TRUE(now().ready.passes);
  EXPECT_TRUE(now().started.passes);
}

TEST_F(RestartedTest, ACoreIsReadyByItsPortAndStartsWithoutItsFile) {
  policy_.is_core = true;
  view_.core.standing = static_cast<uint8_t>(Standing::aside);
  restart(1);
  EXPECT_TRUE(now().ready.passes);
  EXPECT_FALSE(now().started.passes);
  view_.core = CoreRecord{};
  beat();
  EXPECT_TRUE(now().started.passes) << "a restart loads nothing anew";
}

TEST_F(RestartedTest, WhatADaemonHasFoundStartedIsStartedForWhoeverReadsTheSegment) {
  policy_.is_core = true;
  restart(1);
  port_.ever_answered = port_.answers = false;
  memory_ = Memory{};
  EXPECT_FALSE(now().started.passes);
  view_.start.served_ns = kNow - kSecond / 2;
  EXPECT_TRUE(now().started.passes) << "status remembers nothing itself, and the port may be paused just now";
}

TEST_F(RestartedTest, ALostSegmentAloneIsNoRestart) {
  EXPECT_TRUE(now().ready.passes);
  view_ = StateView{};
  EXPECT_TRUE(now().ready.passes);
}

TEST_F(RestartedTest, IsNotRestartedAgainForWantOfBeats) {
  restart(9);
  EXPECT_FALSE(now().started.passes);
  restart(11);
  EXPECT_EQ(State::scheduler_silent, now().state) << "the row was switched off, or wasn't in the new database";
  EXPECT_TRUE(now().started.passes);
  EXPECT_FALSE(now().ready.passes) << "it may still have nothing";
  memory_ = Memory{};
  view_.record.last_ok_ns = 0;
  EXPECT_FALSE(now().started.passes) << "no beat ever: that is no restart";
}

TEST_F(RestartedTest, AnOldRowOfTimeoutsFailsNothing) {
  wedge(4000);
  EXPECT_FALSE(now().live.passes);
  view_.record.history[0].at_ns = kNow - 3 * kSecond;
  view_.start.since_ns = kNow - 2 * kSecond;
  EXPECT_EQ(State::starting, now().state);
  EXPECT_TRUE(now().live.passes);
  view_.record.history[0].at_ns = kNow - kSecond;
  EXPECT_EQ(State::admin_unresponsive, now().state);
  EXPECT_EQ(0u, now().message.find("the admin interface hasn't answered for 2.0 s")) << now().message;
  EXPECT_TRUE(now().live.passes) << "unresponsive for two seconds, not for an hour";
}

TEST_F(VerdictTest, AnOldTimeoutWithoutBeatsFailsNothing) {
  wedge(4000);
  EXPECT_FALSE(now().live.passes);
  view_.last_beat_ns = view_.record.history[0].at_ns = kNow - 4 * kSecond;
  EXPECT_EQ(State::scheduler_silent, now().state);
  EXPECT_TRUE(now().live.passes) << "somebody has switched the row off";
  view_.last_beat_ns = kNow - kSecond / 2;
  view_.record.history[0].at_ns = kNow - 3999 * kSecond;
  EXPECT_TRUE(now().live.passes) << "beats that are skipped confirm nothing";
  view_.attempt_open = true;
  EXPECT_FALSE(now().live.passes);
}

TEST_F(RestartedTest, OneThatHangsAndWasNeverReadyIsRestarted) {
  policy_.live_unready_after_ns = 60 * kSecond;
  port_.clients = 0;
  memory_ = Memory{};
  view_.record = BeatRecord{};
  view_.observation = Observation{};
  wedge(59);
  view_.start.since_ns = kNow - 100 * kSecond;
  EXPECT_TRUE(now().live.passes);
  wedge(61);
  EXPECT_FALSE(now().live.passes);
  EXPECT_NE(std::string::npos, now().live.message.find("live_unready_after")) << now().live.message;
  view_.start.since_ns = kNow - 30 * kSecond;
  EXPECT_TRUE(now().live.passes) << "of this start";
  view_.start.since_ns = kNow - 100 * kSecond;
  policy_.live_unready_after_ns = 0;
  EXPECT_TRUE(now().live.passes) << "0: never";
  policy_.live_unready_after_ns = 60 * kSecond;
  port_.clients = 1;
  EXPECT_TRUE(now().live.passes) << "somebody is served, whatever readiness says";
  port_.clients = -1;
  EXPECT_FALSE(now().live.passes);
  view_.start.since_ns = 0;
  EXPECT_TRUE(now().live.passes) << "who ran before the daemon did may have been ready";
  view_.start.since_ns = kNow - 100 * kSecond;
  view_.start.served_ns = kNow - 90 * kSecond;
  EXPECT_TRUE(now().live.passes) << "the daemon before this one has seen it ready";
}

TEST_F(VerdictTest, OneThatWasReadyOnceIsLeftAloneForLong) {
  policy_.live_unready_after_ns = 60 * kSecond;
  port_.clients = 0;
  EXPECT_TRUE(now().ready.passes);
  wedge(300);
  EXPECT_TRUE(now().live.passes);
  view_.observation.configured = 0;
  EXPECT_FALSE(now().ready.passes);
  EXPECT_TRUE(now().live.passes) << "once is enough";
}

TEST_F(VerdictTest, ALookThatIsTooOldIsNoLook) {
  port_.looked_at_ns = kNow - 5 * kSecond;
  EXPECT_EQ("all backends online", now().ready.message);
  port_.looked_at_ns = kNow - 17 * kSecond;
  EXPECT_TRUE(now().ready.passes) << "fail static";
  EXPECT_EQ("the MySQL port hasn't been looked at for 17.0 s, what was known of it stands; all backends online",
            now().ready.message);
  EXPECT_EQ(now().ready.message, now().live.message);
  port_.answers = false;
  port_.since_ns = kNow - 30 * kSecond;
  EXPECT_FALSE(now().ready.passes);
  EXPECT_TRUE(now().live.passes) << "dead when it was looked at, which is not to be certain";
}

TEST(MakePolicy, TheStaggerIsTheHostsOwn) {
  Config config;
  const Policy a = make_policy(config, "proxysql-satellite-7d9f-abcde");
  const Policy b = make_policy(config, "proxysql-satellite-7d9f-abcdf");
  EXPECT_EQ(a.live_stagger_ns, make_policy(config, "proxysql-satellite-7d9f-abcde").live_stagger_ns);
  EXPECT_NE(a.live_stagger_ns / kSecond, b.live_stagger_ns / kSecond);
  int64_t least = INT64_MAX, most = 0;
  for (int i = 0; i < 100; ++i) {
    const int64_t stagger = make_policy(config, "pod-" + std::to_string(i)).live_stagger_ns;
    EXPECT_GE(stagger, 0);
    EXPECT_LT(stagger, 300 * kSecond);
    least = std::min(least, stagger);
    most = std::max(most, stagger);
  }
  EXPECT_LT(least, 30 * kSecond);
  EXPECT_GT(most, 270 * kSecond) << "spread over the whole span";
}

TEST_F(VerdictTest, JsonIsValidAndCompleteWhateverTheSegmentHolds) {
  Config config;
  view_.record.history_count = 40;
  for (auto& ended : view_.record.history) ended.outcome = ended.phase = 0xEE;
  view_.observation.peers_count = view_.observation.modules_count = 4'000'000'000;
  for (auto& peer : view_.observation.peers) peer.hostname.fill('\xFF');
  view_.record.message.fill('"');
  const Verdict verdict = now();
  const StatusInput input{view_, verdict, port_, config, -1, kNow};
  const auto status = nlohmann::json::parse(status_json(input));
  const auto probe = nlohmann::json::parse(probe_json(input, verdict.ready, "readiness"));
  for (const char* field : {"status", "message", "probe", "draining", "clients", "backends", "state", "heartbeat"}) {
    EXPECT_TRUE(probe.contains(field)) << field;
    EXPECT_TRUE(status.contains(field)) << field;
  }
  for (const char* field : {"online", "shunned", "offline", "total"}) EXPECT_TRUE(probe["backends"].contains(field));
  for (const char* field :
       {"age_ms", "outcome", "phase", "duration_ms", "consecutive_timeouts", "next_attempt_in_ms"}) {
    EXPECT_TRUE(probe["heartbeat"].contains(field)) << field;
  }
  for (const char* field :
       {"started", "ok", "failed", "timed_out", "skipped_busy", "skipped_backoff", "killed_overdue"}) {
    EXPECT_TRUE(status["counters"].contains(field)) << field;
  }
  EXPECT_TRUE(probe["clients"].is_null());
  EXPECT_FALSE(status_text(input).empty());
}

class DrainVerdictTest : public VerdictTest {
 protected:
  void SetUp() override {
    VerdictTest::SetUp();
    view_.draining_since_ns = view_.drain.began_ns = kNow - 3 * kSecond;
    view_.drain.deadline_ns = kNow + 22 * kSecond;
    view_.drain.number = 1;
    view_.drain.phase = static_cast<uint8_t>(DrainPhase::settle);
    view_.drain.clients = 7;
  }
  void end(DrainOutcome outcome) {
    view_.drain.ended_ns = kNow - kSecond;
    view_.drain.outcome = static_cast<uint8_t>(outcome);
    view_.drain.phase = static_cast<uint8_t>(DrainPhase::ended);
    set_text(view_.drain.message, "how it ended");
  }
};

TEST_F(DrainVerdictTest, IsNotReadyAndStaysAlive) {
  const Verdict verdict = now();
  EXPECT_EQ(State::draining, verdict.state);
  EXPECT_EQ("draining: settle, 7 clients, 22.0 s left", verdict.message);
  EXPECT_FALSE(verdict.ready.passes);
  EXPECT_EQ(verdict.message, verdict.ready.message);
  EXPECT_TRUE(verdict.live.passes);
  view_.drain.clients = 1;
  view_.drain.admin_unresponsive = 1;
  EXPECT_EQ("draining: settle, 1 client, 22.0 s left; the admin interface is unresponsive", now().message);
  view_.drain.clients = -1;
  EXPECT_NE(std::string::npos, now().message.find("clients not counted"));
  view_.maintenance_realtime_ns = 1;
  EXPECT_EQ(State::draining, now().state) << "that comes first";
  view_.drain = DrainRecord{};
  EXPECT_EQ("draining: announced", now().message);
  EXPECT_FALSE(now().ready.passes);
}

TEST_F(DrainVerdictTest, NothingIsRestartedInTheMiddleOfIt) {
  wedge(4000);
  EXPECT_TRUE(now().live.passes) << "a long wedge";
  port_.answers = false;
  port_.since_ns = kNow - 60 * kSecond;
  EXPECT_TRUE(now().live.passes) << "and the port paused";
  view_.drain.deadline_ns = kNow - 3 * kSecond;
  EXPECT_FALSE(now().live.passes) << "whoever drained is dead";
}

TEST_F(DrainVerdictTest, StaysInEffectUntilAnotherProxysqlAnswers) {
  end(DrainOutcome::stopped);
  EXPECT_EQ(State::draining, now().state) << "the port hasn't been seen to close yet";
  EXPECT_EQ("how it ended", now().ready.message);
  port_.answers = false;
  port_.since_ns = kNow - kSecond / 2;
  EXPECT_EQ(State::draining, now().state);
  EXPECT_TRUE(now().live.passes) << "a port that was closed on purpose";
  port_.answers = true;
  EXPECT_NE(State::draining, now().state);
  EXPECT_TRUE(now().ready.passes);
}

TEST_F(DrainVerdictTest, OneThatLeftProxysqlUpIsEndedByHand) {
  for (const DrainOutcome outcome : {DrainOutcome::drained, DrainOutcome::failed}) {
    end(outcome);
    port_.since_ns = kNow - kSecond / 2;
    EXPECT_EQ(State::draining, now().state);
    EXPECT_FALSE(now().ready.passes);
  }
  wedge(4000);
  EXPECT_FALSE(now().live.passes) << "it is over, and a restart would mend that";
  view_.draining_since_ns = 0;
  EXPECT_NE(State::draining, now().state);
}

}  // namespace
}  // namespace pulse
