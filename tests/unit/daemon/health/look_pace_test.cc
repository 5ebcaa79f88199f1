#include "daemon/health/look_pace.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/unit/spans.h"

namespace pulse {
namespace {

TEST(LookPaceTest, LooksOftenWhileSomebodyAsksOrSomethingGoesOn) {
  EXPECT_EQ(milliseconds(500), pause_between_looks(false, 0, 100 * kSecond));
  EXPECT_EQ(milliseconds(500), pause_between_looks(true, 98 * kSecond, 100 * kSecond));
  EXPECT_EQ(milliseconds(500), pause_between_looks(false, 50 * kSecond, 100 * kSecond));
}

TEST(LookPaceTest, LooksSometimesBetweenProbesAndRarelyWhereThereAreNone) {
  EXPECT_EQ(milliseconds(4000), pause_between_looks(true, 97 * kSecond, 100 * kSecond));
  EXPECT_EQ(milliseconds(4000), pause_between_looks(true, 39 * kSecond, 100 * kSecond)) << "they come every minute";
  EXPECT_EQ(milliseconds(4000), pause_between_looks(true, 11 * kSecond, 100 * kSecond));
  EXPECT_EQ(milliseconds(10'000), pause_between_looks(true, 10 * kSecond, 100 * kSecond));
  EXPECT_EQ(milliseconds(10'000), pause_between_looks(true, 0, 100 * kSecond)) << "nobody has ever asked";
}

TEST(LookPaceTest, ARequestAfterALongPauseWakesTheLookerOnce) {
  sigset_t wake;
  sigemptyset(&wake);
  sigaddset(&wake, LookPace::wake_signal());
  ::pthread_sigmask(SIG_BLOCK, &wake, nullptr);
  const auto is_woken = [&] {
    const timespec none{};
    return ::sigtimedwait(&wake, nullptr, &none) == LookPace::wake_signal();
  };
  LookPace pace(::pthread_self());
  pace.asked();
  EXPECT_TRUE(is_woken()) << "there was no look yet";
  pace.asked();
  EXPECT_FALSE(is_woken()) << "it is on its way";
  const timespec pause = pace.looked(true);
  EXPECT_EQ(0, pause.tv_sec);
  EXPECT_EQ(500'000'000, pause.tv_nsec);
  pace.asked();
  EXPECT_FALSE(is_woken()) << "the look is fresh";
}

}  // namespace
}  // namespace pulse
