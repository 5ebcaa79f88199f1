#include "daemon/discovery/dns_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <thread>

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
NameAnswer no_such_name() { return {NameAnswer::Kind::no_such_name, {}, "look up: no such name"}; }
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
    const Round round =
        take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", at("10.0.0.2")}, {"pod-2", no_such_name()}});
    EXPECT_FALSE(round.complete) << look;
    EXPECT_EQ("look up: no such name", round.error) << look;
  }
  Round round = take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", at("10.0.0.2")}, {"pod-2", no_such_name()}});
  EXPECT_TRUE(round.complete && round.changed) << "now there is a list";
  EXPECT_EQ("", round.error);
  // A scale-in.
  for (int look = 1; look < kGoneLooks; ++look) {
    round = take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", no_such_name()}, {"pod-2", no_such_name()}});
    EXPECT_FALSE(round.changed) << look;
    EXPECT_EQ("", round.error) << "a list that doesn't age";
  }
  round = take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", no_such_name()}, {"pod-2", no_such_name()}});
  EXPECT_TRUE(round.changed && round.complete);
  EXPECT_THAT(addresses(known), ElementsAre("10.0.0.1"));
  // And out again: at once.
  round = take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", at("10.0.0.7")}, {"pod-2", no_such_name()}});
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
    for (const NameAnswer& answer : {no_such_name(), no_such_name(), servfail()}) {
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
    EXPECT_EQ("look up: no such name", take_in(known, {{"pod-0", no_such_name()}, {"pod-1", no_such_name()}}).error);
    take_in(known, {{"pod-0", no_such_name()}, {"pod-1", servfail()}});
  }
  EXPECT_THAT(addresses(known), ElementsAre("10.0.0.1", "10.0.0.2"));
  KnownNames one;
  for (int look = 0; look < 20; ++look) EXPECT_FALSE(take_in(one, {{"proxysql-core", no_such_name()}}).complete);
}

TEST(DnsNames, APodThatMovesIsFollowedAtOnce) {
  KnownNames known;
  take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", at("10.0.0.2")}});
  take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", no_such_name()}});
  const Round round = take_in(known, {{"pod-0", at("10.0.0.1")}, {"pod-1", at("10.0.0.9")}});
  EXPECT_TRUE(round.changed && round.complete && round.error.empty());
  EXPECT_THAT(addresses(known), ::testing::Contains("10.0.0.9"));
}

TEST(DnsNames, NobodyIsMissingFromAPartialAnswer) {
  KnownNames known;
  NameAnswer both = at("10.0.0.1");
  both.addresses.insert("fd00::1");
  take_in(known, {{"core", both}});
  NameAnswer half = at("10.0.0.1");
  half.partial = true;
  for (int look = 0; look < 20; ++look) EXPECT_FALSE(take_in(known, {{"core", half}}).changed);
  EXPECT_THAT(addresses(known), ElementsAre("10.0.0.1", "fd00::1"));
  half.addresses.insert("10.0.0.2");
  EXPECT_TRUE(take_in(known, {{"core", half}}).changed) << "who is in it, is";
}

TEST(DnsPace, IsTheIntervalOrTheTtl) {
  using std::chrono::seconds;
  const milliseconds interval(2000), max_age(60'000);
  EXPECT_EQ(interval, next_round(interval, max_age, std::nullopt));
  EXPECT_EQ(interval, next_round(interval, max_age, seconds(0)));
  EXPECT_EQ(interval, next_round(interval, max_age, seconds(1)));
  EXPECT_EQ(seconds(5), next_round(interval, max_age, seconds(5)));
  EXPECT_EQ(seconds(15), next_round(interval, max_age, seconds(3600))) << "the list must not age";
  EXPECT_EQ(seconds(20), next_round(seconds(20), max_age, seconds(3600))) << "nor more often than asked for";
}

// Looks until the source has been asked that many times, in a thread that is then stopped.
TEST(DnsSourceTest, IsStoppedWhileItLooks) {
  Config config;
  config.discovery.names = {"core"};
  const SourceLink link{std::make_shared<SourceStatus>(std::make_shared<Wakeup>()), std::make_shared<CallWatch>()};
  std::atomic<bool> asked = false;
  std::thread thread([&] {
    follow_names(config, link, [&](const std::string&, Deadline deadline, int stop_fd) {
      pollfd waiting{stop_fd, POLLIN, 0};
      asked = true;
      EXPECT_EQ(1, ::poll(&waiting, 1, deadline.poll_timeout_ms())) << "stopped before the deadline";
      return NameAnswer{};
    });
    link.calls->ended();
  });
  while (!asked) std::this_thread::yield();
  link.calls->stop();
  EXPECT_TRUE(link.calls->wait_ended(std::chrono::seconds(2)));
  thread.join();
}

}  // namespace
}  // namespace pulse
