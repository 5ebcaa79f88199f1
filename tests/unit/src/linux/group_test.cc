#include "src/linux/group.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(FindGroup, ByItsNumberOrItsWholeName) {
  EXPECT_EQ(gid_t{0}, find_group("root"));
  EXPECT_EQ(gid_t{4711}, find_group("4711"));
  for (const char* none : {"roo", "roott", "", "0x", "root:"}) EXPECT_FALSE(find_group(none)) << none;
}

}  // namespace
}  // namespace pulse
