#include "scheduler/cluster/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

namespace pulse {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr uint64_t kBootId = 7;
constexpr int64_t kNow = 500'000'000'000;

class UsableCores : public ::testing::Test {
 protected:
  UsableCores() {
    members_->boot_id = kBootId;
    members_->count = 3;
    members_->cores = 2;
    for (uint32_t i = 0; i < 3; ++i) {
      set_text(members_->members[i].address, "10.0.0." + std::to_string(i + 1));
      set_text(members_->members[i].name, "pod-" + std::to_string(i + 1));
      members_->members[i].port = 6032;
      members_->members[i].created_at = 100 + i;
    }
    members_->members[1].is_self = 1;
    discovery_.boot_id = kBootId;
    discovery_.source = static_cast<uint8_t>(Source::dns);
    discovery_.looked_ns = discovery_.ok_ns = kNow;
  }
  CoreList list() const { return usable_cores(*members_, discovery_, kBootId, kNow, milliseconds(5000)); }

  std::unique_ptr<Members> members_ = std::make_unique<Members>();
  Discovery discovery_{};
};

TEST_F(UsableCores, TakesTheCoresOfAFreshList) {
  const CoreList cores = list();
  ASSERT_EQ("", cores.unusable);
  ASSERT_EQ(2u, cores.cores.size());
  EXPECT_EQ((ServerKey{"10.0.0.1", 6032}), cores.cores[0].server);
  EXPECT_EQ("pod-2", cores.self()->name);
  EXPECT_EQ(101, cores.self()->created_at);
  EXPECT_TRUE(cores.has({"10.0.0.2", 6032}));
  EXPECT_FALSE(cores.has({"10.0.0.3", 6032})) << "a satellite";
}

TEST_F(UsableCores, NoneOnAListThatMayBeWrong) {
  const auto refused = [&](const char* why) {
    EXPECT_FALSE(list().usable());
    EXPECT_THAT(list().unusable, HasSubstr(why));
    EXPECT_TRUE(list().cores.empty()) << why;
  };
  const Discovery good = discovery_;
  set_text(discovery_.error, "403 Forbidden");
  discovery_.ok_ns = kNow - 1000;
  EXPECT_EQ(1000, list().age.count());
  EXPECT_TRUE(list().usable()) << "a failed look doesn't spoil a list that isn't old yet";
  discovery_.ok_ns = kNow - 5'000'000'001;
  refused("5000 ms old: 403 Forbidden");
  discovery_.ok_ns = 0;
  refused("no list of members yet: 403 Forbidden");
  discovery_ = good;
  discovery_.boot_id = 8;
  refused("is proxysql-pulsed running");
  discovery_ = good;
  discovery_.source = static_cast<uint8_t>(Source::none);
  refused("pulse.discovery.source is \"none\"");
  discovery_ = good;
  discovery_.members_left_out = 1;
  EXPECT_TRUE(list().usable()) << "a satellite";
  members_->cores = kMembers;
  refused("more than 1024 cores");
  members_->cores = 2;
  discovery_ = good;
  members_->boot_id = 8;
  refused("no list of members yet");
  members_->boot_id = kBootId;
  members_->cores = 0;
  EXPECT_THAT(list().unusable, HasSubstr("no core among the members"));
}

TEST_F(UsableCores, CountsAreBounded) {
  members_->cores = members_->count = 4'000'000'000;
  EXPECT_EQ(3u, list().cores.size()) << "rows without an address are none";
}

TEST(Shown, AddressesAreReadable) {
  EXPECT_EQ("10.0.0.1:6032", shown({"10.0.0.1", 6032}));
  EXPECT_EQ("[fd00::1]:6032", shown({"fd00::1", 6032}));
}

TEST(LoadedThisSecond, Table) {
  const ModuleRow module{"proxysql_servers", 2, 100, ""};
  EXPECT_FALSE(loaded_this_second(nullptr, 100));
  EXPECT_TRUE(loaded_this_second(&module, 100));
  EXPECT_FALSE(loaded_this_second(&module, 101));
  EXPECT_TRUE(loaded_this_second(&module, 95)) << "a peer's clock is a little ahead";
  EXPECT_FALSE(loaded_this_second(&module, 94)) << "that far ahead, waiting for it helps nobody";
}

}  // namespace
}  // namespace pulse
