#include "daemon/leader/lowest.h"

#include <gtest/gtest.h>

#include <memory>

#include "shm/record/member_list.h"
#include "tests/unit/spans.h"

namespace pulse {
namespace {

constexpr uint64_t kBoot = 7;

class LowestTest : public ::testing::Test {
 protected:
  LowestTest() {
    members_->boot_id = discovery_.boot_id = kBoot;
    discovery_.source = static_cast<uint8_t>(Source::dns);
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

TEST_F(LowestTest, OneForWhomTheListHasNoRoomIsntTheLowest) {
  add("core-0", "10.0.0.1", true, true);
  add("", "10.1.0.1", false, true);
  discovery_.members_left_out = 1;
  EXPECT_EQ("", of(false).unusable);
  EXPECT_FALSE(of(false).is_self);
  EXPECT_EQ("10.1.0.1:6032", of(false).holder);
  EXPECT_NE("", of(true).unusable) << "of cores, all are in the list";
}

TEST_F(LowestTest, NeedsAListThatMayBeActedOn) {
  add("core-1", "10.0.0.2", true, true, true);
  EXPECT_TRUE(of(true, 160 * kSecond).is_self);
  EXPECT_FALSE(of(true, 160 * kSecond + 1'000'000).is_self);
  EXPECT_EQ("", of(true, 160 * kSecond + 1'000'000).holder);
  EXPECT_EQ(why_unusable(*members_, discovery_, kBoot, 170 * kSecond, std::chrono::seconds(60)),
            of(true, 170 * kSecond).unusable);
  members_->count = 0xFFFFFFFF;
  EXPECT_TRUE(of(true).is_self) << "somebody has scribbled over it";
}

}  // namespace
}  // namespace pulse
