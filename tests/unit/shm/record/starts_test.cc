#include "shm/record/starts.h"

#include <gtest/gtest.h>

#include "tests/unit/spans.h"

namespace pulse {
namespace {

class StartsTest : public ::testing::Test {
 protected:
  using Inodes = std::vector<uint32_t>;
  // A look half a second after the last one.
  const ProxysqlStart& look(const std::optional<Inodes>& mysql, const std::optional<Inodes>& admin) {
    now_ += kSecond / 2;
    return start_ = next_start(start_, {mysql, admin}, paused_, now_);
  }
  ProxysqlStart start_{};
  bool paused_ = false;
  int64_t now_ = 1000 * kSecond;
};

TEST_F(StartsTest, WhoRanBeforeTheFirstLookHasNoKnownBeginning) {
  EXPECT_EQ(0, look(Inodes{11}, Inodes{12}).since_ns);
  EXPECT_EQ(0, look(Inodes{11}, Inodes{12}).since_ns);
  EXPECT_TRUE(is_of(start_, 1)) << "all that is known is of this one";
}

TEST_F(StartsTest, WhoAppearsHasStarted) {
  look(Inodes{}, Inodes{});
  look(Inodes{}, Inodes{12});
  EXPECT_EQ(now_, start_.since_ns) << "the admin port comes first";
  const int64_t since = start_.since_ns;
  EXPECT_EQ(since, look(Inodes{11}, Inodes{12}).since_ns);
}

TEST_F(StartsTest, BothPortsOfOthersAreANewStart) {
  look(Inodes{11, 13}, Inodes{12});
  look(Inodes{}, Inodes{});
  const int64_t seen = start_.seen_ns;
  look(Inodes{21, 23}, Inodes{22});
  EXPECT_EQ(now_, start_.since_ns);
  EXPECT_EQ(seen, start_.not_before_ns);
  look(Inodes{31}, Inodes{32});  // between two looks
  EXPECT_EQ(now_, start_.since_ns);
  const int64_t since = start_.since_ns;
  look(Inodes{31}, Inodes{32});
  EXPECT_EQ(since, start_.since_ns);
}

TEST_F(StartsTest, PauseAndResumeAreNone) {
  look(Inodes{11}, Inodes{12});
  start_.served_ns = now_;
  look(Inodes{}, Inodes{12});
  look(Inodes{21}, Inodes{12});
  EXPECT_EQ(0, start_.since_ns);
  EXPECT_NE(0, start_.served_ns);
  look(Inodes{21}, Inodes{22});
  EXPECT_EQ(0, start_.since_ns) << "nor is an admin port that was moved";
  look(Inodes{31}, Inodes{22});
  EXPECT_EQ(0, start_.since_ns) << "each port is compared with what it was";
}

TEST_F(StartsTest, WithoutAnAdminPortTheMysqlPortDecidesUnlessItWasPaused) {
  look(Inodes{11}, Inodes{});
  paused_ = true;
  look(Inodes{}, Inodes{});
  look(Inodes{21}, Inodes{});
  EXPECT_EQ(0, start_.since_ns);
  paused_ = false;
  look(Inodes{31}, Inodes{});
  EXPECT_EQ(now_, start_.since_ns);
}

TEST_F(StartsTest, ALookThatCantTellChangesNothing) {
  look(Inodes{11}, Inodes{12});
  look(std::nullopt, Inodes{22});
  look(Inodes{21}, std::nullopt);
  EXPECT_EQ(0, start_.since_ns) << "the admin port may be the same";
}

TEST_F(StartsTest, TheSameMysqlSocketsAreTheSameWithoutAWordOfTheAdminPort) {
  look(Inodes{11, 13}, Inodes{12});
  const ProxysqlStart before = start_;
  look(Inodes{11, 13}, std::nullopt);
  EXPECT_EQ(before.since_ns, start_.since_ns);
  EXPECT_EQ(before.admin, start_.admin) << "kept for the look that needs them";
  EXPECT_EQ(now_, start_.seen_ns);
  look(Inodes{21}, Inodes{12});
  EXPECT_EQ(before.since_ns, start_.since_ns);
}

TEST_F(StartsTest, WhatWasServedIsOfOneStart) {
  look(Inodes{11}, Inodes{12});
  start_.served_ns = now_;
  look(Inodes{21}, Inodes{22});
  EXPECT_EQ(0, start_.served_ns);
}

TEST_F(StartsTest, AnObservationIsOfTheStartThatItWasMadeIn) {
  look(Inodes{11}, Inodes{12});
  const int64_t seen = now_;
  now_ += 20 * kSecond;
  for (int i = 0; i < 4; ++i) look(Inodes{}, Inodes{});
  look(Inodes{21}, Inodes{22});
  EXPECT_FALSE(is_of(start_, now_ - kSecond, 900 * kSecond));
  EXPECT_TRUE(is_of(start_, now_, 900 * kSecond));
  EXPECT_TRUE(is_of(start_, now_ - kSecond / 4, seen + 22 * kSecond)) << "a beat was faster than the look";
  EXPECT_FALSE(is_of(start_, now_ - kSecond / 4, seen + kSecond)) << "uptimes are of whole seconds";
}

TEST_F(StartsTest, AfterAGapInTheLooksOnlyWhatIsSeenFromNowOnCounts) {
  look(Inodes{11}, Inodes{12});
  const int64_t seen = now_;
  now_ += 60 * kSecond;
  look(Inodes{21}, Inodes{22});
  EXPECT_FALSE(is_of(start_, now_ - kSecond, seen + 30 * kSecond))
      << "of a ProxySQL that came and went meanwhile, maybe";
  EXPECT_TRUE(is_of(start_, now_));
}

TEST_F(StartsTest, ManySocketsAreKeptAsTheSameFew) {
  Inodes many;
  for (uint32_t inode = 500; inode > 400; --inode) many.push_back(inode);
  look(many, Inodes{12});
  look(many, Inodes{});
  EXPECT_EQ(0, start_.since_ns);
  EXPECT_EQ(kListeners, start_.mysql_count);
  EXPECT_EQ(401u, start_.mysql[0]);
}

TEST_F(StartsTest, ScribbledCountsAreBounded) {
  look(Inodes{11}, Inodes{12});
  start_.mysql_count = start_.admin_count = 4'000'000'000;
  look(Inodes{21}, Inodes{22});
  EXPECT_EQ(now_, start_.since_ns);
}

}  // namespace
}  // namespace pulse
