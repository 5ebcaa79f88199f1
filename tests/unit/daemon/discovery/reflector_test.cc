#include "daemon/discovery/reflector.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

using std::chrono::seconds;
using Kind = ApiOutcome::Kind;

const ApiOutcome kDone{};
const ApiOutcome kExpired{Kind::expired, 410, false, {}};

ApiOutcome failed(int status = 0, bool unreadable = false, seconds retry_after = {}) {
  return {Kind::failed, status, unreadable, retry_after};
}

TEST(ReflectorTest, ListsThenWatchesForEver) {
  ReflectorState state;
  EXPECT_EQ(ApiRequest::list, state.next);
  for (int i = 0; i < 5; ++i) {
    const ReflectorStep step = next_step(state, kDone, 0.5);
    EXPECT_EQ(0, step.wait.count());
    EXPECT_FALSE(step.is_failure);
    EXPECT_EQ(ApiRequest::watch, state.next);
  }
}

TEST(ReflectorTest, BacksOffTwiceAsLongEachTimeUpToAQuarterOfAMinute) {
  ReflectorState state;
  const int64_t expected_ms[] = {800, 1600, 3200, 6400, 10000, 10000};
  for (const int64_t least : expected_ms) {
    ReflectorState other = state;
    EXPECT_EQ(milliseconds(least), next_step(other, failed(), 0).wait);
    const ReflectorStep step = next_step(state, failed(500), 0.999999);
    EXPECT_GT(step.wait, milliseconds(least * 149 / 100));
    EXPECT_LE(step.wait, kLongestBackoff);
    EXPECT_TRUE(step.is_failure);
    EXPECT_EQ(ApiRequest::list, state.next);
  }
  EXPECT_FALSE(next_step(state, kDone, 0).is_failure);
  EXPECT_EQ(milliseconds(10000), next_step(state, failed(), 0).wait) << "a list proves nothing about the watch";
  prove(state);
  EXPECT_EQ(milliseconds(800), next_step(state, failed(), 0).wait);
}

TEST(ReflectorTest, ARequestThatHungHasWaitedAlready) {
  ApiOutcome hung = failed();
  hung.took = seconds(8);
  ReflectorState state{ApiRequest::list, 9, 0};
  EXPECT_EQ(seconds(2), next_step(state, hung, 0).wait);
  hung.took = seconds(20);
  EXPECT_EQ(kShortestBackoff, next_step(state, hung, 0).wait) << "but not at once";
  hung.retry_after = seconds(5);
  EXPECT_EQ(seconds(5), next_step(state, hung, 0).wait) << "asked for at the end of the answer";
}

TEST(ReflectorTest, AWatchGoesOnWhereItWasThenListsAgain) {
  ReflectorState state{ApiRequest::watch, 0, 0};
  next_step(state, failed(), 0);
  EXPECT_EQ(ApiRequest::watch, state.next);
  next_step(state, failed(503), 0);
  EXPECT_EQ(ApiRequest::watch, state.next);
  next_step(state, failed(), 0);
  EXPECT_EQ(ApiRequest::list, state.next) << "a third failure may come from the resource version";
}

TEST(ReflectorTest, ListsAgainAtOnceAfterWhatOnlyAListMends) {
  for (const ApiOutcome& outcome : {failed(0, true), failed(400), failed(404), failed(422)}) {
    ReflectorState state{ApiRequest::watch, 0, 0};
    EXPECT_TRUE(next_step(state, outcome, 0).is_failure);
    EXPECT_EQ(ApiRequest::list, state.next) << outcome.status;
  }
  for (const int status : {401, 403, 429, 500, 503}) {
    ReflectorState state{ApiRequest::watch, 0, 0};
    next_step(state, failed(status), 0);
    EXPECT_EQ(ApiRequest::watch, state.next) << status;
  }
}

TEST(ReflectorTest, TheFirst410IsNoFailure) {
  ReflectorState state{ApiRequest::watch, 0, 0};
  ReflectorStep step = next_step(state, kExpired, 0);
  EXPECT_EQ(ApiRequest::list, state.next);
  EXPECT_EQ(0, step.wait.count());
  EXPECT_FALSE(step.is_failure);
  next_step(state, kDone, 0);
  step = next_step(state, kExpired, 0);  // the watch that follows expires at once
  EXPECT_EQ(milliseconds(800), step.wait);
  EXPECT_TRUE(step.is_failure);
  step = next_step(state, kExpired, 0);  // the list itself
  EXPECT_EQ(milliseconds(1600), step.wait);
  EXPECT_EQ(ApiRequest::list, state.next);
}

TEST(ReflectorTest, ANewTokenIsTriedAtOnceOnce) {
  ReflectorState state;
  ReflectorStep step = next_step(state, failed(401), 0);
  EXPECT_EQ(0, step.wait.count());
  EXPECT_FALSE(step.is_failure);
  step = next_step(state, failed(401), 0);
  EXPECT_GT(step.wait.count(), 0);
  EXPECT_TRUE(step.is_failure);
}

TEST(ReflectorTest, HonoursRetryAfterWithinReason) {
  ReflectorState state;
  EXPECT_EQ(seconds(7), next_step(state, failed(429, false, seconds(7)), 0).wait);
  EXPECT_EQ(milliseconds(1600), next_step(state, failed(503, false, seconds(1)), 0).wait);
  EXPECT_EQ(kLongestRetryAfter, next_step(state, failed(503, false, seconds(86'400)), 0).wait);
}

TEST(ReflectorTest, WatchesDontEndTogether) {
  EXPECT_EQ(seconds(120), watch_span(milliseconds(120'000), 0));
  EXPECT_EQ(seconds(108), watch_span(milliseconds(120'000), 0.9999));
  EXPECT_EQ(seconds(1), watch_span(milliseconds(1000), 0.9));
}

}  // namespace
}  // namespace pulse
