#include "shm/record/backoff.h"

#include <gtest/gtest.h>

#include "tests/unit/spans.h"

namespace pulse {
namespace {

TEST(WaitAfter, DoublesUpToItsBound) {
  const BackoffPolicy policy{500 * kMs, 30'000 * kMs};
  EXPECT_EQ(1'000 * kMs, wait_after(1, policy));
  EXPECT_EQ(2'000 * kMs, wait_after(2, policy));
  EXPECT_EQ(16'000 * kMs, wait_after(5, policy));
  EXPECT_EQ(30'000 * kMs, wait_after(6, policy));
  EXPECT_EQ(30'000 * kMs, wait_after(4'000'000'000, policy));
}

TEST(BackoffPolicyOfARecord, IsTheDefaultsBeforeAConfigurationWasRead) {
  BeatRecord record{};
  EXPECT_EQ(5'000 * kMs, backoff_policy(record).interval_ns);
  EXPECT_EQ(30'000 * kMs, backoff_policy(record).backoff_max_ns);
  record.interval_ms = 700;
  record.backoff_max_ms = 900;
  EXPECT_EQ(700 * kMs, backoff_policy(record).interval_ns);
  EXPECT_EQ(900 * kMs, backoff_policy(record).backoff_max_ns);
}

class AdmitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    record_.consecutive_timeouts = 2;
    record_.next_attempt_ns = 2'000 * kMs;
    watch(record_, {100, 7, 5, 11});
  }
  Admission at(int64_t now_ms, uint32_t threads) { return admit(record_, now_ms * kMs, ProcessNow::same, threads); }
  BeatRecord record_{};
};

TEST_F(AdmitTest, WaitsItsTime) {
  EXPECT_EQ(Admission::held_back, at(100, 11));
  EXPECT_EQ(Admission::held_back, at(1'999, 11));
  EXPECT_EQ(Admission::attempt, at(2'000, 11));
}

TEST_F(AdmitTest, ADropOfAllAbandonedThreadsAdmitsAtOnce) {
  EXPECT_EQ(Admission::held_back, at(100, 12));
  EXPECT_EQ(Admission::held_back, at(600, 11)) << "one less is somebody else's";
  EXPECT_EQ(Admission::attempt_threads_dropped, at(1'100, 10));
}

TEST_F(AdmitTest, ProxySQLsEndAdmitsOnce) {
  EXPECT_EQ(Admission::attempt_proxysql_ended, admit(record_, 200 * kMs, ProcessNow::gone, 0));
  EXPECT_EQ(0, watched(record_).pid);
  EXPECT_EQ(Admission::held_back, admit(record_, 300 * kMs, ProcessNow::gone, 0)) << "of nobody who was watched";
}

TEST_F(AdmitTest, NobodyWhoIsKnownMeansToWait) {
  EXPECT_EQ(Admission::held_back, admit(record_, 100 * kMs, ProcessNow::unknown, 0)) << "it can't be read";
  watch(record_, {});
  EXPECT_EQ(Admission::held_back, admit(record_, 100 * kMs, ProcessNow::same, 0)) << "it was never told";
}

TEST_F(AdmitTest, WhatIsWatchedIsInTheRecord) {
  EXPECT_EQ(100, watched(record_).pid);
  EXPECT_EQ(7, watched(record_).start_ticks);
  EXPECT_EQ(5u, watched(record_).pid_namespace);
  EXPECT_EQ(11u, watched(record_).threads);
}

}  // namespace
}  // namespace pulse
