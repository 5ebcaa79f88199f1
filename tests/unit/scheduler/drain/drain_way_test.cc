#include "scheduler/drain/drain_way.h"

#include <gtest/gtest.h>

#include "shm/segment/names.h"

namespace pulse {
namespace {

VariablesReach reach(int64_t diffs, std::vector<VariablesReach::Member> members) {
  return {diffs, "0xA", std::move(members)};
}

TEST(DrainWay, LowersOnlyWhereNoMemberPulls) {
  const VariablesReach agreed = reach(0, {{"pod-0.x", "0xA"}, {"pod-1.x", "0xA"}});
  EXPECT_EQ(DrainWay::unsynced, drain_way(agreed, 0));
  EXPECT_EQ(DrainWay::synced, drain_way(reach(3, agreed.members), 0));
  EXPECT_EQ(DrainWay::synced, drain_way(reach(-1, agreed.members), 0)) << "nobody knows";
  EXPECT_EQ(DrainWay::peers_differ, drain_way(reach(0, {{"a", "0xA"}, {"b", "0xB"}}), 0))
      << "0 has been set here alone";
  EXPECT_EQ(DrainWay::peers_differ, drain_way(reach(0, {{"a", "0xA"}, {"b", ""}}), 0)) << "it was never reached";
  VariablesReach unknown = agreed;
  unknown.admin_checksum = unknown.members[0].admin_checksum = unknown.members[1].admin_checksum = "";
  EXPECT_EQ(DrainWay::peers_differ, drain_way(unknown, 0));
}

TEST(DrainWay, AStrangerMayPull) {
  const VariablesReach agreed = reach(0, {{"a", "0xA"}});
  EXPECT_EQ(DrainWay::strangers, drain_way(agreed, 1)) << "a satellite has a file of its own";
  EXPECT_EQ(DrainWay::strangers, drain_way(agreed, std::nullopt)) << "nobody knows";
  EXPECT_EQ(DrainWay::strangers, drain_way(reach(0, {}), 1));
  EXPECT_EQ(DrainWay::synced, drain_way(reach(3, {}), 1)) << "an emptied table isn't the others'";
  EXPECT_EQ(DrainWay::alone, drain_way(reach(3, {}), 0));
}

TEST(DrainWay, AStandaloneNodeWithoutMembersIsAlone) {
  EXPECT_EQ(DrainWay::alone, drain_way(reach(3, {}), 2, true)) << "an exporter, say";
  EXPECT_EQ(DrainWay::alone, drain_way(reach(3, {}), std::nullopt, true));
  EXPECT_EQ(DrainWay::synced, drain_way(reach(3, {{"a", "0xA"}}), 0, true)) << "it is in a cluster all the same";
}

TEST(DrainWay, MembersByNameMayBeAnyHost) {
  const std::vector<VariablesReach::Member> names = {{"pod-0.x.svc", ""}, {"pod-1.x.svc", ""}, {"pod-2.x.svc", ""}};
  EXPECT_EQ(0U, count_strangers({"10.0.0.1", "10.0.0.2"}, names, "pod-0"));
  EXPECT_EQ(1U, count_strangers({"10.0.0.1", "10.0.0.2", "10.0.0.3"}, names, "pod-0")) << "this host is no other's";
  EXPECT_EQ(0U, count_strangers({"10.0.0.1", "10.0.0.2", "10.0.0.3"}, names, ""));
  const std::vector<VariablesReach::Member> addresses = {{"10.0.0.1", ""}, {"fd00::2", ""}};
  EXPECT_EQ(0U, count_strangers({"10.0.0.1", "fd00::2"}, addresses, "pod-0"));
  EXPECT_EQ(1U, count_strangers({"10.0.0.3"}, addresses, "pod-0"));
  EXPECT_EQ(0U, count_strangers({}, {}, "pod-0"));
  EXPECT_EQ(1U, count_strangers({"10.0.0.3"}, {}, "pod-0"));
}

TEST(DrainWay, TheAnswerIsRead) {
  AdminResult answer;
  answer.rows = {{"own", "", "0xA"}, {"diffs", "", "0"}, {"member", "a", "0xB"}, {"member", "b", ""}};
  const VariablesReach read = variables_reach_of(answer);
  EXPECT_EQ(0, read.diffs);
  EXPECT_EQ("0xA", read.admin_checksum);
  ASSERT_EQ(2U, read.members.size());
  EXPECT_EQ("a", read.members[0].host);
  EXPECT_EQ("0xB", read.members[0].admin_checksum);
  EXPECT_EQ(-1, variables_reach_of(AdminResult()).diffs);
}

// They are values of /status.
TEST(DrainWay, WaysHaveNamesAndReasons) {
  EXPECT_STREQ("undecided", name(DrainWay::undecided));
  EXPECT_STREQ("lowers_wait_timeout", name(DrainWay::unsynced));
  EXPECT_STREQ("closes_sessions", name(DrainWay::strangers));
  EXPECT_STREQ("undecided", name(static_cast<DrainWay>(99)));
  EXPECT_STREQ("", reason(DrainWay::undecided));
  for (uint8_t way = 1; way <= static_cast<uint8_t>(DrainWay::strangers); ++way) {
    EXPECT_STRNE("", reason(static_cast<DrainWay>(way)));
  }
}

}  // namespace
}  // namespace pulse
