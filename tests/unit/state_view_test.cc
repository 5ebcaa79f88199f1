#include "src/state_view.h"

#include <gtest/gtest.h>

#include "tests/temp_dir.h"

namespace pulse {
namespace {

constexpr int64_t kS = 1'000'000'000;
constexpr uint64_t kBoot = 77;

TEST(StateView, OfAnotherBootOfTheMachineOnlyTheCountsAreLeft) {
  test::TempDir dir;
  SegmentOptions options;
  options.path = dir / "state";
  auto segment = Segment::open(options);
  ASSERT_TRUE(segment) << segment.error().text;
  Layout& layout = segment->layout();
  layout.boot_id = kBoot;
  layout.last_beat_ns = 9000 * kS;
  layout.draining_since_ns = 8000 * kS;
  BeatRecord record{};
  record.attempt = 12;
  record.ok = 7;
  record.timed_out = 5;
  record.durations[3] = 12;
  record.consecutive_timeouts = record.consecutive_failures = 5;
  record.wedged_since_ns = record.failing_since_ns = 8990 * kS;
  record.next_attempt_ns = 9060 * kS;
  record.history_count = 12;
  set_text(record.message, "timed out");
  layout.record.publish(record);
  Observation seen{};
  seen.at_ns = 8990 * kS;
  layout.observation.publish(seen);

  const StateView same = read_state(*segment, kBoot, {}, 9001 * kS);
  EXPECT_EQ("", same.problem);
  EXPECT_EQ(9060 * kS, same.record.next_attempt_ns);
  EXPECT_EQ(5u, same.record.consecutive_timeouts);
  EXPECT_EQ(9000 * kS, same.last_beat_ns);
  EXPECT_EQ(8000 * kS, same.draining_since_ns);
  EXPECT_EQ(8990 * kS, same.observation.at_ns);

  const StateView other = read_state(*segment, kBoot + 1, {}, 20 * kS);
  EXPECT_EQ("", other.problem);
  EXPECT_EQ(12u, other.record.attempt);
  EXPECT_EQ(7u, other.record.ok);
  EXPECT_EQ(5u, other.record.timed_out);
  EXPECT_EQ(12u, other.record.durations[3]);
  EXPECT_EQ(0, other.record.next_attempt_ns);
  EXPECT_EQ(0, other.record.wedged_since_ns);
  EXPECT_EQ(0, other.record.failing_since_ns);
  EXPECT_EQ(0u, other.record.consecutive_timeouts);
  EXPECT_EQ(0u, other.record.consecutive_failures);
  EXPECT_EQ(0u, other.record.history_count);
  EXPECT_EQ("", text(other.record.message));
  EXPECT_EQ(0, other.last_beat_ns);
  EXPECT_EQ(0, other.draining_since_ns);
  EXPECT_EQ(0, other.observation.at_ns);
  EXPECT_FALSE(other.attempt_open);
}

}  // namespace
}  // namespace pulse
