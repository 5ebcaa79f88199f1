#include "shm/record/leadership.h"

#include <gtest/gtest.h>

#include "shm/segment/names.h"

namespace pulse {
namespace {

constexpr uint64_t kLeadersBoot = 7;

TEST(Leadership, HoldsUntilItsInstantAndIsExplained) {
  struct Case {
    uint64_t boot;
    LeaderMode mode;
    int64_t valid_until;
    const char* holder;
    const char* error;
    bool is_self;
    bool other_leads;
    const char* reason;
  };
  const Case cases[] = {
      {0, LeaderMode::none, 0, "", "", false, false, "nobody says who the leader is: is proxysql-pulsed running?"},
      {kLeadersBoot + 1, LeaderMode::lease, 200, "me", "", false, false,
       "nobody says who the leader is: is proxysql-pulsed running?"},
      {kLeadersBoot, LeaderMode::none, 200, "", "", false, false, "pulse.leader.mode is \"none\""},
      {kLeadersBoot, LeaderMode::lease, 101, "me", "", true, false, ""},
      {kLeadersBoot, LeaderMode::lease, 101, "me", "API down", true, false, ""},
      {kLeadersBoot, LeaderMode::lease, 100, "me", "", false, false,
       "leadership wasn't renewed: is proxysql-pulsed running?"},
      {kLeadersBoot, LeaderMode::lease, 100, "me", "API down", false, false, "API down"},
      {kLeadersBoot, LeaderMode::lease, 0, "other", "", false, true, "other is"},
      {kLeadersBoot, LeaderMode::lowest, 0, "other", "list old", false, false, "list old"},
      {kLeadersBoot, LeaderMode::lease, 0, "", "", false, false, "there is no leader yet"},
  };
  for (const Case& test : cases) {
    LeaderState state{};
    state.boot_id = test.boot;
    state.mode = static_cast<uint8_t>(test.mode);
    state.valid_until_ns = test.valid_until;
    set_text(state.holder, test.holder);
    set_text(state.error, test.error);
    const Leadership now = leadership(state, kLeadersBoot, 100);
    EXPECT_EQ(test.is_self, now.is_self) << test.reason;
    EXPECT_EQ(test.other_leads, now.other_leads) << test.reason;
    EXPECT_EQ(test.reason, now.reason);
  }
}

TEST(Leadership, SaysWhenAnotherNodeMayLead) {
  LeaderState state{};
  state.boot_id = kLeadersBoot;
  state.mode = static_cast<uint8_t>(LeaderMode::lease);
  state.valid_until_ns = 200;
  state.handover_ns = 300;
  EXPECT_EQ(300, leadership(state, kLeadersBoot, 100).handover_ns);
  EXPECT_EQ(300, leadership(state, kLeadersBoot, 250).handover_ns) << "also when it is over";
  EXPECT_EQ(0, leadership(state, kLeadersBoot + 1, 100).handover_ns) << "of another boot of the machine";
}

TEST(Leadership, ModesHaveNames) {
  EXPECT_STREQ("none", name(LeaderMode::none));
  EXPECT_STREQ("lease", name(LeaderMode::lease));
  EXPECT_STREQ("lowest", name(LeaderMode::lowest));
  EXPECT_STREQ("unknown", name(static_cast<LeaderMode>(250)));
}

}  // namespace
}  // namespace pulse
