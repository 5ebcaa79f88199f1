#include "src/base/clock.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

template <class A, class B>
constexpr bool comparable = requires(A a, B b) {
  a < b;
};
template <class A, class B>
constexpr bool subtractable = requires(A a, B b) {
  a - b;
};

static_assert(comparable<BootTime, BootTime> && subtractable<BootTime, BootTime>);
static_assert(!comparable<BootTime, MonotonicTime> && !subtractable<BootTime, MonotonicTime>, "two clocks, two types");
static_assert(!comparable<BootTime, int64_t>);

TEST(Instant, MovesByWholeNanoseconds) {
  const BootTime begin{1'000};
  EXPECT_EQ(2'001'000, (begin + milliseconds(2)).ns);
  EXPECT_EQ(999, (begin - nanoseconds(1)).ns);
  EXPECT_EQ(nanoseconds(-5), BootTime{0} - BootTime{5});
  EXPECT_LT(begin, begin + nanoseconds(1));
}

TEST(Deadline, IsAnInstantOfTheMonotonicClock) {
  const MonotonicTime now = MonotonicTime::now();
  EXPECT_EQ(now, Deadline::at(now).instant());
  EXPECT_TRUE(Deadline::at(now).passed());
  EXPECT_FALSE(Deadline::at(now + std::chrono::hours(1)).passed());
}

}  // namespace
}  // namespace pulse
