#include "scheduler/drain/announcement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "shm/segment/segment.h"
#include "shm/segment/text.h"
#include "src/base/exit_code.h"
#include "tests/fake_clock.h"
#include "tests/temp_dir.h"

namespace pulse {
namespace {

using std::chrono::seconds;
using test::FakeClock;

DrainRecord ended(DrainOutcome outcome, int64_t ended_ns, const std::string& message = "as it was") {
  DrainRecord record{};
  record.outcome = static_cast<uint8_t>(outcome);
  record.ended_ns = ended_ns;
  set_text(record.message, message);
  return record;
}

TEST(JoinedDrainJudged, WhatTheOtherCameToIsTold) {
  for (const bool stops : {false, true}) {
    const auto joined = judge_joined(ended(DrainOutcome::stopped, 100), 50, stops);
    ASSERT_TRUE(joined);
    EXPECT_EQ(kExitOk, joined->exit_code);
    EXPECT_EQ("as it was", joined->message);
  }
  const auto failed = judge_joined(ended(DrainOutcome::failed, 100), 50, true);
  ASSERT_TRUE(failed);
  EXPECT_EQ(kExitStatement, failed->exit_code);
}

TEST(JoinedDrainJudged, OneThatLeftProxySqlRunningIsEnoughForOneThatDoesntStopIt) {
  EXPECT_FALSE(judge_joined(ended(DrainOutcome::drained, 100), 50, true));
  EXPECT_TRUE(judge_joined(ended(DrainOutcome::drained, 100), 50, false));
}

TEST(JoinedDrainJudged, ADeadOneAndAnEarlierOneLeaveTheWorkToThisOne) {
  EXPECT_FALSE(judge_joined(ended(DrainOutcome::stopped, 49), 50, true));
  EXPECT_FALSE(judge_joined(ended(DrainOutcome::none, 100), 50, true));
  EXPECT_FALSE(judge_joined(ended(DrainOutcome::undone, 100), 50, true));
}

class AnnouncementTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.command = "drain";
    options_.config = dir_ / "proxysql.cnf";
    options_.state = dir_ / "state";
    SegmentOptions made;
    made.path = *options_.state;
    ASSERT_TRUE(Segment::open(made));
    state_.open_existing();
    ASSERT_NE(nullptr, state_.layout());
  }

  // Another drain has the lock and lets go of it at `span`, with `record` as what it came to.
  void other_ends_at(milliseconds span, const DrainRecord& record) {
    auto lock = try_drain_lock(state_);
    other_ = std::move(*lock);
    ASSERT_TRUE(other_->taken());
    clock_.at(span, [this, record] {
      state_.layout()->drain.publish(record);
      other_.reset();
    });
  }

  test::TempDir dir_;
  Options options_;
  StateAccess state_{options_};
  FakeClock clock_;
  Announcement announcement_{state_, clock_};
  std::optional<InstanceLock> other_;
};

TEST_F(AnnouncementTest, IsInTheSegmentAtOnceWithWhatWasThereBefore) {
  state_.layout()->drain.publish(ended(DrainOutcome::failed, 100));
  Observation seen{};
  seen.at_ns = 5;
  seen.proxysql_started_ns = 77;
  state_.layout()->observation.publish(seen);

  const DrainBefore before = announcement_.announce(123);
  EXPECT_EQ(123, state_.layout()->draining_since_ns.load());
  EXPECT_EQ("as it was", text(before.record.message));
  EXPECT_EQ(77, before.proxysql_started_ns);
}

TEST_F(AnnouncementTest, PublishesTheRecord) {
  announcement_.publish(ended(DrainOutcome::drained, 100, "done"));
  DrainRecord record{};
  ASSERT_TRUE(state_.layout()->drain.read(record));
  EXPECT_EQ("done", text(record.message));
}

TEST_F(AnnouncementTest, KeepsBeatsFromBeginningOnceTheRunningOneHasEnded) {
  auto lock = InstanceLock::try_take(state_.path(), state_.group());
  std::optional<InstanceLock> beat(std::move(*lock));
  ASSERT_TRUE(beat->taken());
  clock_.at(milliseconds(300), [&] { beat.reset(); });
  announcement_.announce(123);
  announcement_.hold_beats(Deadline::at(clock_.now() + seconds(1)), 456);
  EXPECT_EQ(milliseconds(300), clock_.elapsed());
  EXPECT_FALSE(InstanceLock::try_take(state_.path(), state_.group())->taken());
  Holder holder{};
  ASSERT_TRUE(state_.layout()->holder.read(holder));
  EXPECT_EQ(::getpid(), holder.pid);
  EXPECT_EQ(123, holder.began_ns);
  EXPECT_EQ(456, holder.deadline_ns);
}

TEST_F(AnnouncementTest, GoesOnBesideABeatThatDoesntEnd) {
  const auto beat = InstanceLock::try_take(state_.path(), state_.group());
  ASSERT_TRUE(beat->taken());
  announcement_.hold_beats(Deadline::at(clock_.now() + seconds(1)), 456);
  EXPECT_EQ(seconds(1), clock_.elapsed());
}

class JoiningDrain : public AnnouncementTest {
 protected:
  std::optional<int> join(bool stops = true) {
    EXPECT_FALSE(*announcement_.take_lock(true));
    const auto code = announcement_.join(1000, stops, clock_.now() + seconds(25));
    // One that is to do the work itself has the lock.
    if (!code) {
      EXPECT_FALSE(try_drain_lock(state_)->taken());
    }
    return code;
  }
};

TEST_F(JoiningDrain, WaitsForTheOtherOneAndTellsWhatCameOfIt) {
  other_ends_at(seconds(3), ended(DrainOutcome::stopped, 2000));
  EXPECT_EQ(kExitOk, join());
  EXPECT_EQ(seconds(3), clock_.elapsed());
}

TEST_F(JoiningDrain, TellsThatTheOtherOneFailed) {
  other_ends_at(seconds(3), ended(DrainOutcome::failed, 2000));
  EXPECT_EQ(kExitStatement, join());
}

TEST_F(JoiningDrain, TakesOverFromOneThatDied) {
  other_ends_at(seconds(3), ended(DrainOutcome::none, 0));
  EXPECT_EQ(std::nullopt, join());
}

TEST_F(JoiningDrain, StopsProxySqlAfterOneThatWasToLeaveItRunning) {
  other_ends_at(seconds(3), ended(DrainOutcome::drained, 2000));
  EXPECT_EQ(std::nullopt, join());
}

TEST_F(JoiningDrain, NeverWaitsBeyondItsOwnDeadline) {
  other_ends_at(seconds(60), ended(DrainOutcome::stopped, 2000));
  EXPECT_EQ(kExitTimeout, join());
  EXPECT_EQ(seconds(25), clock_.elapsed());
}

TEST_F(AnnouncementTest, OneDrainAtATime) {
  EXPECT_TRUE(*announcement_.take_lock(true));
  Announcement second(state_, clock_);
  EXPECT_FALSE(*second.take_lock(true));
}

}  // namespace
}  // namespace pulse
