#include "scheduler/beat/attempt_log.h"

#include "src/base/exit_code.h"
#include "tests/unit/scheduler/beat/fake_beat_system.h"
#include "tests/unit/spans.h"

namespace pulse {
namespace {

using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

constexpr BootTime kEnded{100'000 * kMs};

BeatEnd failed(int exit_code) { return {Outcome::failed, exit_code, "refused"}; }

BeatRecord failures(uint32_t count, uint16_t last_code) {
  BeatRecord record{};
  record.consecutive_failures = count;
  record.failing_since_ns = kEnded.ns - 5'000 * kMs;
  if (count > 0) record.history[record.history_count++].exit_code = last_code;
  return record;
}

TEST(FailureLine, TheFirstSecondFourthAndEachNewKind) {
  const auto line = [](uint32_t before, int before_code, const BeatEnd& end) {
    return failure_line(end, failures(before, static_cast<uint16_t>(before_code)), failures(before + 1, 0), kEnded,
                        true);
  };
  EXPECT_EQ("refused", line(0, 0, failed(70)).value_or("none"));
  EXPECT_EQ("refused; 2 beats in a row", line(1, 70, failed(70)).value_or("none"));
  EXPECT_EQ("none", line(2, 70, failed(70)).value_or("none"));
  EXPECT_EQ("refused; 4 beats in a row", line(3, 70, failed(70)).value_or("none"));
  EXPECT_EQ("refused; 3 beats in a row", line(2, 69, failed(70)).value_or("none")) << "another kind";
  BeatEnd expected = failed(70);
  expected.expected = true;
  EXPECT_EQ("none", line(0, 0, expected).value_or("none"));
  EXPECT_EQ("none", line(0, 0, BeatEnd{}).value_or("none"));
}

TEST(FailureLine, SaysWhenTheNextAttemptIs) {
  BeatRecord after = failures(1, 0);
  after.next_attempt_ns = kEnded.ns + 1'500 * kMs;
  const BeatEnd end{Outcome::timed_out, kExitTimeout, "timed out"};
  EXPECT_EQ("timed out; backing off, next attempt in 1500 ms", failure_line(end, {}, after, kEnded, true));
  EXPECT_EQ("timed out", failure_line(end, {}, after, kEnded, false)) << "without a segment nothing holds it back";
}

TEST(RecoveryLine, AfterFailuresAlone) {
  EXPECT_EQ("reconciled again after 3 failed beats, 5000 ms", recovery_line({}, failures(3, 70), kEnded));
  EXPECT_FALSE(recovery_line({}, failures(0, 0), kEnded));
  EXPECT_FALSE(recovery_line(failed(70), failures(3, 70), kEnded));
}

class AttemptLogTest : public BeatParts {
 protected:
  AttemptLogTest() { memory_->boot_id = 9; }

  AttemptLog log_{system_, layout_, BootTime{kEnded.ns}};
};

TEST_F(AttemptLogTest, AnnouncesItselfBeforeItsFirstPhase) {
  ASSERT_TRUE(log_.open(false));
  ASSERT_TRUE(log_.admitted());
  log_.begin(kEnded + milliseconds(2000));
  const Holder holder = read(memory_->holder);
  EXPECT_EQ(4711, holder.pid);
  EXPECT_EQ(kEnded.ns, holder.began_ns);
  EXPECT_EQ((kEnded + milliseconds(2000)).ns, holder.deadline_ns);
  EXPECT_EQ(1u, read(memory_->attempt).id);
  EXPECT_EQ(make_mark(1, Phase::config), memory_->phase_mark.load());
  EXPECT_EQ(std::vector<std::string>{"mark 1"}, system_.events);
  log_.move_deadline(kEnded + milliseconds(400));
  EXPECT_EQ((kEnded + milliseconds(400)).ns, read(memory_->holder).deadline_ns);
  EXPECT_EQ((kEnded + milliseconds(400)).ns, read(memory_->attempt).deadline_ns);
}

TEST_F(AttemptLogTest, ADeathIsAccountedForAndSaidOnce) {
  for (const bool said : {false, true}) {
    memory_->record.publish({});
    memory_->attempt.publish({6, 0, 1000});
    memory_->phase_mark = make_mark(6, Phase::act);
    CaptureStderr();
    ASSERT_TRUE(log_.open(said));
    EXPECT_EQ(said ? "" : "[error] the last beat was killed in phase act", logged(GetCapturedStderr()));
    EXPECT_EQ(1u, read(memory_->record).failed);
    EXPECT_EQ(kEnded.ns, memory_->last_beat_ns.load());
  }
  log_.begin(kEnded);
  EXPECT_EQ(7u, read(memory_->attempt).id);
}

TEST_F(AttemptLogTest, AnotherBootOfTheMachineLeavesTheCountsAlone) {
  BeatRecord record = failures(3, 70);
  record.ok = record.attempt = 5;
  record.next_attempt_ns = kEnded.ns + 1'000'000 * kMs;
  memory_->record.publish(record);
  Observation observation{};
  observation.live_peers = 2;
  memory_->observation.publish(observation);
  CoreRecord core{};
  core.newest_created_at = 12;
  core.standing = 1;
  memory_->core.publish(core);
  memory_->draining_since_ns = 5;
  memory_->boot_id = 8;
  ASSERT_TRUE(log_.open(false));
  EXPECT_TRUE(log_.admitted()) << "a back-off of an earlier boot means nothing";
  EXPECT_EQ(9u, memory_->boot_id.load());
  EXPECT_EQ(5u, read(memory_->record).ok);
  EXPECT_EQ(0u, read(memory_->record).consecutive_failures);
  EXPECT_EQ(0u, read(memory_->observation).live_peers);
  EXPECT_EQ(12, read(memory_->core).newest_created_at);
  EXPECT_EQ(0u, read(memory_->core).standing);
  EXPECT_EQ(0, memory_->draining_since_ns.load());
}

TEST_F(AttemptLogTest, BackOffHoldsBackAndCounts) {
  BeatRecord record{};
  record.consecutive_timeouts = 2;
  record.next_attempt_ns = kEnded.ns + kMs;
  watch(record, {100, 7, 5, 10});
  memory_->record.publish(record);
  ASSERT_TRUE(log_.open(false));
  EXPECT_FALSE(log_.admitted());
  EXPECT_EQ(1u, memory_->skipped_backoff.load());
  EXPECT_EQ(11u, read(memory_->record).proxysql_threads_most);
  EXPECT_EQ(std::vector<std::string>{"look at 100"}, system_.events);

  system_.proxysql.threads = 9;
  CaptureStderr();
  EXPECT_TRUE(log_.admitted());
  EXPECT_EQ("[info] ProxySQL's blocked threads are gone: trying at once", logged(GetCapturedStderr()));
  EXPECT_EQ(1u, memory_->skipped_backoff.load());
}

TEST_F(AttemptLogTest, WithNobodyToWatchOnlyTimeEndsABackOff) {
  BeatRecord record{};
  record.consecutive_timeouts = 2;
  record.next_attempt_ns = kEnded.ns + kMs;
  memory_->record.publish(record);
  system_.found = ProcessNow::gone;
  ASSERT_TRUE(log_.open(false));
  EXPECT_FALSE(log_.admitted());
  EXPECT_EQ(std::vector<std::string>{}, system_.events) << "nothing is read";
}

TEST_F(AttemptLogTest, TheEndOfTheProxySQLThatWasUnresponsiveEndsItsBackOff) {
  BeatRecord record{};
  record.consecutive_timeouts = 2;
  record.next_attempt_ns = kEnded.ns + kMs;
  watch(record, {100, 7, 5, 10});
  memory_->record.publish(record);
  system_.found = ProcessNow::gone;
  ASSERT_TRUE(log_.open(false));
  CaptureStderr();
  EXPECT_TRUE(log_.admitted());
  EXPECT_EQ("[info] ProxySQL has ended since: trying at once", logged(GetCapturedStderr()));
}

TEST_F(AttemptLogTest, ATimeoutIsPublishedWithItsBackOffAndProxySQLsThreads) {
  ASSERT_TRUE(log_.open(false));
  log_.begin(kEnded + milliseconds(400));
  log_.set_intervals(milliseconds(500), milliseconds(30'000));
  log_.enter(Phase::observe);
  system_.clock = kEnded + milliseconds(380);
  CaptureStderr();
  EXPECT_EQ(kExitTimeout, log_.finish({Outcome::timed_out, kExitTimeout, "timed out in phase observe"}));
  EXPECT_EQ("[error] timed out in phase observe; backing off, next attempt in 1000 ms", logged(GetCapturedStderr()));
  EXPECT_EQ(0, read(memory_->record).proxysql_pid);
  log_.watch_proxysql(Config{}, Deadline::after(milliseconds(10)));
  const BeatRecord record = read(memory_->record);
  EXPECT_EQ(1u, record.timed_out);
  EXPECT_EQ(100, record.proxysql_pid);
  EXPECT_FALSE(log_.lacks_proxysql());
  system_.events.clear();
  system_.proxysql.threads = 13;
  log_.watch_proxysql(Config{}, Deadline::after(milliseconds(10)));
  EXPECT_EQ(std::vector<std::string>{"look at 100"}, system_.events) << "it is known";
  EXPECT_EQ(13u, read(memory_->record).proxysql_threads_most);
  system_.found = ProcessNow::gone;
  EXPECT_TRUE(log_.lacks_proxysql());
  EXPECT_EQ(5u, record.proxysql_pid_namespace);
  EXPECT_EQ(system_.clock.ns + 1000 * kMs, record.next_attempt_ns);
  EXPECT_EQ(11u, record.proxysql_threads_most);
  EXPECT_EQ(static_cast<uint8_t>(Phase::observe), record.history[0].phase);
  EXPECT_EQ(380 * kMs, record.history[0].duration_ns);
}

}  // namespace
}  // namespace pulse
