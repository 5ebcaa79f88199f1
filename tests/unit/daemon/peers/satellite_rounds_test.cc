#include "daemon/peers/satellite_rounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "shm/segment/text.h"
#include "tests/unit/spans.h"

namespace pulse {
namespace {

using ::testing::HasSubstr;

class SatelliteRoundsTest : public ::testing::Test {
 protected:
  void list(int satellites) {
    members_->count = static_cast<uint32_t>(1 + satellites);
    members_->cores = 1;
    for (int i = 0; i <= satellites; ++i) {
      Member& member = members_->members[static_cast<size_t>(i)];
      member = Member{};
      member.port = 6032;
      member.is_core = i == 0 ? 1 : 0;
      set_text(member.address, "10.0." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250));
      set_text(member.name, "pod-" + std::to_string(i));
    }
  }
  static SatelliteReport report(int64_t seen_ns) {
    StuckModule one{};
    set_text(one.module, "mysql_users");
    one.seen_ns = seen_ns;
    return {{one}};
  }
  // One turn, in which `says` answers for each that is asked.
  template <class Says>
  std::vector<PeerAddress> turn(Says says) {
    now_ns_ += kSecond;
    std::vector<PeerAddress> asked = rounds_.due(*members_, now_ns_);
    std::vector<Result<std::optional<SatelliteReport>>> answers;
    for (const PeerAddress& peer : asked) answers.push_back(says(peer.host));
    rounds_.take(answers, now_ns_);
    rounds_.tell(reports_, now_ns_);
    return asked;
  }
  static Result<std::optional<SatelliteReport>> well(const std::string&) {
    return std::optional<SatelliteReport>(SatelliteReport{});
  }

  std::unique_ptr<Members> members_ = std::make_unique<Members>();
  SatelliteRounds rounds_;
  SatelliteReports reports_{};
  int64_t now_ns_ = 1000 * kSecond;
};

TEST_F(SatelliteRoundsTest, EachIsAskedEveryThirtySecondsAndNoCore) {
  list(90);
  std::map<std::string, int> times;
  for (int i = 0; i < 60; ++i) {
    const auto asked = turn(well);
    EXPECT_EQ(3u, asked.size());
    for (const PeerAddress& peer : asked) ++times[peer.host];
  }
  EXPECT_EQ(90u, times.size());
  EXPECT_EQ(0u, times.count("10.0.0.1"));
  for (const auto& [host, count] : times) EXPECT_EQ(2, count) << host;
  EXPECT_EQ(90u, reports_.satellites);
  EXPECT_EQ(90u, reports_.answered);
  EXPECT_EQ(now_ns_, reports_.leads_ns);
}

TEST_F(SatelliteRoundsTest, NeverMoreThanThirtyTwoAtOnce) {
  list(1020);
  std::map<std::string, int> times;
  for (int i = 0; i < 34; ++i) {
    const auto asked = turn([&](const std::string&) {
      return Result<std::optional<SatelliteReport>>(std::optional<SatelliteReport>(report(now_ns_)));
    });
    EXPECT_LE(asked.size(), 32u);
    for (const PeerAddress& peer : asked) ++times[peer.host];
  }
  EXPECT_EQ(1020u, times.size()) << "those that have something to say keep nobody away";
  EXPECT_EQ(kStuckModules, reports_.count);
  EXPECT_EQ(1020u - kStuckModules, reports_.left_out);
}

TEST_F(SatelliteRoundsTest, OneWithSomethingToSayIsAskedEveryFiveSeconds) {
  list(2);
  int asked = 0;
  for (int i = 0; i < 30; ++i) {
    for (const PeerAddress& peer : turn([&](const std::string& host) {
           if (host != "10.0.0.2") return well(host);
           return Result<std::optional<SatelliteReport>>(std::optional<SatelliteReport>(report(now_ns_)));
         })) {
      if (peer.host == "10.0.0.2") ++asked;
    }
  }
  EXPECT_EQ(6, asked);
  ASSERT_EQ(1u, reports_.count);
  EXPECT_EQ("10.0.0.2", text(reports_.modules[0].address));
  EXPECT_EQ("pod-1", text(reports_.modules[0].name));
  EXPECT_EQ(6032u, reports_.modules[0].port);
  for (int i = 0; i < 6; ++i) turn(well);
  EXPECT_EQ(0u, reports_.count) << "it is well by now";
}

TEST_F(SatelliteRoundsTest, OneThatDoesntAnswerKeepsWhatItSaidForAWhile) {
  list(1);
  turn([&](const std::string&) {
    return Result<std::optional<SatelliteReport>>(std::optional<SatelliteReport>(report(now_ns_)));
  });
  const auto away = [](const std::string& host) {
    return Result<std::optional<SatelliteReport>>(Error{host + ": no answer"});
  };
  for (int i = 0; i < 300; ++i) turn(away);
  EXPECT_EQ(1u, reports_.count);
  EXPECT_EQ(0u, reports_.answered);
  EXPECT_THAT(text(reports_.error), HasSubstr("10.0.0.2: no answer"));
  for (int i = 0; i < 310; ++i) turn(away);
  EXPECT_EQ(0u, reports_.count);
}

TEST_F(SatelliteRoundsTest, WhoLeavesTheListIsForgotten) {
  list(2);
  for (int i = 0; i < 3; ++i) {
    turn([&](const std::string&) {
      return Result<std::optional<SatelliteReport>>(std::optional<SatelliteReport>(report(now_ns_)));
    });
  }
  EXPECT_EQ(2u, reports_.count);
  list(1);
  turn(well);
  EXPECT_EQ(1u, reports_.count);
  list(0);
  turn(well);
  EXPECT_EQ(0u, reports_.count);
  EXPECT_EQ(0, reports_.leads_ns);
}

TEST_F(SatelliteRoundsTest, AnOlderPulseIsCounted) {
  list(1);
  turn([](const std::string&) { return Result<std::optional<SatelliteReport>>(std::optional<SatelliteReport>()); });
  EXPECT_EQ(1u, reports_.older);
  EXPECT_EQ(0u, reports_.answered);
}

}  // namespace
}  // namespace pulse
