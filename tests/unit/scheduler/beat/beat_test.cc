#include "scheduler/beat/beat.h"

#include <algorithm>

#include "shm/record/attempts.h"
#include "src/base/exit_code.h"
#include "tests/unit/scheduler/beat/fake_beat_system.h"

namespace pulse {
namespace {

using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;
using Events = std::vector<std::string>;
using Rows = std::vector<std::vector<std::string>>;

const Rows kGood = {{"memory", "core-1", "6032", "", ""},
                    {"runtime", "core-1", "6032", "", ""},
                    {"peer", "core-1", "6032", "1000000", "mysql_users 2 1700000001 0xCD"}};
const Rows kEmpty = {};

class BeatTest : public BeatParts {
 protected:
  BeatTest() {
    memory_->boot_id = 9;
    Config& config = system_.config.config;
    config.role = Role::satellite;
    config.beat.interval = milliseconds(500);
    config.beat.timeout = milliseconds(400);
    config.satellite.peer_timeout = milliseconds(5000);
    config.bootstrap = {{"core-1", 6032, 0, ""}};
    system_.config.identity = 31;
    system_.looks = {kGood};
    options_.command = "beat";
  }
  int run(GuardedLayout& layout, const char* no_segment = "") {
    Known known{};
    Beat beat(options_, system_, layout, no_segment, began_, known);
    CaptureStderr();
    const int code = beat.run();
    log_ = logged(GetCapturedStderr());
    return code;
  }
  int run() { return run(layout_); }
  BeatRecord record() const { return read(memory_->record); }

  Options options_;
  Moment began_{system_.clock, {7'000'000'000}};
  std::string log_;
};

// A list of members, as the daemon publishes it.
class FirstBeatTest : public BeatTest {
 protected:
  FirstBeatTest() { system_.config.config.discovery.source = Source::kubernetes; }
  void publish(bool with_list) {
    Discovery discovery{};
    discovery.boot_id = 9;
    discovery.source = static_cast<uint8_t>(Source::kubernetes);
    if (with_list) {
      const auto members = std::make_unique<Members>();
      members->boot_id = 9;
      members->count = members->cores = 1;
      set_text(members->members[0].address, "10.0.0.1");
      members->members[0].port = 6032;
      members->members[0].is_core = 1;
      memory_->members.publish(*members);
      discovery.ok_ns = system_.clock.ns;
    }
    memory_->discovery.publish(discovery);
  }
};

TEST_F(FirstBeatTest, WaitsForTheDaemonsList) {
  system_.on_pause = [this](int pause) {
    if (pause == 5) publish(false);
    if (pause == 90) publish(true);
  };
  EXPECT_EQ(kExitOk, run());
  EXPECT_EQ(90, system_.pauses);
}

TEST_F(FirstBeatTest, WaitsForHalfOfItsTimeAtMost) {
  publish(false);
  EXPECT_EQ(kExitOk, run());
  EXPECT_EQ(100, system_.pauses) << "200 ms of 400";
}

TEST_F(FirstBeatTest, WaitsALittleForADaemonThatIsNotThere) {
  system_.config.config.beat.timeout = milliseconds(4000);
  EXPECT_EQ(kExitOk, run());
  EXPECT_EQ(125, system_.pauses) << "250 ms";
}

TEST_F(FirstBeatTest, OnlyTheFirstOneDoes) {
  publish(false);
  EXPECT_EQ(kExitOk, run());
  const int before = system_.pauses;
  EXPECT_EQ(kExitOk, run());
  EXPECT_EQ(before, system_.pauses);
}

TEST_F(FirstBeatTest, DoesNotWaitForWhatIsThereOrNeverComes) {
  publish(true);
  EXPECT_EQ(kExitOk, run());
  EXPECT_EQ(0, system_.pauses);
  memory_->record.publish(BeatRecord{});
  publish(false);
  system_.config.config.discovery.source = Source::none;
  EXPECT_EQ(kExitOk, run());
  EXPECT_EQ(0, system_.pauses);
}

TEST_F(BeatTest, AQuietOneLooksAndLeaves) {
  EXPECT_EQ(kExitOk, run());
  EXPECT_EQ((Events{"lock", "mark 1", "load", "arm 7400", "connect until 7370", "look at everything", "goodbye",
                    "read memory"}),
            system_.events);
  EXPECT_EQ("", log_);
  EXPECT_EQ(1u, record().ok);
  EXPECT_EQ(0u, record().history[0].writes);
  EXPECT_EQ(1u, read(memory_->observation).live_peers);
  EXPECT_EQ(make_mark(1, Phase::publish), memory_->phase_mark.load());
  EXPECT_EQ((began_.boot + milliseconds(400)).ns, read(memory_->attempt).deadline_ns);
}

TEST_F(BeatTest, ARepairIsPlannedOnASecondLookAndReportedFromAThird) {
  system_.looks = {kEmpty, kEmpty, kGood};
  EXPECT_EQ(kExitOk, run());
  EXPECT_EQ((Events{"lock", "mark 1", "load", "arm 7400", "connect until 7370", "look at everything",
                    "look at everything", "LOAD PROXYSQL SERVERS FROM CONFIG", "SELECT COUNT(*) FROM proxysql_servers",
                    "LOAD PROXYSQL SERVERS TO RUNTIME", "look at everything", "goodbye", "read memory"}),
            system_.events);
  EXPECT_EQ(2u, record().history[0].writes);
  EXPECT_EQ(1u, read(memory_->observation).live_peers) << "what is there now";
}

TEST_F(BeatTest, ProxySqlsMemoryIsReadEveryFiveMinutesAndKeptWhereItCantBe) {
  system_.memory = ProcessMemory{0, 0, 0, 2048, 8, 0};
  EXPECT_EQ(kExitOk, run());
  EXPECT_EQ(2048u, read(memory_->observation).memory.resident_kb);
  const auto reads_again = [&] {
    system_.events.clear();
    EXPECT_EQ(kExitOk, run());
    return system_.events.back() == "read memory";
  };
  system_.clock = system_.clock + std::chrono::seconds(299);
  EXPECT_FALSE(reads_again());
  system_.clock = system_.clock + std::chrono::seconds(1);
  system_.memory.reset();
  EXPECT_TRUE(reads_again());
  EXPECT_EQ(2048u, read(memory_->observation).memory.resident_kb) << "of another container's beat";
  EXPECT_FALSE(reads_again()) << "a try that fails is made no more often";
  system_.own_namespace = 6;
  system_.memory = ProcessMemory{0, 0, 0, 4096, 8, 0};
  EXPECT_TRUE(reads_again()) << "but another container's beat may see more";
  EXPECT_EQ(4096u, read(memory_->observation).memory.resident_kb);
}

TEST_F(BeatTest, ABusyLockOrABackOffTouchesNothingElse) {
  system_.locks = {false};
  EXPECT_EQ(kExitSkipped, run());
  EXPECT_EQ(Events{"lock"}, system_.events);
  system_.events.clear();
  system_.locks = {true};
  BeatRecord record{};
  record.next_attempt_ns = began_.boot.ns + 1;
  record.consecutive_timeouts = 1;
  memory_->record.publish(record);
  EXPECT_EQ(kExitSkipped, run());
  EXPECT_EQ(Events{"lock"}, system_.events);
  EXPECT_EQ("", log_);
  EXPECT_EQ(0u, read(memory_->attempt).id) << "no attempt";
}

TEST_F(BeatTest, WithoutALockThereIsNoBeat) {
  system_.locks = {Error{"open /x.lock: Read-only file system"}};
  EXPECT_EQ(kExitConfig, run());
  EXPECT_EQ(
      "[error] open /x.lock: Read-only file system: no beat without a lock; set pulse.state to a path where this"
      " user may make files",
      log_);
}

TEST_F(BeatTest, WithoutASegmentItWorksAndSaysSo) {
  GuardedLayout none(nullptr, "/state", "");
  EXPECT_EQ(kExitOk, run(none, "open /state: Permission denied"));
  EXPECT_EQ("[error] open /state: Permission denied; this beat goes on without it: no back-off, no report", log_);
  EXPECT_EQ("goodbye", system_.events.back()) << "what it could tell of ProxySQL's memory nobody would see";
}

TEST_F(BeatTest, ADrainStandsBeforeTheBackOff) {
  memory_->draining_since_ns = 5;
  system_.drain_lock_free = false;
  BeatRecord record{};
  record.next_attempt_ns = began_.boot.ns + 1;
  memory_->record.publish(record);
  EXPECT_EQ(kExitSkipped, run());
  EXPECT_EQ((Events{"lock", "drain lock"}), system_.events);
  EXPECT_EQ(1u, memory_->skipped_busy.load());
  EXPECT_EQ(0u, memory_->skipped_backoff.load());
}

TEST_F(BeatTest, ALeftOverDrainIsUndoneBeforeAnythingIsPlanned) {
  memory_->draining_since_ns = began_.boot.ns - 1'000'000'000;
  DrainRecord drain{};
  drain.began_ns = began_.boot.ns - 1'000'000'000;
  memory_->drain.publish(drain);
  system_.looks = {kEmpty, kEmpty, kGood};
  EXPECT_EQ(kExitOk, run());
  const auto undone = std::find(system_.events.begin(), system_.events.end(), "undo drain");
  const auto load = std::find(system_.events.begin(), system_.events.end(), "LOAD PROXYSQL SERVERS FROM CONFIG");
  ASSERT_NE(system_.events.end(), undone);
  EXPECT_LT(undone, load);
}

TEST_F(BeatTest, AProxySQLThatADrainHasStoppedIsNotMissed) {
  memory_->draining_since_ns = 5;
  DrainRecord drain{};
  drain.began_ns = drain.ended_ns = 6;
  drain.outcome = static_cast<uint8_t>(DrainOutcome::stopped);
  memory_->drain.publish(drain);
  system_.unreachable = Error{"connect: refused", 2002};
  EXPECT_EQ(kExitUnavailable, run());
  EXPECT_EQ("", log_);
  memory_->draining_since_ns = 0;
  memory_->record.publish({});
  memory_->attempt.publish({});
  EXPECT_EQ(kExitUnavailable, run());
  EXPECT_EQ(0U, log_.find("[error] connect: refused: it isn't running, or it runs on the mysql_ifaces of its "
                          "proxysql.db"))
      << "without a drain it is: " << log_;
}

TEST_F(BeatTest, ABadConfigurationIsReportedAndNobodyIsAsked) {
  system_.bad_config = Error{"/etc/proxysql.cnf:3: pulse.role"};
  EXPECT_EQ(kExitConfig, run());
  EXPECT_EQ((Events{"lock", "mark 1", "load"}), system_.events);
  EXPECT_EQ("[error] /etc/proxysql.cnf:3: pulse.role", log_);
  EXPECT_EQ(static_cast<uint8_t>(Phase::config), record().history[0].phase);
}

TEST_F(BeatTest, ADeadlineThatPassesIsATimeoutWithItsPhase) {
  system_.takes = milliseconds(190);
  system_.refusals = {{"look at everything", Error{"timed out after 370 ms", ETIMEDOUT}}};
  EXPECT_EQ(kExitTimeout, run());
  EXPECT_EQ("[error] timed out after 370 ms in phase observe; backing off, next attempt in 1000 ms", log_);
  EXPECT_EQ(1u, record().timed_out);
  EXPECT_EQ((began_.boot + milliseconds(380) + milliseconds(1000)).ns, record().next_attempt_ns);
  EXPECT_EQ(0, read(memory_->observation).at_ns) << "nothing was seen";
}

TEST_F(BeatTest, ARefusedStatementIsReportedAfterWhatWasSeen) {
  system_.looks = {kEmpty, kEmpty, kEmpty};
  system_.refusals = {{"LOAD PROXYSQL SERVERS TO RUNTIME", Error{"ERROR 1045: no", 1045}}};
  EXPECT_EQ(kExitStatement, run());
  EXPECT_NE(std::string::npos, log_.find("[error] ERROR 1045: no")) << log_;
  EXPECT_EQ(static_cast<uint8_t>(Phase::act), record().history[0].phase);
  EXPECT_EQ(1u, record().history[0].writes);
  EXPECT_NE(0, read(memory_->observation).at_ns);
}

TEST_F(BeatTest, ALostConversationEndsAtOnce) {
  system_.looks = {kEmpty};
  system_.refusals = {{"LOAD PROXYSQL SERVERS FROM CONFIG", Error{"lost", 2013}}};
  EXPECT_EQ(kExitUnavailable, run());
  EXPECT_EQ("LOAD PROXYSQL SERVERS FROM CONFIG", system_.events.back());
}

TEST_F(BeatTest, AResyncIsDoneOnceAndOneAskedForMeanwhileIsKept) {
  memory_->resync_requested = 3;
  EXPECT_EQ(kExitOk, run());
  EXPECT_NE(system_.events.end(),
            std::find(system_.events.begin(), system_.events.end(), "LOAD PROXYSQL SERVERS FROM CONFIG"));
  EXPECT_EQ(3u, memory_->resync_done.load());
  system_.events.clear();
  EXPECT_EQ(kExitOk, run());
  EXPECT_EQ(system_.events.end(),
            std::find(system_.events.begin(), system_.events.end(), "LOAD PROXYSQL SERVERS FROM CONFIG"));
}

TEST_F(BeatTest, TheLastCoreThatGoesAndTheFirstThatComesBackAreSaid) {
  ASSERT_EQ(kExitOk, run());
  // Three looks in a row and a second find that nobody has reached it since.
  system_.config.config.satellite.peer_timeout = milliseconds(1000);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ("", log_);
    system_.clock = system_.clock + milliseconds(500);
    began_.boot = system_.clock;
    ASSERT_EQ(kExitOk, run());
  }
  EXPECT_EQ("[warning] no core is alive: no core is alive; the table is as it should be, waiting for a core", log_);
  Rows reached = kGood;
  reached.back()[3] = "1000001";
  system_.looks = {reached};
  ASSERT_EQ(kExitOk, run());
  EXPECT_EQ("[info] 1 cores are alive again", log_);
}

TEST_F(BeatTest, OnlyTheDefaultPathRemembersItsFile) {
  ASSERT_EQ(kExitOk, run());
  EXPECT_EQ(0u, memory_->config_identity.load());
  GuardedLayout at_default(memory_.get(), kDefaultStatePath, "");
  ASSERT_EQ(kExitOk, run(at_default));
  EXPECT_EQ(31u, memory_->config_identity.load());
}

// ProxySQL of a version, as its answers say it.
class VersionTest : public BeatTest {
 protected:
  void answers_as(const std::string& version) {
    Rows rows = kGood;
    rows.push_back({"global", "admin-version", version, "", ""});
    system_.looks = {rows};
  }
  Events looks() const {
    Events looks;
    std::copy_if(system_.events.begin(), system_.events.end(), std::back_inserter(looks),
                 [](const std::string& event) { return event.starts_with("look at"); });
    return looks;
  }
};

TEST_F(VersionTest, TwoIsAskedWhatItWasAlwaysAsked) {
  answers_as("2.7.1-16-g2726c27");
  EXPECT_EQ(kExitOk, run());
  EXPECT_EQ(Events{"look at everything"}, looks());
}

TEST_F(VersionTest, ThreeIsAskedOfPostgresqlOnceItsVersionIsKnown) {
  answers_as("3.0.1-39-g596d5ba");
  EXPECT_EQ(kExitOk, run());
  EXPECT_EQ((Events{"look at everything", "look at everything and PostgreSQL"}), looks());
  system_.events.clear();
  Observation last = read(memory_->observation);
  last.globals_ns = 0;
  memory_->observation.publish(last);
  EXPECT_EQ(kExitOk, run());
  EXPECT_EQ(Events{"look at everything and PostgreSQL"}, looks()) << "the segment remembers it";
}

TEST_F(VersionTest, AnOlderOneInItsPlaceIsAskedAsSuch) {
  Observation last{};
  set_text(last.version, "3.0.1");
  memory_->observation.publish(last);
  answers_as("2.7.1-16-g2726c27");
  system_.refusals = {{"look at everything and PostgreSQL",
                       Error{"SELECT ...: ProxySQL Admin Error: no such table: stats_pgsql_global", 1045}}};
  EXPECT_EQ(kExitOk, run()) << log_;
  EXPECT_EQ((Events{"look at everything and PostgreSQL", "look at everything"}), looks());
}

}  // namespace
}  // namespace pulse
