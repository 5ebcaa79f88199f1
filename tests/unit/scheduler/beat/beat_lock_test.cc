#include "scheduler/beat/beat_lock.h"

#include "shm/record/attempts.h"
#include "tests/unit/scheduler/beat/fake_beat_system.h"

namespace pulse {
namespace {

using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;
using Events = std::vector<std::string>;

class BeatLockTest : public BeatParts {
 protected:
  BeatLockTest() {
    memory_->holder.publish({77, 900, system_.clock.ns - 300'000'000});
    memory_->attempt.publish({3, 900, system_.clock.ns - 300'000'000});
    memory_->phase_mark = make_mark(3, Phase::connect);
  }
  Result<bool> take() {
    CaptureStderr();
    auto taken = lock_.take();
    log_ = logged(GetCapturedStderr());
    return taken;
  }

  BeatLock lock_{system_, layout_, {42}};
  std::string log_;
};

TEST(IsOverdue, AfterAGrace) {
  const BootTime deadline{1'000'000'000};
  const Holder holder{7, 0, deadline.ns};
  EXPECT_FALSE(is_overdue(holder, deadline + milliseconds(50)));
  EXPECT_TRUE(is_overdue(holder, deadline + milliseconds(51)));
  EXPECT_FALSE(is_overdue({0, 0, deadline.ns}, deadline + milliseconds(51))) << "nobody has ever held it";
}

TEST_F(BeatLockTest, AFreeOneIsTakenAndNobodyIsKilled) {
  EXPECT_TRUE(*take());
  EXPECT_EQ(Events{"lock"}, system_.events);
  EXPECT_EQ("", log_);
}

TEST_F(BeatLockTest, AHolderWithinItsDeadlineIsLeftAloneAndCounted) {
  system_.locks = {false};
  memory_->holder.publish({77, 900, system_.clock.ns});
  EXPECT_FALSE(*take());
  EXPECT_EQ(Events{"lock"}, system_.events);
  EXPECT_EQ(1u, memory_->skipped_busy.load());
  EXPECT_EQ(42, memory_->last_beat_ns.load());
  EXPECT_EQ("", log_) << "a skipped beat is quiet";
}

TEST_F(BeatLockTest, AnOverdueHolderIsKilledAndItsEndWrittenDown) {
  system_.locks = {false, true};
  EXPECT_TRUE(*take());
  EXPECT_EQ((Events{"lock", "kill 77 of 900", "lock"}), system_.events);
  EXPECT_TRUE(lock_.killed_holder());
  EXPECT_EQ("[warning] killed a beat that was 300 ms past its deadline in phase connect (pid 77)", log_);
  EXPECT_EQ(make_mark(3, Outcome::overdue), memory_->end_mark.load());
  EXPECT_EQ(system_.clock.ns, memory_->ended_ns.load());
  EXPECT_EQ(0u, memory_->skipped_busy.load());
}

TEST_F(BeatLockTest, OneThatIsGoneMeanwhileIsNobodysKill) {
  system_.locks = {false, true};
  system_.kill_result = KillResult::gone;
  EXPECT_TRUE(*take());
  EXPECT_FALSE(lock_.killed_holder());
  EXPECT_EQ(0u, memory_->end_mark.load());
  EXPECT_EQ("", log_);
}

TEST_F(BeatLockTest, OneThatCannotBeKilledIsSaid) {
  system_.locks = {false};
  system_.kill_result = KillResult::refused;
  EXPECT_FALSE(*take());
  EXPECT_EQ((Events{"lock", "kill 77 of 900"}), system_.events);
  EXPECT_NE(std::string::npos, log_.find("[error] may not kill a beat that was 300 ms past its deadline")) << log_;
  EXPECT_EQ(1u, memory_->skipped_busy.load());
}

TEST_F(BeatLockTest, OneThatIsKilledAndNotGoneYetStillHoldsTheLock) {
  system_.locks = {false};
  system_.kill_result = KillResult::stays;
  EXPECT_FALSE(*take());
  EXPECT_FALSE(lock_.killed_holder());
  EXPECT_NE(std::string::npos, log_.find("[error] killed a beat that was 300 ms past its deadline")) << log_;
  EXPECT_NE(std::string::npos, log_.find("isn't gone yet")) << log_;
}

TEST_F(BeatLockTest, AnotherProcessOfThatPidIsLeftAlone) {
  system_.locks = {false};
  system_.kill_result = KillResult::not_it;
  EXPECT_FALSE(*take());
  EXPECT_EQ("", log_);
}

// The pid is that of a process in another container; here it may be anybody's.
TEST_F(BeatLockTest, NobodyIsKilledAcrossPidNamespaces) {
  system_.locks = {false};
  for (const std::optional<pid_t> other : {std::optional<pid_t>(6), std::optional<pid_t>()}) {
    system_.events.clear();
    memory_->busy_in_row = 0;
    system_.holder_process = other;
    EXPECT_FALSE(*take());
    EXPECT_EQ(Events{"lock"}, system_.events);
    EXPECT_NE(std::string::npos, log_.find("process 77 can't be found by that number here")) << log_;
    EXPECT_EQ(0u, memory_->end_mark.load());
  }
  EXPECT_FALSE(*take());
  EXPECT_NE("", log_) << "the 2nd";
  EXPECT_FALSE(*take());
  EXPECT_EQ("", log_) << "the 3rd in a row is no news";
  EXPECT_EQ(0, std::count(system_.events.begin(), system_.events.end(), "kill 77 of 900"));
}

TEST_F(BeatLockTest, AnotherUsersHolderIsSaidAndKept) {
  system_.locks = {false};
  memory_->holder.publish({});
  system_.holder_user = 4000000000;
  EXPECT_FALSE(*take());
  EXPECT_NE(std::string::npos, log_.find("[error] user 4000000000 holds the beats' lock")) << log_;
  EXPECT_EQ(1u, memory_->busy_in_row.load());
  EXPECT_EQ(42, memory_->busy_since_ns.load());
  EXPECT_EQ(4000000001u, memory_->busy_other_user.load());
  EXPECT_FALSE(*take());
  EXPECT_FALSE(*take());
  EXPECT_EQ("", log_);
  EXPECT_EQ(3u, memory_->busy_in_row.load());
  system_.locks = {true};
  EXPECT_TRUE(*take());
  EXPECT_EQ(0u, memory_->busy_in_row.load());
  EXPECT_EQ(0, memory_->busy_since_ns.load());
  EXPECT_EQ(0u, memory_->busy_other_user.load());
}

TEST_F(BeatLockTest, ALockFileThatIsNotBelievedIsSaidEverMoreRarely) {
  system_.odd_lock = "whose it is";
  std::string said;
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(*take());
    said += log_.empty() ? '-' : '!';
  }
  EXPECT_EQ("!!-!-", said);
  system_.odd_lock = "";
  EXPECT_TRUE(*take());
  EXPECT_EQ(0u, memory_->odd_lock_in_row.load());
}

TEST_F(BeatLockTest, WithoutAnyKindOfLockThereIsAnError) {
  system_.locks = {Error{"no lock"}};
  EXPECT_EQ("no lock", take().error().text);
}

}  // namespace
}  // namespace pulse
