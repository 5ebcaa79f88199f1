#include "shm/record/fork_cost.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(ForkCostTest, GrowsWithThePageTables) {
  ProcessMemory memory{};
  EXPECT_EQ(0, fork_cost_ms(memory)) << "not known";
  memory.resident_kb = 60 << 10;
  memory.page_table_kb = 300;
  EXPECT_LT(fork_cost_ms(memory), 5);
  memory.resident_kb = 4 << 20;
  memory.page_table_kb = 8400;
  EXPECT_NEAR(82, fork_cost_ms(memory), 5);
  memory.huge_kb = 3 << 20;
  EXPECT_NEAR(22, fork_cost_ms(memory), 5) << "a quarter is left in small pages";
  memory.huge_kb = 4 << 20;
  EXPECT_LT(fork_cost_ms(memory), kDearForkMs);
  memory.huge_kb = 40 << 20;
  EXPECT_EQ(0, fork_cost_ms(memory)) << "the two weren't read at one instant";
}

}  // namespace
}  // namespace pulse
