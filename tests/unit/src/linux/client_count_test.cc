#include "src/linux/client_count.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/src/linux/soon.h"

namespace pulse {
namespace {

using std::chrono::seconds;

TEST(ClientCount, HasNoneBeforeTheFirstCount) {
  ClientCount count([](Deadline) { return Result<uint32_t>(7U); }, nanoseconds(0));
  EXPECT_EQ(-1, count.clients());
  EXPECT_EQ(0, count.counted_ns());
  EXPECT_TRUE(count.is_due());
}

TEST(ClientCount, KeepsTheLastGoodCountAndItsTime) {
  bool fails = false;
  ClientCount count(
      [&](Deadline) {
        return fails ? Result<uint32_t>(Error{"the table is too large", ETIMEDOUT}) : 7U;
      },
      nanoseconds(0));
  count.look(soon());
  const int64_t counted_ns = count.counted_ns();
  EXPECT_EQ(7, count.clients());
  EXPECT_LE(counted_ns, boottime_ns());
  fails = true;
  while (!count.is_due()) std::this_thread::yield();
  count.look(soon());
  EXPECT_EQ(7, count.clients());
  EXPECT_EQ(counted_ns, count.counted_ns());
  EXPECT_EQ("the table is too large", count.problem());
}

TEST(ClientCount, CountsNoMoreOftenThanAsked) {
  int counts = 0;
  ClientCount count([&](Deadline) { return Result<uint32_t>(static_cast<uint32_t>(++counts)); }, seconds(3600));
  for (int i = 0; i < 5; ++i) count.look(soon());
  EXPECT_EQ(1, counts);
}

// A count of 20 ms twice a second would be 4 % of a processor; of 200 ms, 40 %.
TEST(ClientCount, RestsForAsLongAsACountIsDear) {
  int counts = 0;
  ClientCount count(
      [&](Deadline) {
        ++counts;
        const int64_t until_ns = monotonic_ns() + 20'000'000;
        while (monotonic_ns() < until_ns) std::this_thread::yield();
        return Result<uint32_t>(1U);
      },
      nanoseconds(1));
  count.look(soon());
  const int64_t ended_ns = monotonic_ns();
  while (!count.is_due()) std::this_thread::yield();
  EXPECT_GE(monotonic_ns() - ended_ns, ClientCount::kShare * 19'000'000);
  count.look(soon());
  EXPECT_EQ(2, counts);
}

}  // namespace
}  // namespace pulse
