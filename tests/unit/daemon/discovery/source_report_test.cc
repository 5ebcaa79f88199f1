#include "daemon/discovery/source_report.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

namespace pulse {
namespace {

using std::chrono::seconds;

class SourceReportTest : public ::testing::Test {
 protected:
  SourceLook in(seconds span) { return report_.look(boottime_ns() + nanoseconds(span).count()); }

  SourceReport report_{std::make_shared<Wakeup>()};
};

TEST_F(SourceReportTest, NothingIsKnownAtFirst) {
  const SourceLook look = in(seconds(0));
  EXPECT_EQ(nullptr, look.found);
  EXPECT_EQ(0, look.ok_ns);
  EXPECT_EQ(0, look.failing_since_ns);
}

TEST_F(SourceReportTest, AListIsRightForAsLongAsItIsHeld) {
  report_.found({});
  const int64_t found = in(seconds(0)).ok_ns;
  EXPECT_NE(0, found);
  EXPECT_EQ(found, in(seconds(9)).ok_ns);
  report_.hold();
  EXPECT_GT(in(seconds(9)).ok_ns, found + 8'000'000'000);
  report_.failed("x");
  const SourceLook failing = in(seconds(99));
  EXPECT_LT(failing.ok_ns, found + 10'000'000'000);
  EXPECT_EQ("x", failing.error);
  EXPECT_NE(0, failing.failing_since_ns);
}

TEST_F(SourceReportTest, ARowOfFailuresHasOneBeginning) {
  report_.failed("first");
  const int64_t since = in(seconds(0)).failing_since_ns;
  report_.failed("second");
  report_.found({});
  const SourceLook look = in(seconds(0));
  EXPECT_EQ(since, look.failing_since_ns) << "a list alone doesn't end it";
  EXPECT_EQ("second", look.error);
  EXPECT_EQ(2u, look.failures);
  report_.good();
  EXPECT_EQ(0, in(seconds(0)).failing_since_ns);
  EXPECT_EQ("", in(seconds(0)).error);
  EXPECT_EQ(2u, in(seconds(0)).failures);
}

TEST_F(SourceReportTest, WhatStaysOpenProvesItself) {
  report_.failed("x");
  report_.prove_after(seconds(2));
  EXPECT_NE(0, in(seconds(1)).failing_since_ns);
  EXPECT_EQ(0, in(seconds(3)).failing_since_ns);
  EXPECT_TRUE(report_.take_proof());
  EXPECT_FALSE(report_.take_proof());
  report_.prove_after(seconds(2));
  report_.failed("y");
  EXPECT_NE(0, in(seconds(3)).failing_since_ns);
}

TEST_F(SourceReportTest, AnOverdueAnswerIsCutAndShows) {
  int ends[2];
  ASSERT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  const UniqueFd mine(ends[0]), peer(ends[1]);
  report_.expect("no answer", seconds(5));
  report_.expect_on(mine.get());
  EXPECT_EQ("", in(seconds(4)).error);
  EXPECT_FALSE(report_.was_cut());
  EXPECT_EQ("", in(seconds(5)).error) << "who was cut says so himself";
  EXPECT_TRUE(report_.was_cut());
  char byte;
  EXPECT_EQ(0, ::recv(mine.get(), &byte, 1, 0));
  const SourceLook stuck = in(seconds(7));
  EXPECT_EQ("no answer", stuck.error);
  EXPECT_EQ(1u, stuck.failures);
  EXPECT_NE(0, stuck.failing_since_ns);
  report_.nothing_due();
  EXPECT_EQ("", in(seconds(9)).error);
}

TEST_F(SourceReportTest, AStopWakesAndCuts) {
  int ends[2];
  ASSERT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  const UniqueFd mine(ends[0]), peer(ends[1]);
  report_.expect("no answer", seconds(60));
  report_.expect_on(mine.get());
  EXPECT_TRUE(report_.pause(nanoseconds(0)));
  std::thread source([&] {
    char byte;
    EXPECT_EQ(0, ::recv(mine.get(), &byte, 1, 0));
    EXPECT_FALSE(report_.pause(seconds(60)));
    report_.ended();
  });
  EXPECT_FALSE(report_.wait_ended(milliseconds(10)));
  report_.stop();
  EXPECT_TRUE(report_.wait_ended(seconds(10)));
  source.join();
}

}  // namespace
}  // namespace pulse
