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
  EXPECT_NEAR(90, fork_cost_ms(memory), 10);
  memory.huge_pages = 1;
  EXPECT_LT(fork_cost_ms(memory), kDearForkMs);
}

}  // namespace
}  // namespace pulse
