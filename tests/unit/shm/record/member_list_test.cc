#include "shm/record/member_list.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/unit/spans.h"

namespace pulse {
namespace {

constexpr uint64_t kListsBoot = 7;

class UsableListTest : public ::testing::Test {
 protected:
  UsableListTest() {
    members_->boot_id = discovery_.boot_id = kListsBoot;
    discovery_.source = static_cast<uint8_t>(Source::dns);
    discovery_.ok_ns = discovery_.looked_ns = 100 * kSecond;
  }
  std::string why(int64_t now_ns = 101 * kSecond) const {
    return why_unusable(*members_, discovery_, kListsBoot, now_ns, std::chrono::seconds(60));
  }

  const std::unique_ptr<Members> members_ = std::make_unique<Members>();
  Discovery discovery_{};
};

TEST_F(UsableListTest, IsUsableUntilItIsTooOld) {
  EXPECT_EQ("", why());
  EXPECT_EQ("", why(160 * kSecond));
  const int64_t later = 160 * kSecond + 1'000'000;
  EXPECT_EQ("the list of members is 60001 ms old: is proxysql-pulsed running?", why(later));
  set_text(discovery_.error, "API down");
  EXPECT_EQ("", why()) << "a failed look doesn't spoil a list that isn't old yet";
  EXPECT_EQ("the list of members is 60001 ms old: API down", why(later));
}

TEST_F(UsableListTest, OfTheDaemonBeforeIsUsableUntilThisOneHasLooked) {
  discovery_.looked_ns = 0;
  EXPECT_EQ("", why());
}

TEST_F(UsableListTest, IsNoneFromAnotherBoot) {
  set_text(discovery_.error, "API down");
  members_->boot_id = kListsBoot + 1;
  EXPECT_EQ("no list of members yet: API down", why());
  members_->boot_id = kListsBoot;
  discovery_.boot_id = kListsBoot + 1;
  EXPECT_EQ("no list of members yet: is proxysql-pulsed running?", why()) << "the error is of another boot, too";
}

TEST_F(UsableListTest, IsNoneBeforeItWasComplete) {
  discovery_.ok_ns = 0;
  EXPECT_EQ("no list of members yet", why());
  set_text(discovery_.error, "API down");
  EXPECT_EQ("no list of members yet: API down", why());
  discovery_.source = static_cast<uint8_t>(Source::none);
  EXPECT_EQ("pulse.discovery.source is \"none\"", why());
}

TEST_F(UsableListTest, NoCoreMayBeLeftOutAndAnySatelliteMay) {
  discovery_.members_left_out = 5000;
  members_->count = kMembers;
  members_->cores = 64;
  EXPECT_EQ("", why()) << "cores come first, so all are there";
  members_->cores = kMembers;
  EXPECT_EQ("more than 1024 cores: the list is incomplete", why());
  discovery_.members_left_out = 0;
  EXPECT_EQ("", why());
}

}  // namespace
}  // namespace pulse
