#include "scheduler/beat/drain_cleanup.h"

#include "tests/unit/scheduler/beat/fake_beat_system.h"

namespace pulse {
namespace {

using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

constexpr int64_t kSince = 500'000'000'000;
constexpr BootTime kStarted{100'000'000'000};  // ProxySQL, before the drain

class DrainCleanupTest : public BeatParts {
 protected:
  DrainCleanupTest() {
    memory_->draining_since_ns = kSince;
    record_.began_ns = kSince;
    record_.proxysql_started_ns = kStarted.ns;
    record_.phase = static_cast<uint8_t>(DrainPhase::settle);
  }
  Result<void> end(BootTime proxysql_started) {
    memory_->drain.publish(record_);
    EXPECT_FALSE(drain_.stands_aside());
    CaptureStderr();
    auto ended = drain_.end(system_.config.config, proxysql_started, Deadline::after(milliseconds(0)));
    log_ = logged(GetCapturedStderr());
    return ended;
  }

  DrainRecord record_{};
  DrainCleanup drain_{system_, layout_};
  std::string log_;
};

TEST_F(DrainCleanupTest, WithoutADrainNoLockIsAskedFor) {
  memory_->draining_since_ns = 0;
  EXPECT_FALSE(drain_.stands_aside());
  EXPECT_FALSE(drain_.found());
  EXPECT_TRUE(system_.events.empty());
}

TEST_F(DrainCleanupTest, WhileOneRunsTheBeatStandsAsideAndCounts) {
  system_.drain_lock_free = false;
  EXPECT_TRUE(drain_.stands_aside());
  EXPECT_EQ(1u, memory_->skipped_busy.load());
  EXPECT_EQ(kSince, memory_->draining_since_ns.load());
}

TEST_F(DrainCleanupTest, OneThatWasKilledIsUndone) {
  ASSERT_TRUE(end(kStarted));
  EXPECT_EQ((std::vector<std::string>{"drain lock", "undo drain"}), system_.events);
  EXPECT_EQ("[warning] a drain was killed in phase settle: undone, ProxySQL is back in service", log_);
  EXPECT_EQ(static_cast<uint8_t>(DrainOutcome::undone), read(memory_->drain).outcome);
  EXPECT_EQ(0, memory_->draining_since_ns.load());
}

TEST_F(DrainCleanupTest, OneThatCannotBeUndoneStays) {
  system_.undo_error = Error{"lost"};
  EXPECT_EQ("lost", end(kStarted).error().text);
  EXPECT_EQ(kSince, memory_->draining_since_ns.load());
  EXPECT_EQ("", log_);
}

TEST_F(DrainCleanupTest, OneOfAnEarlierProxySQLIsForgottenAndNothingIsUndone) {
  ASSERT_TRUE(end({kSince + 1'000'000'000}));
  EXPECT_EQ(std::vector<std::string>{"drain lock"}, system_.events);
  EXPECT_EQ("[info] ProxySQL has been started since it was drained: back in service", log_);
  EXPECT_EQ(0, memory_->draining_since_ns.load());
}

TEST_F(DrainCleanupTest, OneThatEndedWithProxySQLLeftUpStaysInEffect) {
  record_.ended_ns = kSince + 1;
  record_.outcome = static_cast<uint8_t>(DrainOutcome::drained);
  ASSERT_TRUE(end(kStarted));
  EXPECT_EQ("", log_);
  EXPECT_EQ(kSince, memory_->draining_since_ns.load());
  EXPECT_FALSE(drain_.has_stopped_proxysql());
}

TEST_F(DrainCleanupTest, AfterOneThatStoppedProxySQLNobodyNeedAnswer) {
  record_.ended_ns = kSince + 1;
  record_.outcome = static_cast<uint8_t>(DrainOutcome::stopped);
  memory_->drain.publish(record_);
  EXPECT_FALSE(drain_.has_stopped_proxysql()) << "not yet known that there is one";
  EXPECT_FALSE(drain_.stands_aside());
  EXPECT_TRUE(drain_.has_stopped_proxysql());
  record_.ended_ns = kSince - 1;
  memory_->drain.publish(record_);
  EXPECT_FALSE(drain_.has_stopped_proxysql()) << "the record of an earlier drain";
}

}  // namespace
}  // namespace pulse
