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

NameAnswer at(const std::string& address) { return {NameAnswer::Kind::addresses, {address}, ""}; }
NameAnswer nobody() { return {NameAnswer::Kind::no_such_name, {}, "look up: no such name"}; }
NameAnswer servfail() { return {NameAnswer::Kind::failed, {}, "look up: try again"}; }

std::set<std::string> addresses(const KnownNames& names) {
  std::set<std::string> all;
  for (const auto& [host, name] : names) {
    for (const auto& [address, missing] : name.addresses) all.insert(address);
  }
  return all;
}

TEST(DnsNames, OneThatDoesntExistWhileOthersAnswerIsANodeThatIsntThere) {
  KnownNames known;
  for (int look = 1; look < kGoneLooks; ++look) {
    const Round round = take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", at("10.0.0.2")}, {"pod-2", nobody()}});
    EXPECT_FALSE(round.complete) << look;
    EXPECT_EQ("look up: no such name", round.error) << look;
  }
  Round round = take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", at("10.0.0.2")}, {"pod-2", nobody()}});
  EXPECT_TRUE(round.complete && round.changed) << "now there is a list";
  EXPECT_EQ("", round.error);
  // A scale-in.
  for (int look = 1; look < kGoneLooks; ++look) {
    round = take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", nobody()}, {"pod-2", nobody()}});
    EXPECT_FALSE(round.changed) << look;
    EXPECT_EQ("", round.error) << "a list that doesn't age";
  }
  round = take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", nobody()}, {"pod-2", nobody()}});
  EXPECT_TRUE(round.changed && round.complete);
  EXPECT_THAT(addresses(known), ElementsAre("10.0.0.1"));
  // And out again: at once.
  round = take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", at("10.0.0.7")}, {"pod-2", nobody()}});
  EXPECT_TRUE(round.changed && round.complete);
  EXPECT_THAT(addresses(known), ElementsAre("10.0.0.1", "10.0.0.7"));
}

TEST(DnsNames, AnAnswerThatFailsIsNeverIsntThere) {
  KnownNames known;
  take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", at("10.0.0.2")}});
  for (int look = 0; look < 20; ++look) {
    const Round round = take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", servfail()}});
    EXPECT_FALSE(round.changed);
    EXPECT_EQ("look up: try again", round.error) << "the list ages";
  }
  // Nor between two answers that say so.
  for (int look = 0; look < 20; ++look) {
    for (const NameAnswer& answer : {nobody(), nobody(), servfail()}) {
      take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", answer}});
      if (answer.kind == NameAnswer::Kind::failed)
        take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", at("10.0.0.2")}});
    }
  }
  EXPECT_THAT(addresses(known), ElementsAre("10.0.0.1", "10.0.0.2"));
  KnownNames never;
  for (int look = 0; look < 20; ++look) {
    EXPECT_FALSE(take_in(never, {{"pod-0", at("10.0.0.1")}, {"pod-1", servfail()}}).complete);
  }
}

TEST(DnsNames, IfNoneAnswersNobodyGoes) {
  KnownNames known;
  take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", at("10.0.0.2")}});
  for (int look = 0; look < 20; ++look) {
    EXPECT_EQ("look up: no such name", take_in(known, {{"pod-0", nobody()}, {"pod-1", nobody()}}).error);
    take_in(known, {{"pod-0", nobody()}, {"pod-1", servfail()}});
  }
  EXPECT_THAT(addresses(known), ElementsAre("10.0.0.1", "10.0.0.2"));
  KnownNames one;
  for (int look = 0; look < 20; ++look) EXPECT_FALSE(take_in(one, {{"proxysql-core", nobody()}}).complete);
}

TEST(DnsNames, APodThatMovesIsFollowedAtOnce) {
  KnownNames known;
  take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", at("10.0.0.2")}});
  take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", nobody()}});
  const Round round = take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", at("10.0.0.9")}});
  EXPECT_TRUE(round.changed && round.complete && round.error.empty());
  EXPECT_THAT(addresses(known), ::testing::Contains("10.0.0.9"));
}

TEST(DnsSourceTest, LooksUp) {
  const NameAnswer loopback = look_up("127.0.0.1");
  EXPECT_EQ(NameAnswer::Kind::addresses, loopback.kind) << loopback.error;
  EXPECT_THAT(loopback.addresses, ElementsAre("127.0.0.1"));
  const NameAnswer none = look_up("no-such-host.invalid");
  EXPECT_NE(NameAnswer::Kind::addresses, none.kind);
  EXPECT_EQ(0u, none.error.find("look up no-such-host.invalid: ")) << none.error;
}

}  // namespace
}  // namespace pulse
