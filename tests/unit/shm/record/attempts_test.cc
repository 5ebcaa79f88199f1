#include "shm/record/attempts.h"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "shm/segment/names.h"
#include "src/base/exit_code.h"
#include "tests/unit/spans.h"

namespace pulse {
namespace {

constexpr BackoffPolicy kPolicy{500 * kMs, 30'000 * kMs};

AttemptEnd ended(uint64_t attempt, Outcome outcome, int exit_code, int64_t began_ns, int64_t ended_ns) {
  AttemptEnd end;
  end.attempt = attempt;
  end.outcome = outcome;
  end.exit_code = exit_code;
  end.phase = Phase::observe;
  end.began_ns = began_ns;
  end.ended_ns = ended_ns;
  end.message = outcome == Outcome::ok ? "" : "broken";
  return end;
}

uint64_t sum(const BeatRecord& record) { return record.ok + record.failed + record.timed_out; }
uint64_t measured(const BeatRecord& record) {
  return std::accumulate(record.durations.begin(), record.durations.end(), uint64_t{0});
}

TEST(Names, AreThoseOfTheDocumentationAndNeverNothing) {
  const auto names = [](auto last) {
    std::string all;
    for (int i = 0; i <= static_cast<int>(last); ++i) all += std::string(i == 0 ? "" : " ") + name(decltype(last)(i));
    return all;
  };
  EXPECT_EQ("none lock config connect observe plan act publish", names(Phase::publish));
  EXPECT_EQ("none ok failed timed_out killed_overdue", names(Outcome::overdue));
  EXPECT_EQ("undecided authority aside", names(Standing::aside));
  EXPECT_EQ("none applied waiting to be loaded other revision counts", names(FileState::other_counts));
  EXPECT_EQ("none kubernetes dns static", names(Source::fixed));
  EXPECT_STREQ("unknown", name(Phase(200)));
  EXPECT_STREQ("unknown", name(Outcome(200)));
  EXPECT_STREQ("unknown", name(Standing(200)));
}

TEST(Fold, BackOffDoublesUpToItsMaximum) {
  BeatRecord record{};
  int64_t now = 1'000 * kMs;
  for (const int64_t wait_ms : {1'000, 2'000, 4'000, 8'000, 16'000, 30'000, 30'000}) {
    fold(record, ended(record.attempt + 1, Outcome::timed_out, kExitTimeout, now, now + 400 * kMs), kPolicy);
    EXPECT_EQ(now + 400 * kMs + wait_ms * kMs, record.next_attempt_ns) << wait_ms;
    now = record.next_attempt_ns;
  }
  EXPECT_EQ(7u, record.consecutive_timeouts);
  EXPECT_EQ(1'000 * kMs, record.wedged_since_ns);
  EXPECT_EQ(record.attempt, sum(record));
  EXPECT_EQ(record.attempt, measured(record));
}

TEST(Fold, ManyTimeoutsDoNotOverflow) {
  BeatRecord record{};
  for (int i = 1; i <= 200; ++i) {
    fold(record, ended(static_cast<uint64_t>(i), Outcome::timed_out, kExitTimeout, 0, 1),
         {100'000'000 * kMs, 3'600'000 * kMs});
  }
  EXPECT_EQ(1 + 3'600'000 * kMs, record.next_attempt_ns);
}

TEST(Fold, StampsMayBeAnything) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  BeatRecord record{};
  record.duration_ns = kMost;
  fold(record, ended(1, Outcome::timed_out, kExitTimeout, 0, kMost), kPolicy);
  EXPECT_EQ(kMost, record.duration_ns);
  EXPECT_EQ(0, record.next_attempt_ns) << "rather now than never";
  fold(record, ended(2, Outcome::ok, kExitOk, -kMost, kMost), kPolicy);
  EXPECT_EQ(0, record.history[1].duration_ns);
}

TEST(Fold, SuccessEndsEverything) {
  BeatRecord record{};
  fold(record, ended(1, Outcome::timed_out, kExitTimeout, 10, 20), kPolicy);
  fold(record, ended(2, Outcome::ok, kExitOk, 30, 40), kPolicy);
  EXPECT_EQ(0u, record.consecutive_timeouts);
  EXPECT_EQ(0u, record.consecutive_failures);
  EXPECT_EQ(0, record.wedged_since_ns);
  EXPECT_EQ(0, record.failing_since_ns);
  EXPECT_EQ(0, record.next_attempt_ns);
  EXPECT_EQ(40, record.last_ok_ns);
  EXPECT_EQ("", text(record.message));
  EXPECT_EQ(2u, sum(record));
}

TEST(Fold, ARefusalIsNoTimeout) {
  BeatRecord record{};
  fold(record, ended(1, Outcome::timed_out, kExitTimeout, 10, 20), kPolicy);
  fold(record, ended(2, Outcome::failed, kExitUnavailable, 30, 40), kPolicy);
  EXPECT_EQ(0u, record.consecutive_timeouts);
  EXPECT_EQ(2u, record.consecutive_failures);
  EXPECT_EQ(10, record.failing_since_ns);
  EXPECT_EQ(0, record.next_attempt_ns) << "an interface that answers is asked with every beat";
}

TEST(Fold, ADeathSaysNothingAboutProxySQL) {
  BeatRecord record{};
  fold(record, ended(1, Outcome::timed_out, kExitTimeout, 10, 20), kPolicy);
  AttemptEnd death = ended(2, Outcome::failed, 0, 30, 40);
  death.died = true;
  fold(record, death, kPolicy);
  EXPECT_EQ(1u, record.consecutive_timeouts) << "the wedge isn't over";
  EXPECT_GT(record.next_attempt_ns, 40);
}

TEST(Fold, HistoryKeepsTheNewest) {
  BeatRecord record{};
  for (uint64_t i = 1; i <= kHistory + 3; ++i)
    fold(record, ended(i, Outcome::ok, 0, 0, static_cast<int64_t>(i)), kPolicy);
  EXPECT_EQ(kHistory + 3, record.history_count);
  EXPECT_EQ(static_cast<int64_t>(kHistory + 3), record.history[(record.history_count - 1) % kHistory].at_ns);
}

TEST(Fold, EachDurationIsInOneBucket) {
  BeatRecord record{};
  uint64_t attempt = 0;
  const auto took = [&](int64_t duration_ns) {
    fold(record, ended(++attempt, Outcome::ok, kExitOk, 1'000 * kMs, 1'000 * kMs + duration_ns), kPolicy);
  };
  for (const int64_t bound : kDurationBoundsNs) {
    took(bound);  // a bound belongs to its own bucket
    took(bound + 1);
  }
  took(3'600'000 * kMs);
  took(-1);  // the machine was booted in between
  std::array<uint64_t, kDurationBoundsNs.size() + 1> expected;
  expected.fill(2);
  EXPECT_EQ(expected, record.durations);
  const int64_t bounds = std::accumulate(kDurationBoundsNs.begin(), kDurationBoundsNs.end(), int64_t{0});
  EXPECT_EQ(2 * bounds + static_cast<int64_t>(kDurationBoundsNs.size()) + 3'600'000 * kMs, record.duration_ns);
  EXPECT_TRUE(std::is_sorted(kDurationBoundsNs.begin(), kDurationBoundsNs.end()));
}

class Unrecorded : public ::testing::Test {
 protected:
  bool fold_it(int64_t now, bool holder_gone) {
    return fold_unrecorded(record_, attempt_, marks_, kPolicy, now, holder_gone);
  }
  BeatRecord record_{};
  Attempt attempt_{5, 1'000 * kMs, 1'400 * kMs};
  Marks marks_{make_mark(5, Phase::observe), 0, 0};
};

TEST_F(Unrecorded, ARunningAttemptIsOpen) {
  record_.attempt = 4;
  EXPECT_TRUE(is_open(record_, attempt_, marks_));
  EXPECT_FALSE(fold_it(1'100 * kMs, false));
  EXPECT_EQ(4u, record_.attempt);
}

TEST_F(Unrecorded, TheTimersMarkIsATimeout) {
  record_.attempt = 4;
  marks_.end_mark = make_mark(5, Outcome::timed_out);
  marks_.ended_ns = 1'400 * kMs;
  EXPECT_FALSE(is_open(record_, attempt_, marks_));
  EXPECT_TRUE(fold_it(9'000 * kMs, false));
  EXPECT_EQ(1u, record_.timed_out);
  EXPECT_EQ(1u, record_.consecutive_timeouts);
  EXPECT_EQ(2'400 * kMs, record_.next_attempt_ns) << "from its end, not from when it was found";
  EXPECT_EQ("ended by its hard timeout in phase observe", text(record_.message));
  EXPECT_FALSE(fold_it(9'000 * kMs, true)) << "once";
  EXPECT_EQ(1u, measured(record_));
  EXPECT_EQ(400 * kMs, record_.duration_ns);
}

TEST_F(Unrecorded, TheKillersMarkIsATimeoutToo) {
  record_.attempt = 4;
  marks_.end_mark = make_mark(5, Outcome::overdue);
  marks_.ended_ns = 5'000 * kMs;
  EXPECT_TRUE(fold_it(5'001 * kMs, true));
  EXPECT_EQ(1u, record_.timed_out);
  EXPECT_EQ(1u, record_.killed_overdue);
}

TEST_F(Unrecorded, ADeathIsAFailureWithoutBackOff) {
  record_.attempt = 4;
  EXPECT_TRUE(fold_it(9'000 * kMs, true));
  EXPECT_EQ(1u, record_.failed);
  EXPECT_EQ(0, record_.next_attempt_ns);
  EXPECT_EQ("killed in phase observe", text(record_.message));
}

TEST_F(Unrecorded, AnOlderMarkIsNotMine) {
  record_.attempt = 4;
  marks_.end_mark = make_mark(4, Outcome::timed_out);
  marks_.phase_mark = make_mark(4, Phase::act);
  EXPECT_TRUE(is_open(record_, attempt_, marks_));
  EXPECT_EQ(Phase::none, phase_of(marks_, 5));
}

TEST_F(Unrecorded, WhatIsRecordedIsNotFoldedAgain) {
  record_.attempt = 5;
  marks_.end_mark = make_mark(5, Outcome::timed_out);
  EXPECT_FALSE(fold_it(9'000 * kMs, true));
  EXPECT_EQ(0u, sum(record_));
  EXPECT_EQ(0u, measured(record_));
}

TEST(PhaseOf, GarbageIsNone) { EXPECT_EQ(Phase::none, phase_of({5 << 8 | 0xEE, 0, 0}, 5)); }

}  // namespace
}  // namespace pulse
