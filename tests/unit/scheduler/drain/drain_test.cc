#include "scheduler/drain/drain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "shm/segment/text.h"
#include "src/base/exit_code.h"
#include "src/config/drain_steps.h"
#include "tests/unit/scheduler/drain/fake_proxysql.h"

namespace pulse {
namespace {

using std::chrono::seconds;
using test::FakeClock;
using test::FakeProxySql;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Lt;
using ::testing::Not;
using ::testing::SizeIs;

class DrainEngine : public ::testing::Test {
 protected:
  DrainEngine() { use(seconds(5), seconds(25)); }

  void use(milliseconds settle, milliseconds timeout) {
    setup_.policy.settle = settle;
    setup_.policy.timeout = timeout;
    setup_.policy.steps = *parse_drain_steps({"2000:4000", "1000:3000", "500:4000", "200:6000", "50:3000", "0"});
    setup_.beat_timeout = seconds(1);
    setup_.began_monotonic = clock_.now();
    setup_.began_boot_ns = clock_.boot_ns();
    proxysql_ = std::make_unique<FakeProxySql>(clock_, timeout);
  }

  int drain() {
    const int code = Drain(setup_, *proxysql_, *proxysql_, *proxysql_, clock_).run();
    EXPECT_LE(clock_.elapsed(), setup_.policy.timeout);
    EXPECT_EQ("phase ended", proxysql_->journal.back().what);
    EXPECT_EQ(clock_.boot_ns(), proxysql_->record.ended_ns);
    return code;
  }
  void all_leave_at(milliseconds span) {
    clock_.at(span, [this] { proxysql_->clients = 0; });
  }
  std::string message() const { return std::string(text(proxysql_->record.message)); }
  DrainOutcome outcome() const { return static_cast<DrainOutcome>(proxysql_->record.outcome); }
  DrainWay way() const { return static_cast<DrainWay>(proxysql_->record.way); }
  milliseconds first(const std::string& what) const { return proxysql_->times_of(what).at(0); }

  FakeClock clock_;
  DrainSetup setup_;
  std::unique_ptr<FakeProxySql> proxysql_;
};

TEST_F(DrainEngine, AnnouncesBeforeAnythingElse) {
  all_leave_at(seconds(1));
  EXPECT_EQ(kExitOk, drain());
  auto lines = proxysql_->lines();
  lines.resize(7);
  EXPECT_THAT(lines, ElementsAre("announce", "phase lock", "hold beats", "find process", "connect", "unloaded edits",
                                 "lower 2000"));
  EXPECT_EQ(milliseconds(0), first("announce"));
}

TEST_F(DrainEngine, OvertakesNoPullThatIsDue) {
  clock_.at(milliseconds(3500), [this] { proxysql_->pull_due = true; });
  clock_.at(milliseconds(5500), [this] {  // the core's own values, which its load has changed
    proxysql_->pull_due = false;
    proxysql_->seen.mysql.wait_timeout_ms = 7'200'000;
    proxysql_->seen.mysql.poll_timeout_ms = 1500;
  });
  all_leave_at(seconds(8));
  EXPECT_EQ(kExitOk, drain());
  for (const auto& line : proxysql_->journal) {
    if (!line.what.starts_with("lower")) continue;
    EXPECT_TRUE(line.at < milliseconds(3500) || line.at >= milliseconds(5500)) << line.at.count() << " " << line.what;
  }
  EXPECT_EQ(7'200'000, proxysql_->record.wait_timeout_ms) << "that is what is to be restored";
  EXPECT_EQ(1500, proxysql_->record.poll_timeout_ms);
}

TEST_F(DrainEngine, WaitsForAPullThatNeverComesForSomeSecondsOnly) {
  proxysql_->pull_due = true;
  all_leave_at(seconds(8));
  EXPECT_EQ(kExitOk, drain());
  const auto& lines = proxysql_->journal;
  const auto lowered =
      std::find_if(lines.begin(), lines.end(), [](const auto& line) { return line.what.starts_with("lower"); });
  ASSERT_NE(lines.end(), lowered);
  EXPECT_THAT(lowered->at, AllOf(Ge(seconds(4)), Lt(milliseconds(4500))));
}

TEST_F(DrainEngine, StopsOnceSettleIsOverAndNobodyIsLeft) {
  all_leave_at(seconds(2));
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(first("shutdown"), AllOf(Ge(seconds(5)), Lt(milliseconds(5300))));
  EXPECT_THAT(proxysql_->lines(), Not(Contains("pause")));
  EXPECT_THAT(proxysql_->lines(), Not(Contains("SIGTERM")));
  EXPECT_EQ(DrainOutcome::stopped, outcome());
  EXPECT_THAT(message(), ::testing::MatchesRegex("ProxySQL was stopped by PROXYSQL SHUTDOWN; no client was left, "
                                                 "5.. s after the drain began with 3 clients"));
  EXPECT_THAT(proxysql_->beginning("phase"), ElementsAre("phase lock", "phase settle", "phase stop", "phase ended"));
}

TEST_F(DrainEngine, AQuietSecondComesBeforeTheStop) {
  all_leave_at(seconds(8));
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(first("shutdown"), AllOf(Ge(seconds(9)), Lt(milliseconds(9500))));
  EXPECT_THAT(proxysql_->beginning("phase"), Contains("phase close"));
}

TEST_F(DrainEngine, SomebodyWhoAsksAndLeavesBetweenTwoLooksIsAClient) {
  all_leave_at(seconds(1));
  proxysql_->queries = true;
  clock_.at(seconds(8), [this] { proxysql_->queries = false; });
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(first("shutdown"), AllOf(Ge(seconds(9)), Lt(milliseconds(9500))));
}

TEST_F(DrainEngine, LowersByTheSteps) {
  proxysql_->newcomers = true;
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(proxysql_->beginning("lower"),
              ElementsAre("lower 2000", "lower 1000", "lower 500", "lower 200", "lower 50", "lower 0"));
  EXPECT_THAT(proxysql_->times_of("unloaded edits"), SizeIs(1));
  EXPECT_GE(first("lower 50"), seconds(5));
  EXPECT_EQ(28'800'000, proxysql_->record.wait_timeout_ms) << "what there was before, to be restored";
  EXPECT_EQ(2000, proxysql_->record.poll_timeout_ms);
}

TEST_F(DrainEngine, OnceNobodyNewComesItGoesToTheLastStep) {
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(proxysql_->beginning("lower"), ElementsAre("lower 2000", "lower 200", "lower 0"));
  EXPECT_THAT(first("lower 200"), AllOf(Ge(kDrainNoNewcomer), Lt(milliseconds(2300))));
  EXPECT_THAT(first("lower 0"), AllOf(Ge(seconds(5)), Lt(milliseconds(5300))));
}

TEST_F(DrainEngine, LowersAgainWhatSomebodyElseHasSet) {
  proxysql_->newcomers = true;
  clock_.at(milliseconds(1100), [this] { proxysql_->seen.mysql.wait_timeout_ms = 28'800'000; });
  EXPECT_EQ(kExitOk, drain());
  const auto lowered = proxysql_->times_of("lower 2000");
  ASSERT_THAT(lowered, SizeIs(2));
  EXPECT_THAT(lowered[1], AllOf(Ge(milliseconds(1100)), Lt(milliseconds(1400))));
  EXPECT_EQ(28'800'000, proxysql_->record.wait_timeout_ms);
}

TEST_F(DrainEngine, ACoreWhoseVariablesAreSyncedLowersNothing) {
  setup_.policy.satellite = false;
  all_leave_at(seconds(2));
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(proxysql_->beginning("lower"), IsEmpty());
  EXPECT_THAT(proxysql_->lines(), Not(Contains("unloaded edits")));
  EXPECT_EQ(-1, proxysql_->record.lowered_to_ms);
  EXPECT_EQ(DrainWay::synced, way());
  EXPECT_THAT(proxysql_->times_of("reach"), SizeIs(1)) << "it stays so";
}

TEST_F(DrainEngine, ACoreWhoseVariablesNobodyPullsDrainsAsASatelliteDoes) {
  setup_.policy.satellite = false;
  proxysql_->reach.diffs = 0;
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(proxysql_->beginning("lower"), ElementsAre("lower 2000", "lower 200", "lower 0"));
  EXPECT_THAT(proxysql_->beginning("sessions"), IsEmpty());
  EXPECT_EQ(DrainWay::unsynced, way());
  EXPECT_LT(first("reach"), first("lower 2000")) << "known before anything is written";
}

// A member that is started anew with an old file, or an old proxysql.db, would take the lowered variables over, and
// keep them when this node is gone.
TEST_F(DrainEngine, AMemberThatMayPullAfterAllGetsWhatThereWas) {
  setup_.policy.satellite = false;
  proxysql_->reach.diffs = 0;
  clock_.at(milliseconds(2500), [this] { proxysql_->reach.members[1].admin_checksum = "0xB"; });
  clock_.at(seconds(4), [this] { proxysql_->reach.members[1].admin_checksum = proxysql_->reach.admin_checksum; });
  proxysql_->newcomers = true;
  EXPECT_EQ(kExitOk, drain());
  ASSERT_THAT(proxysql_->beginning("restore"), ElementsAre("restore 2000 28800000")) << "and stays so";
  const milliseconds restored = first("restore 2000 28800000");
  EXPECT_THAT(restored, AllOf(Ge(milliseconds(2500)), Lt(milliseconds(3700)))) << "before three checks of ProxySQL";
  for (const auto& line : proxysql_->journal) {
    EXPECT_TRUE(!line.what.starts_with("lower") || line.at < restored) << line.what;
  }
  EXPECT_EQ(DrainWay::peers_differ, way());
  EXPECT_EQ(-1, proxysql_->record.wait_timeout_ms) << "nothing is left to be restored";
  EXPECT_EQ(28'800'000, proxysql_->seen.mysql.wait_timeout_ms);
  EXPECT_THAT(proxysql_->beginning("sessions"), Not(IsEmpty()));
}

// In a rolling replacement the member before this one has come a moment ago.
TEST_F(DrainEngine, AMemberThatBecomesKnownBeforeTheEndpointsHaveSettledKeepsNobodyFromLowering) {
  setup_.policy.satellite = false;
  proxysql_->reach.diffs = 0;
  const std::string checksum = proxysql_->reach.members[1].admin_checksum;
  proxysql_->reach.members[1].admin_checksum = "";
  clock_.at(milliseconds(1500), [this, checksum] { proxysql_->reach.members[1].admin_checksum = checksum; });
  EXPECT_EQ(kExitOk, drain());
  EXPECT_EQ(DrainWay::unsynced, way());
  EXPECT_GE(first("lower 2000"), milliseconds(1500));
  EXPECT_THAT(proxysql_->beginning("sessions"), IsEmpty());
}

TEST_F(DrainEngine, AMemberThatBecomesKnownLaterChangesNothingAnyMore) {
  setup_.policy.satellite = false;
  proxysql_->newcomers = true;
  proxysql_->reach.diffs = 0;
  const std::string checksum = proxysql_->reach.members[1].admin_checksum;
  proxysql_->reach.members[1].admin_checksum = "";
  clock_.at(seconds(6), [this, checksum] { proxysql_->reach.members[1].admin_checksum = checksum; });
  EXPECT_EQ(kExitOk, drain());
  EXPECT_EQ(DrainWay::peers_differ, way());
  EXPECT_THAT(proxysql_->beginning("lower"), IsEmpty());
}

TEST_F(DrainEngine, AStrangerAtTheAdminInterfaceKeepsACoreFromLowering) {
  setup_.policy.satellite = false;
  proxysql_->reach.diffs = 0;
  proxysql_->hosts->push_back("10.0.0.9");  // a satellite, which has a file of its own
  all_leave_at(seconds(2));
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(proxysql_->beginning("lower"), IsEmpty());
  EXPECT_EQ(DrainWay::strangers, way());
}

TEST_F(DrainEngine, AStrangerWhoseConnectionIsGoneForAMomentIsStillOne) {
  setup_.policy.satellite = false;
  proxysql_->reach.diffs = 0;
  proxysql_->hosts->push_back("10.0.0.9");
  clock_.at(seconds(1), [this] { proxysql_->hosts->pop_back(); });
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(proxysql_->beginning("lower"), IsEmpty());
  EXPECT_EQ(DrainWay::strangers, way());
}

TEST_F(DrainEngine, ClosesRestingSessionsOnceSettledThoseThatRestForLongFirst) {
  setup_.policy.satellite = false;
  proxysql_->newcomers = true;  // so that the clock alone counts
  proxysql_->resting = {{7, seconds(90)}, {8, milliseconds(1500)}, {9, milliseconds(300)}};
  EXPECT_EQ(kExitOk, drain());
  ASSERT_THAT(proxysql_->beginning("close"), ElementsAre("close 7", "close 8", "close 9"));
  EXPECT_THAT(first("close 7"), AllOf(Ge(seconds(5)), Lt(milliseconds(5300))));
  EXPECT_GE(first("close 9"), seconds(9)) << "when the steps have come to 200 ms";
  EXPECT_EQ(3, proxysql_->record.closed);
  EXPECT_EQ(0, proxysql_->clients);
  EXPECT_THAT(message(), HasSubstr("; 3 resting sessions closed one by one"));
}

TEST_F(DrainEngine, ALookAtSessionsIsGoodForATwentiethOfTheirRest) {
  setup_.policy.satellite = false;
  proxysql_->newcomers = true;
  proxysql_->resting = {{7, seconds(90)}, {8, seconds(2)}};
  proxysql_->looked_at_sessions = [this] {  // the first look takes half a second
    if (proxysql_->beginning("sessions").size() == 1) clock_.pass(milliseconds(500));
  };
  EXPECT_EQ(kExitOk, drain());
  ASSERT_THAT(proxysql_->beginning("close"), ElementsAre("close 7", "close 8"));
  EXPECT_GT(first("close 8") - first("close 7"), milliseconds(150)) << "only after a look of its own";
}

TEST_F(DrainEngine, ManyRestingSessionsAreClosedInBatches) {
  setup_.policy.satellite = false;
  proxysql_->clients = 2000;
  for (uint32_t id = 1; id <= 2000; ++id) proxysql_->resting.push_back({id, seconds(600)});
  EXPECT_EQ(kExitOk, drain());
  EXPECT_EQ(2000, proxysql_->record.closed);
  size_t batch = 0;
  for (const auto& line : proxysql_->lines()) {
    batch = line.starts_with("close ") ? batch + 1 : 0;
    EXPECT_LE(batch, kCloseBatch);
  }
  EXPECT_LT(clock_.elapsed(), seconds(9)) << "one batch after the other";
}

TEST_F(DrainEngine, SaysAtOnceWhomItsDeadlineCantHold) {
  proxysql_->clients = 10'000;
  proxysql_->seen.mysql.threads = 4;
  proxysql_->seen.mysql.not_idle = 0;
  clock_.at(seconds(1), [this] {
    EXPECT_EQ(53'000, proxysql_->record.estimate_ms);
    EXPECT_EQ((2500 - 11 * 128) * 4, proxysql_->record.will_cut);
  });
  EXPECT_EQ(kExitOk, drain());
}

TEST_F(DrainEngine, WithoutIdleThreadsAllAreMovedInTime) {
  proxysql_->clients = 10'000;
  proxysql_->seen.mysql.not_idle = 10'003;  // ProxySQL counts its own sessions, too
  all_leave_at(seconds(2));
  EXPECT_EQ(kExitOk, drain());
  EXPECT_EQ(0, proxysql_->record.will_cut);
  EXPECT_EQ(10'000, proxysql_->record.estimate_ms);
}

TEST_F(DrainEngine, ASessionThatIsListedAsInUseIsntClosed) {
  setup_.policy.satellite = false;
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(proxysql_->beginning("close"), IsEmpty());
  EXPECT_THAT(message(), HasSubstr("3 clients cut"));
}

TEST_F(DrainEngine, WhatADrainBeforeThisOneFoundIsWhatIsToBeRestored) {
  all_leave_at(seconds(2));
  proxysql_->seen.mysql.wait_timeout_ms = 200;
  proxysql_->before.record.number = 4;
  proxysql_->before.record.proxysql_started_ns = proxysql_->started_ns;
  proxysql_->before.record.wait_timeout_ms = 28'800'000;
  proxysql_->before.record.poll_timeout_ms = 1500;
  proxysql_->before.record.outcome = static_cast<uint8_t>(DrainOutcome::failed);
  EXPECT_EQ(kExitOk, drain());
  EXPECT_EQ(5U, proxysql_->record.number);
  EXPECT_EQ(28'800'000, proxysql_->record.wait_timeout_ms);
  EXPECT_EQ(1500, proxysql_->record.poll_timeout_ms);
}

TEST_F(DrainEngine, TellsWhatHadBeenSetAndNotLoaded) {
  all_leave_at(seconds(2));
  proxysql_->edits = "mysql-max_connections";
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(message(), HasSubstr("; mysql-max_connections had been set and not loaded, and went live"));
}

TEST_F(DrainEngine, PausesNearTheDeadlineAndStops) {
  proxysql_->newcomers = true;
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(first("pause"), AllOf(Ge(seconds(25) - kDrainStopReserve - pause_span(2)), Lt(milliseconds(22'000))));
  EXPECT_LT(first("pause"), first("shutdown"));
  EXPECT_THAT(proxysql_->times_of("connect"), SizeIs(2)) << "some versions answer PAUSE twice";
  EXPECT_THAT(message(), HasSubstr("stopped by PROXYSQL SHUTDOWN; 3 clients cut"));
  EXPECT_EQ(1, proxysql_->record.paused);
}

TEST_F(DrainEngine, PausesOnlyWithRoomForIt) {
  use(seconds(5), seconds(8));
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(proxysql_->lines(), Not(Contains("pause")));
  EXPECT_THAT(first("shutdown"), AllOf(Ge(milliseconds(6500)), Lt(milliseconds(6800))));
  EXPECT_THAT(message(), HasSubstr("3 clients cut"));
}

TEST_F(DrainEngine, WhatSomebodyElseHasPausedIsntItsOwn) {
  proxysql_->newcomers = true;
  proxysql_->pause_refusal = "MySQL Server is already paused";
  EXPECT_EQ(kExitOk, drain());
  EXPECT_EQ(0, proxysql_->record.paused);
  EXPECT_THAT(proxysql_->lines(), Contains("shutdown"));
}

TEST_F(DrainEngine, APauseThatIsntAnsweredLeavesTimeToStop) {
  proxysql_->newcomers = true;
  proxysql_->pause_takes = seconds(60);
  EXPECT_EQ(kExitOk, drain());
  EXPECT_EQ(1, proxysql_->record.paused) << "it may still come into effect";
  EXPECT_EQ(seconds(25) - kDrainStopReserve, first("phase stop"));
  EXPECT_EQ(DrainOutcome::stopped, outcome());
}

TEST_F(DrainEngine, SigtermStopsOneWhoseAdminInterfaceIsUnresponsive) {
  proxysql_->admin_unresponsive = true;
  all_leave_at(seconds(2));
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(proxysql_->lines(), Not(Contains("shutdown")));
  EXPECT_THAT(first("SIGTERM"), AllOf(Ge(seconds(5)), Lt(seconds(8))));
  EXPECT_THAT(message(), AllOf(HasSubstr("stopped by SIGTERM to process 4711; no client was left"),
                               HasSubstr("the admin interface was unresponsive (127.0.0.1:6032: timed out)")));
  EXPECT_EQ(1, proxysql_->record.admin_unresponsive);
}

TEST_F(DrainEngine, AnUnresponsiveAdminInterfaceIsTriedEverMoreRarely) {
  proxysql_->admin_unresponsive = true;
  EXPECT_EQ(kExitOk, drain());
  const auto tries = proxysql_->times_of("connect");
  ASSERT_THAT(tries, SizeIs(4));  // 2, 4 and 8 s after the end of the one before, which took a second
  EXPECT_GE(tries[1] - tries[0], seconds(3));
  EXPECT_GE(tries[2] - tries[1], seconds(5));
  EXPECT_GE(tries[3] - tries[2], seconds(9));
  EXPECT_THAT(message(), HasSubstr("3 clients cut"));
}

TEST_F(DrainEngine, AnAdminInterfaceThatComesBackIsUsed) {
  proxysql_->admin_unresponsive = true;
  clock_.at(milliseconds(1500), [this] { proxysql_->admin_unresponsive = false; });
  all_leave_at(seconds(4));
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(proxysql_->beginning("lower"), Not(IsEmpty()));
  EXPECT_THAT(message(), HasSubstr("stopped by PROXYSQL SHUTDOWN"));
}

TEST_F(DrainEngine, FailsInTimeIfItCanStopNothing) {
  proxysql_->admin_unresponsive = true;
  proxysql_->process_visible = false;
  EXPECT_EQ(kExitTimeout, drain());
  EXPECT_EQ(DrainOutcome::failed, outcome());
  EXPECT_THAT(message(), AllOf(HasSubstr("ProxySQL runs on: 127.0.0.1:6032: timed out"),
                               HasSubstr("its process can't be seen from here to send it SIGTERM; 3 clients left"),
                               HasSubstr("readiness stays 503 until proxysql-pulse undrain")));
}

TEST_F(DrainEngine, WithoutAnyCountItWaitsUntilTheLastSteps) {
  proxysql_->admin_unresponsive = true;
  proxysql_->kernel_counts = false;
  EXPECT_EQ(kExitOk, drain());
  EXPECT_GE(first("SIGTERM"), seconds(25) - kDrainStopReserve);
  EXPECT_THAT(message(), HasSubstr("an unknown number of clients cut"));
}

// A busy host's table of connections may take longer to read than there is time for.
TEST_F(DrainEngine, KeepsTheLastGoodCountAndSaysHowOldItIs) {
  proxysql_->admin_unresponsive = true;
  clock_.at(seconds(8), [this] { proxysql_->kernel_counts = false; });
  EXPECT_EQ(kExitOk, drain());
  EXPECT_EQ(3, proxysql_->record.clients);
  EXPECT_THAT(message(), AllOf(HasSubstr("3 clients cut"), HasSubstr("; they were last counted 1")));
}

TEST_F(DrainEngine, SigtermStopsOneThatDoesntObeyShutdown) {
  proxysql_->obeys_shutdown = false;
  all_leave_at(seconds(2));
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(first("SIGTERM") - first("shutdown"), AllOf(Ge(milliseconds(500)), Le(milliseconds(600))));
  EXPECT_THAT(message(), HasSubstr("stopped by SIGTERM to process 4711"));
}

TEST_F(DrainEngine, SaysAtTheDeadlineThatItRunsOn) {
  proxysql_->obeys_shutdown = proxysql_->obeys_sigterm = false;
  all_leave_at(seconds(2));
  EXPECT_EQ(kExitTimeout, drain());
  EXPECT_EQ(seconds(25), clock_.elapsed());
  EXPECT_THAT(message(), HasSubstr("ProxySQL runs on: it didn't end in time; no client is left"));
}

TEST_F(DrainEngine, AnEndOfItselfIsSeenAtOnce) {
  clock_.at(milliseconds(1100), [this] { proxysql_->ended = true; });
  EXPECT_EQ(kExitOk, drain());
  EXPECT_EQ(milliseconds(1100), clock_.elapsed());
  EXPECT_THAT(message(), HasSubstr("ProxySQL ended by itself, 1.1 s after the drain began with 3 clients"));
}

TEST_F(DrainEngine, AnEndOfItselfIsSeenWithoutTheProcessToo) {
  proxysql_->process_visible = false;
  clock_.at(milliseconds(1100), [this] { proxysql_->ended = true; });
  EXPECT_EQ(kExitOk, drain());
  EXPECT_LT(clock_.elapsed(), milliseconds(1400));
  EXPECT_THAT(message(), HasSubstr("ProxySQL ended by itself"));
}

TEST_F(DrainEngine, AnotherProxySqlIsntStopped) {
  clock_.at(milliseconds(1100), [this] { proxysql_->started_ns = clock_.boot_ns(); });
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(proxysql_->lines(), Not(Contains("shutdown")));
  EXPECT_THAT(message(), HasSubstr("ProxySQL ended by itself, and another one has started"));
}

TEST_F(DrainEngine, WithoutAProxySqlThereIsNothingToDrain) {
  proxysql_->ended = true;
  proxysql_->process_visible = false;
  proxysql_->before.proxysql_started_ns = 77;
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(message(), HasSubstr("ProxySQL isn't running, there is nothing to drain"));
  EXPECT_EQ(77, proxysql_->record.proxysql_started_ns) << "as the last beat had it";
  EXPECT_EQ(0, proxysql_->record.admin_unresponsive);
}

TEST_F(DrainEngine, WithoutAStopItEndsWhenAllHaveLeft) {
  setup_.policy.stops = false;
  all_leave_at(seconds(2));
  EXPECT_EQ(kExitOk, drain());
  EXPECT_FALSE(proxysql_->ended);
  EXPECT_THAT(proxysql_->lines(), Not(Contains("shutdown")));
  EXPECT_EQ(DrainOutcome::drained, outcome());
  EXPECT_THAT(message(), HasSubstr("drained, no client is left; proxysql-pulse undrain ends it"));
}

TEST_F(DrainEngine, WithoutAStopAPauseIsSuccess) {
  setup_.policy.stops = false;
  proxysql_->newcomers = true;
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(message(), HasSubstr("drained and paused: new connections are refused; 3 clients left"));
}

TEST_F(DrainEngine, WithoutAStopOrAPauseItFailsWithClientsLeft) {
  use(seconds(5), seconds(8));
  setup_.policy.stops = false;
  EXPECT_EQ(kExitTimeout, drain());
  EXPECT_EQ(DrainOutcome::failed, outcome());
  EXPECT_THAT(message(), HasSubstr("3 clients still here at the deadline; readiness stays 503"));
}

// ProxySQL 3, with clients of both protocols.
class DrainOfBoth : public DrainEngine {
 protected:
  DrainOfBoth() {
    proxysql_->seen.pgsql = {0, 3'600'000, 1000, 4, false};
    proxysql_->pgsql_clients = 1;
  }
};

TEST_F(DrainOfBoth, BothAreLoweredAndRemembered) {
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(proxysql_->beginning("lower"), ElementsAre("lower both 2000", "lower both 200", "lower both 0"));
  EXPECT_THAT(proxysql_->lines(), Contains("unloaded edits both"));
  EXPECT_EQ(28'800'000, proxysql_->record.wait_timeout_ms);
  EXPECT_EQ(2000, proxysql_->record.poll_timeout_ms);
  EXPECT_EQ(3'600'000, proxysql_->record.pgsql_wait_timeout_ms);
  EXPECT_EQ(1000, proxysql_->record.pgsql_poll_timeout_ms);
}

TEST_F(DrainOfBoth, OneThatWasPutBackIsLoweredAgainAlone) {
  proxysql_->newcomers = true;
  clock_.at(milliseconds(1100), [this] { proxysql_->seen.pgsql.wait_timeout_ms = 1'800'000; });
  clock_.at(milliseconds(1100), [this] { proxysql_->seen.pgsql.poll_timeout_ms = 500; });
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(proxysql_->times_of("lower both 2000"), SizeIs(1));
  EXPECT_THAT(proxysql_->times_of("lower pgsql 2000"), SizeIs(1));
  EXPECT_EQ(1'800'000, proxysql_->record.pgsql_wait_timeout_ms);
  EXPECT_EQ(500, proxysql_->record.pgsql_poll_timeout_ms);
  EXPECT_EQ(28'800'000, proxysql_->record.wait_timeout_ms);
}

TEST_F(DrainOfBoth, APullOfMysqlVariablesHoldsPostgresqlUpInNothing) {
  proxysql_->pull_due = true;
  all_leave_at(seconds(8));
  EXPECT_EQ(kExitOk, drain());
  EXPECT_LT(first("lower pgsql 2000"), milliseconds(100));
  EXPECT_THAT(proxysql_->lines(), Contains("unloaded edits pgsql"));
  const auto& lines = proxysql_->journal;
  const auto mysql = std::find_if(lines.begin(), lines.end(), [](const auto& line) {
    return line.what.starts_with("lower") && !line.what.starts_with("lower pgsql");
  });
  ASSERT_NE(lines.end(), mysql);
  EXPECT_GE(mysql->at, seconds(4));
  EXPECT_EQ(28'800'000, proxysql_->record.wait_timeout_ms);
}

TEST_F(DrainOfBoth, PostgresqlAloneIsLoweredAlone) {
  proxysql_->seen.mysql = {};
  proxysql_->pgsql_clients = 3;
  all_leave_at(seconds(2));
  EXPECT_EQ(kExitOk, drain());
  EXPECT_THAT(proxysql_->beginning("lower"), Each(::testing::StartsWith("lower pgsql")));
  EXPECT_EQ(-1, proxysql_->record.wait_timeout_ms) << "nothing to restore";
}

TEST_F(DrainOfBoth, PauseHasTimeForTheThreadsOfBoth) {
  proxysql_->newcomers = true;
  proxysql_->pause_takes = pause_span(2, 4) - milliseconds(100);
  EXPECT_EQ(kExitOk, drain());
  EXPECT_GE(first("pause"), seconds(25) - kDrainStopReserve - pause_span(2, 4));
  EXPECT_LT(first("pause"), seconds(25) - kDrainStopReserve - proxysql_->pause_takes);
  EXPECT_THAT(proxysql_->times_of("connect"), SizeIs(3)) << "what became of both ports is read back";
  EXPECT_EQ(1, proxysql_->record.paused);
}

TEST_F(DrainOfBoth, APauseOfOneAloneIsNoneThatRefusesAll) {
  setup_.policy.stops = false;
  proxysql_->newcomers = true;
  proxysql_->only_mysql_pauses = true;
  EXPECT_EQ(kExitTimeout, drain());
  EXPECT_EQ(1, proxysql_->record.paused) << "undrain resumes it";
  EXPECT_THAT(message(), HasSubstr("3 clients still here at the deadline"));
}

// A core of several whose variables are synced: what it lowered would reach the others.
TEST_F(DrainOfBoth, ACoresPostgresqlVariablesAreLoweredOnlyWhereNobodyPullsThem) {
  for (const bool pulled : {false, true}) {
    use(seconds(5), seconds(25));
    proxysql_->seen.pgsql = {0, 3'600'000, 1000, 4, false};
    proxysql_->seen.pgsql_is_pulled = pulled;
    setup_.policy.satellite = false;
    all_leave_at(seconds(2));
    EXPECT_EQ(kExitOk, drain());
    EXPECT_EQ(pulled, proxysql_->beginning("lower").empty());
    EXPECT_THAT(proxysql_->beginning("lower"), Each(::testing::StartsWith("lower pgsql")));
    EXPECT_EQ(-1, proxysql_->record.wait_timeout_ms);
  }
}

TEST_F(DrainOfBoth, AMemberThatMayPullAfterAllGetsWhatThereWasOfBoth) {
  setup_.policy.satellite = false;
  proxysql_->reach.diffs = 0;
  clock_.at(milliseconds(2500), [this] { proxysql_->reach.members[1].admin_checksum = "0xB"; });
  proxysql_->newcomers = true;
  EXPECT_EQ(kExitOk, drain());
  ASSERT_THAT(proxysql_->beginning("restore"), ElementsAre("restore 2000 28800000, pgsql 3600000"));
  EXPECT_EQ(-1, proxysql_->record.wait_timeout_ms);
  EXPECT_EQ(3'600'000, proxysql_->record.pgsql_wait_timeout_ms) << "nobody pulls these: lowered again";
}

TEST_F(DrainOfBoth, WhatADrainBeforeThisOneFoundIsWhatIsToBeRestored) {
  all_leave_at(seconds(2));
  proxysql_->seen.pgsql.wait_timeout_ms = 200;
  proxysql_->before.record.proxysql_started_ns = proxysql_->started_ns;
  proxysql_->before.record.wait_timeout_ms = -1;
  proxysql_->before.record.pgsql_wait_timeout_ms = 7'200'000;
  proxysql_->before.record.pgsql_poll_timeout_ms = 1500;
  proxysql_->before.record.outcome = static_cast<uint8_t>(DrainOutcome::failed);
  EXPECT_EQ(kExitOk, drain());
  EXPECT_EQ(7'200'000, proxysql_->record.pgsql_wait_timeout_ms);
  EXPECT_EQ(1500, proxysql_->record.pgsql_poll_timeout_ms);
}

}  // namespace
}  // namespace pulse
