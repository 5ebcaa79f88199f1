#include "daemon/discovery/dns_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse {
namespace {

using ::testing::ElementsAre;
using ::testing::Key;

TEST(DnsSourceTest, AnAddressComesAtOnceAndGoesAfterThreeLooks) {
  KnownAddresses known;
  EXPECT_TRUE(take_in(known, {"10.0.0.1", "10.0.0.2"}));
  EXPECT_FALSE(take_in(known, {"10.0.0.1", "10.0.0.2"}));
  EXPECT_TRUE(take_in(known, {"10.0.0.1", "10.0.0.3"}));
  EXPECT_THAT(known, ElementsAre(Key("10.0.0.1"), Key("10.0.0.2"), Key("10.0.0.3")));
  EXPECT_FALSE(take_in(known, {"10.0.0.1", "10.0.0.3"}));
  EXPECT_TRUE(take_in(known, {"10.0.0.1", "10.0.0.3"}));
  EXPECT_THAT(known, ElementsAre(Key("10.0.0.1"), Key("10.0.0.3")));
}

TEST(DnsSourceTest, OnlyLooksInARowCount) {
  KnownAddresses known;
  take_in(known, {"10.0.0.1", "10.0.0.2"});
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(take_in(known, {"10.0.0.1"}));
    EXPECT_FALSE(take_in(known, {"10.0.0.1"}));
    EXPECT_FALSE(take_in(known, {"10.0.0.1", "10.0.0.2"}));
  }
}

TEST(DnsSourceTest, AResolverThatTurnsItsAnswersAroundLosesNobody) {
  KnownAddresses known;
  for (int i = 0; i < 9; ++i) take_in(known, {i % 3 == 0 ? "10.0.0.1" : i % 3 == 1 ? "10.0.0.2" : "10.0.0.3"});
  EXPECT_EQ(3u, known.size());
}

TEST(DnsSourceTest, LooksUp) {
  const auto loopback = look_up("127.0.0.1");
  ASSERT_TRUE(loopback) << loopback.error().text;
  EXPECT_THAT(*loopback, ElementsAre("127.0.0.1"));
  const auto none = look_up("no-such-host.invalid");
  ASSERT_FALSE(none);
  EXPECT_EQ(0u, none.error().text.find("look up no-such-host.invalid: ")) << none.error().text;
}

}  // namespace
}  // namespace pulse
