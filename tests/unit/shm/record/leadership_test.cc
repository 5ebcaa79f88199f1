#include "shm/record/leadership.h"

#include <gtest/gtest.h>

#include <memory>

#include "shm/segment/names.h"

namespace pulse {
namespace {

constexpr uint64_t kBoot = 7;
constexpr int64_t kSecond = 1'000'000'000;

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
      {kBoot + 1, LeaderMode::lease, 200, "me", "", false, false,
       "nobody says who the leader is: is proxysql-pulsed running?"},
      {kBoot, LeaderMode::none, 200, "", "", false, false, "pulse.leader.mode is \"none\""},
      {kBoot, LeaderMode::lease, 101, "me", "", true, false, ""},
      {kBoot, LeaderMode::lease, 101, "me", "API down", true, false, ""},
      {kBoot, LeaderMode::lease, 100, "me", "", false, false, "leadership wasn't renewed: is proxysql-pulsed running?"},
      {kBoot, LeaderMode::lease, 100, "me", "API down", false, false, "API down"},
      {kBoot, LeaderMode::lease, 0, "other", "", false, true, "other is"},
      {kBoot, LeaderMode::lowest, 0, "other", "list old", false, false, "list old"},
      {kBoot, LeaderMode::lease, 0, "", "", false, false, "there is no leader yet"},
  };
  for (const Case& test : cases) {
    LeaderState state{};
    state.boot_id = test.boot;
    state.mode = static_cast<uint8_t>(test.mode);
    state.valid_until_ns = test.valid_until;
    set_text(state.holder, test.holder);
    set_text(state.error, test.error);
    const Leadership now = leadership(state, kBoot, 100);
    EXPECT_EQ(test.is_self, now.is_self) << test.reason;
    EXPECT_EQ(test.other_leads, now.other_leads) << test.reason;
    EXPECT_EQ(test.reason, now.reason);
  }
}

TEST(Leadership, SaysWhenAnotherNodeMayLead) {
  LeaderState state{};
  state.boot_id = kBoot;
  state.mode = static_cast<uint8_t>(LeaderMode::lease);
  state.valid_until_ns = 200;
  state.handover_ns = 300;
  EXPECT_EQ(300, leadership(state, kBoot, 100).handover_ns);
  EXPECT_EQ(300, leadership(state, kBoot, 250).handover_ns) << "also when it is over";
  EXPECT_EQ(0, leadership(state, kBoot + 1, 100).handover_ns) << "of another boot of the machine";
}

TEST(Leadership, ModesHaveNames) {
  EXPECT_STREQ("none", name(LeaderMode::none));
  EXPECT_STREQ("lease", name(LeaderMode::lease));
  EXPECT_STREQ("lowest", name(LeaderMode::lowest));
  EXPECT_STREQ("unknown", name(static_cast<LeaderMode>(250)));
}

class LowestTest : public ::testing::Test {
 protected:
  LowestTest() {
    members_->boot_id = discovery_.boot_id = kBoot;
    discovery_.ok_ns = 100 * kSecond;
  }
  void add(const char* name, const char* address, bool is_core, bool ready, bool is_self = false) {
    Member& member = members_->members[members_->count++];
    set_text(member.name, name);
    set_text(member.address, address);
    member.port = 6032;
    member.is_core = is_core ? 1 : 0;
    member.ready = ready ? 1 : 0;
    member.is_self = is_self ? 1 : 0;
  }
  Lowest of(bool cores, int64_t now = 101 * kSecond) {
    return lowest(*members_, discovery_, cores, kBoot, now, std::chrono::seconds(60));
  }

  const std::unique_ptr<Members> members_ = std::make_unique<Members>();
  Discovery discovery_{};
};

TEST_F(LowestTest, IsTheFirstReadyMemberOfTheRole) {
  add("core-0", "10.0.0.1", true, false);
  add("core-1", "10.0.0.2", true, true, true);
  add("core-2", "10.0.0.3", true, true);
  add("", "fd00::1", false, true);
  EXPECT_TRUE(of(true).is_self);
  EXPECT_EQ("core-1 10.0.0.2:6032", of(true).holder);
  EXPECT_EQ("this node is no satellite of the list of members: set pulse.address, or see pulse.discovery",
            of(false).unusable);
  members_->members[3].is_self = 1;
  EXPECT_TRUE(of(false).is_self);
  EXPECT_EQ("[fd00::1]:6032", of(false).holder);
  members_->members[0].ready = 1;
  EXPECT_FALSE(of(true).is_self);
  EXPECT_EQ("core-0 10.0.0.1:6032", of(true).holder);
  for (Member& member : members_->members) member.ready = 0;
  EXPECT_EQ("no core is ready", of(true).unusable);
}

TEST_F(LowestTest, NeedsAListThatMayBeActedOn) {
  add("core-1", "10.0.0.2", true, true, true);
  EXPECT_TRUE(of(true).is_self);
  EXPECT_TRUE(of(true, 160 * kSecond).is_self);
  EXPECT_EQ("the list of members is 60001 ms old", of(true, 160 * kSecond + 1'000'000).unusable);
  set_text(discovery_.error, "API down");
  EXPECT_EQ("the list of members is 60001 ms old: API down", of(true, 160 * kSecond + 1'000'000).unusable);
  discovery_.members_left_out = 1;
  EXPECT_EQ("the list of members is incomplete", of(true).unusable);
  discovery_.members_left_out = 0;
  members_->boot_id = kBoot + 1;
  EXPECT_EQ("no list of members yet: API down", of(true).unusable);
  members_->boot_id = kBoot;
  discovery_.boot_id = kBoot + 1;
  EXPECT_EQ("no list of members yet: API down", of(true).unusable);
  discovery_.boot_id = kBoot;
  EXPECT_TRUE(of(true).is_self);
  members_->count = 0xFFFFFFFF;
  EXPECT_TRUE(of(true).is_self) << "somebody has scribbled over it";
  members_->count = 1;
  discovery_.ok_ns = 0;
  EXPECT_FALSE(of(true).is_self);
  EXPECT_EQ("", of(true).holder);
}

}  // namespace
}  // namespace pulse
