#include "daemon/one_shot/beat_starter.h"

#include <gtest/gtest.h>

#include "tests/unit/spans.h"

namespace pulse {
namespace {

Config config(BeatsMode beats, int interval_ms = 5000) {
  Config config;
  config.daemon.beats = beats;
  config.beat.interval = milliseconds(interval_ms);
  return config;
}

TEST(BeatDue, AlwaysAndNeverAskNobody) {
  BeatDue always(config(BeatsMode::always), 0), never(config(BeatsMode::never), 0);
  EXPECT_TRUE(always.is_due(kSecond, kSecond));
  EXPECT_FALSE(never.is_due(0, 1000 * kSecond));
}

TEST(BeatDue, SilenceIsThreeIntervalsWithoutSomebodyElsesBeat) {
  BeatDue due(config(BeatsMode::when_silent), 100 * kSecond);
  EXPECT_FALSE(due.is_due(0, 115 * kSecond));
  EXPECT_TRUE(due.is_due(0, 115 * kSecond + 1)) << "none has ever come";
  EXPECT_FALSE(due.is_due(120 * kSecond, 130 * kSecond)) << "one has";
  EXPECT_TRUE(due.is_due(120 * kSecond, 136 * kSecond));
}

TEST(BeatDue, ShortIntervalsWaitAtTheStart) {
  BeatDue due(config(BeatsMode::when_silent, 500), 0);
  EXPECT_FALSE(due.is_due(0, 10 * kSecond));
  EXPECT_TRUE(due.is_due(0, 10 * kSecond + 1));
}

TEST(BeatDue, ItsOwnBeatsDontEndTheSilence) {
  BeatDue due(config(BeatsMode::when_silent), 0);
  ASSERT_TRUE(due.is_due(0, 16 * kSecond));
  due.own_beat(16 * kSecond);
  EXPECT_TRUE(due.is_due(16 * kSecond, 21 * kSecond)) << "one each interval, not one in three";
  due.own_beat(21 * kSecond);
  EXPECT_FALSE(due.is_due(24 * kSecond, 26 * kSecond)) << "the scheduler is back";
}

TEST(BeatPace, WhatABeatHasChangedIsLookedAtSoonButNotForEver) {
  BeatPace pace(milliseconds(10000));
  EXPECT_EQ(milliseconds(10000), pace.after(false));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(milliseconds(1000), pace.after(true)) << i;
  EXPECT_EQ(milliseconds(10000), pace.after(true)) << "somebody undoes it each time";
  EXPECT_EQ(milliseconds(10000), pace.after(false));
  EXPECT_EQ(milliseconds(1000), pace.after(true));
  EXPECT_EQ(milliseconds(200), BeatPace(milliseconds(200)).after(true)) << "never later than without";
}

}  // namespace
}  // namespace pulse
