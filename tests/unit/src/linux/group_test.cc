#include "src/linux/group.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(FindGroup, ByItsNumberOrItsWholeName) {
  EXPECT_EQ(gid_t{0}, find_group("root"));
  EXPECT_EQ(gid_t{4711}, find_group("4711"));
  for (const char* none : {"roo", "roott", "", "0x", "root:"}) EXPECT_FALSE(find_group(none)) << none;
}

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/sh\nproxysql:x:999:998::/:/bin/false\nann:x:1000:1000::/:/bin/sh\nann2:x:1001:1001::/"
    ":\n";
constexpr const char* kGroups = "root:x:0:\npulse:x:998:\nops:x:50:bob,ann\nannes:x:51:ann2";

TEST(IsInGroup, ByTheAccountsOwnGroupAndByTheMembersOfTheOther) {
  EXPECT_TRUE(is_in_group(999, 998, kPasswd, kGroups));
  EXPECT_TRUE(is_in_group(1000, 50, kPasswd, kGroups));
  EXPECT_TRUE(is_in_group(1001, 51, kPasswd, kGroups)) << "the last line has no end";
  EXPECT_FALSE(is_in_group(1000, 51, kPasswd, kGroups)) << "a name that begins alike";
  EXPECT_FALSE(is_in_group(1000, 998, kPasswd, kGroups));
  EXPECT_FALSE(is_in_group(4321, 50, kPasswd, kGroups)) << "no such user";
  EXPECT_FALSE(is_in_group(1000, 4321, kPasswd, kGroups)) << "no such group";
  EXPECT_FALSE(is_in_group(1000, 50, "", kGroups));
  EXPECT_FALSE(is_in_group(1000, 50, "::1000\n\nx\n", "::50:,\n")) << "no name is nobody's";
}

}  // namespace
}  // namespace pulse
