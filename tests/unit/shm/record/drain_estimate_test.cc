#include "shm/record/drain_estimate.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

using std::chrono::seconds;

constexpr milliseconds kReserve{1500};

DrainEstimate estimate(int64_t clients, int64_t idle, int64_t threads, milliseconds timeout = seconds(25),
                       bool waits = false) {
  return estimate_drain({clients, idle, threads}, {seconds(5), timeout, waits}, kReserve);
}

TEST(DrainEstimate, WithoutIdleThreadsItIsTheUsualTime) {
  EXPECT_EQ(seconds(5), estimate(0, 0, 4).needed);
  EXPECT_EQ(seconds(10), estimate(10, 0, 4).needed);
  EXPECT_EQ(seconds(10), estimate(10'000, 0, 4).needed);
  EXPECT_EQ(0, estimate(10'000, 0, 4).cut);
}

TEST(DrainEstimate, IdleThreadsCloseSoManyInEachPass) {
  // Measured with 4 threads: 10,000 in 52.7 s; of 4,000, 14 were cut at a deadline of 25 s.
  EXPECT_EQ(seconds(53), estimate(10'000, 10'000, 4).needed);
  EXPECT_EQ(0, estimate(10'000, 10'000, 4, seconds(60)).cut);
  EXPECT_EQ(24, estimate(4000, 4000, 4).cut);
  EXPECT_EQ((2500 - 11 * 128) * 4, estimate(10'000, 10'000, 4).cut);
  EXPECT_EQ(seconds(10), estimate(16, 16, 4).needed) << "they go meanwhile";
}

TEST(DrainEstimate, WhoIsClosedOnlyAfterSettlingTakesLonger) {
  EXPECT_EQ(seconds(58), estimate(10'000, 10'000, 4, seconds(60), true).needed);
  EXPECT_GT(estimate(10'000, 10'000, 4, seconds(45), true).cut, estimate(10'000, 10'000, 4, seconds(45)).cut);
}

TEST(DrainEstimate, TakesAnyNumbers) {
  EXPECT_EQ(estimate(4000, 4000, 4).needed, estimate(4000, 4000, 0).needed) << "ProxySQL's default";
  EXPECT_EQ(seconds(5), estimate(-1, 50, 4).needed);
  EXPECT_EQ(100, estimate(100, 5000, 4, seconds(1)).cut);
  EXPECT_GT(estimate(INT64_MAX, INT64_MAX, 1).cut, 0);
}

}  // namespace
}  // namespace pulse
