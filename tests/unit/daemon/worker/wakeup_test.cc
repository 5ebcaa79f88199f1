#include "daemon/worker/wakeup.h"

#include <gtest/gtest.h>

#include <thread>

namespace pulse {
namespace {

TEST(Wakeup, IsRememberedOnce) {
  Wakeup wakeup;
  EXPECT_FALSE(wakeup.wait(nanoseconds(0)));
  wakeup.wake();
  wakeup.wake();
  EXPECT_TRUE(wakeup.wait(nanoseconds(0)));
  EXPECT_FALSE(wakeup.wait(nanoseconds(0)));
}

TEST(Wakeup, EndsAWait) {
  Wakeup wakeup;
  std::thread other([&] { wakeup.wake(); });
  EXPECT_TRUE(wakeup.wait(std::chrono::seconds(60)));
  other.join();
}

}  // namespace
}  // namespace pulse
