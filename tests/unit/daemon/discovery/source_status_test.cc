#include "daemon/discovery/source_status.h"

#include <gtest/gtest.h>

#include <memory>

namespace pulse {
namespace {

using std::chrono::seconds;

class SourceStatusTest : public ::testing::Test {
 protected:
  SourceLook in(seconds span) { return status_.look(boottime_ns() + nanoseconds(span).count()); }

  const std::shared_ptr<Wakeup> wakeup_ = std::make_shared<Wakeup>();
  SourceStatus status_{wakeup_};
};

TEST_F(SourceStatusTest, NothingIsKnownAtFirst) {
  const SourceLook look = in(seconds(0));
  EXPECT_EQ(nullptr, look.found);
  EXPECT_EQ(0, look.ok_ns);
  EXPECT_EQ(0, look.failing_since_ns);
}

TEST_F(SourceStatusTest, AListIsRightForAsLongAsItIsHeld) {
  status_.found({});
  const int64_t found = in(seconds(0)).ok_ns;
  EXPECT_NE(0, found);
  EXPECT_EQ(found, in(seconds(9)).ok_ns);
  status_.hold();
  EXPECT_GT(in(seconds(9)).ok_ns, found + 8'000'000'000);
  status_.failed("x");
  const SourceLook failing = in(seconds(99));
  EXPECT_LT(failing.ok_ns, found + 10'000'000'000);
  EXPECT_EQ("x", failing.error);
  EXPECT_NE(0, failing.failing_since_ns);
}

TEST_F(SourceStatusTest, ARowOfFailuresHasOneBeginning) {
  status_.failed("first");
  const int64_t since = in(seconds(0)).failing_since_ns;
  status_.failed("second");
  status_.found({});
  const SourceLook look = in(seconds(0));
  EXPECT_EQ(since, look.failing_since_ns) << "a list alone doesn't end it";
  EXPECT_EQ("second", look.error);
  EXPECT_EQ(2u, look.failures);
  status_.good();
  EXPECT_EQ(0, in(seconds(0)).failing_since_ns);
  EXPECT_EQ("", in(seconds(0)).error);
  EXPECT_EQ(2u, in(seconds(0)).failures);
}

TEST_F(SourceStatusTest, WhatStaysOpenProvesItself) {
  status_.failed("x");
  status_.prove_after(seconds(2));
  EXPECT_NE(0, in(seconds(1)).failing_since_ns);
  EXPECT_EQ(0, in(seconds(3)).failing_since_ns);
  EXPECT_TRUE(status_.take_proof());
  EXPECT_FALSE(status_.take_proof());
  status_.prove_after(seconds(2));
  status_.failed("y");
  EXPECT_NE(0, in(seconds(3)).failing_since_ns);
}

TEST_F(SourceStatusTest, AThreadThatIsStuckIsAFailureMore) {
  status_.found({});
  status_.hold();
  const SourceLook stuck = status_.look(boottime_ns(), CallWatch::Overdue{"no answer", 77});
  EXPECT_FALSE(stuck.current);
  EXPECT_EQ("no answer", stuck.error);
  EXPECT_EQ(1u, stuck.failures);
  EXPECT_EQ(77, stuck.failing_since_ns);
  EXPECT_EQ(77, stuck.looked_ns);
  EXPECT_EQ("", in(seconds(0)).error) << "for as long as it is";
  status_.failed("x");
  const int64_t since = in(seconds(0)).failing_since_ns;
  const SourceLook still = status_.look(boottime_ns(), CallWatch::Overdue{"no answer", since + 1});
  EXPECT_EQ(since, still.failing_since_ns) << "one row of failures";
  EXPECT_EQ(2u, still.failures);
}

TEST_F(SourceStatusTest, WhatChangesWakesThePublisher) {
  EXPECT_FALSE(wakeup_->wait(nanoseconds(0)));
  status_.found({});
  EXPECT_TRUE(wakeup_->wait(nanoseconds(0)));
  status_.good();
  EXPECT_FALSE(wakeup_->wait(nanoseconds(0))) << "it was good before";
  status_.failed("x");
  EXPECT_TRUE(wakeup_->wait(nanoseconds(0)));
  status_.good();
  EXPECT_TRUE(wakeup_->wait(nanoseconds(0)));
}

}  // namespace
}  // namespace pulse
