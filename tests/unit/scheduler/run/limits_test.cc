#include "scheduler/run/limits.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(IoDeadline, LeavesTimeToPublishAndToLog) {
  const MonotonicTime began{5'000'000'000};
  EXPECT_EQ(began + milliseconds(970), io_deadline(began, milliseconds(1000)).instant());
  EXPECT_EQ(began + milliseconds(80), io_deadline(began, milliseconds(100)).instant()) << "a fifth of a short one";
}

}  // namespace
}  // namespace pulse
