#include "scheduler/drain/close_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

DrainPolicy closing_policy() {
  DrainPolicy policy;
  policy.settle = seconds(5);
  policy.timeout = seconds(60);
  policy.steps = *parse_drain_steps({"2000:4000", "1000:3000", "500:4000", "200:6000", "50:3000", "0"});
  return policy;
}

DrainSight closing_sight(milliseconds elapsed, milliseconds no_newcomer_for = milliseconds(0)) {
  DrainSight sight;
  sight.elapsed = elapsed;
  sight.no_newcomer_for = no_newcomer_for;
  sight.mysql_threads = 2;
  sight.admin = true;
  return sight;
}

TEST(ClosePlan, NobodyIsClosedBeforeTheEndpointsHaveSettled) {
  EXPECT_FALSE(close_from(closing_policy(), closing_sight(milliseconds(4999), seconds(4))));
  EXPECT_EQ(milliseconds(1000), close_from(closing_policy(), closing_sight(seconds(5))));
  EXPECT_EQ(milliseconds(500), close_from(closing_policy(), closing_sight(seconds(7))));
  EXPECT_EQ(milliseconds(0), close_from(closing_policy(), closing_sight(seconds(20))));
}

TEST(ClosePlan, OutOfTheBalancerThoseWhoRestGoFirstThenAll) {
  EXPECT_EQ(milliseconds(200), close_from(closing_policy(), closing_sight(seconds(5), kDrainNoNewcomer)));
  EXPECT_EQ(milliseconds(0),
            close_from(closing_policy(), closing_sight(seconds(5), kDrainNoNewcomer + kDrainRestingFirst)));
}

TEST(ClosePlan, ALookIsGoodForAPartOfTheRest) {
  EXPECT_TRUE(may_close({1, seconds(10)}, milliseconds(500)));
  EXPECT_FALSE(may_close({1, seconds(10)}, milliseconds(501)));
  EXPECT_TRUE(may_close({1, milliseconds(1)}, kCloseAtOnce)) << "a busy client never rests for long";
  EXPECT_FALSE(may_close({1, milliseconds(1)}, kCloseAtOnce + milliseconds(1)));
  EXPECT_TRUE(may_close({1, milliseconds(200)}, milliseconds(10)));
}

TEST(ClosePlan, TheStatementListsOnlyWhoIsSurelyInNoTransaction) {
  const std::string statement = resting_sessions_statement(milliseconds(200), true);
  for (const char* needed :
       {"command = 'Sleep'", "srv_host IS NULL", "time_ms >= 200 ", "ORDER BY time_ms DESC", "LIMIT 100",
        "FROM runtime_mysql_users WHERE frontend = 1 AND transaction_persistent = 1"}) {
    EXPECT_THAT(statement, HasSubstr(needed));
  }
  const std::string again = resting_sessions_statement(milliseconds(0), false);
  EXPECT_THAT(again, Not(HasSubstr("runtime_mysql_users"))) << "ProxySQL would fill its table of users each time";
  EXPECT_THAT(again, HasSubstr("stats_mysql_processlist"));
}

TEST(ClosePlan, RowsThatCantBeReadAreLeftOut) {
  AdminResult answer;
  answer.rows = {{"7", "1500"}, {"x", "1500"}, {"8", ""}, {"9"}, {"10", "-1"}, {"4294967295", "0"}};
  const auto sessions = resting_sessions_of(answer);
  ASSERT_EQ(2U, sessions.size());
  EXPECT_EQ(7U, sessions[0].id);
  EXPECT_EQ(milliseconds(1500), sessions[0].rests);
  EXPECT_EQ(4'294'967'295U, sessions[1].id);
}

}  // namespace
}  // namespace pulse
