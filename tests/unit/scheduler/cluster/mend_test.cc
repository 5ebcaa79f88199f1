#include "scheduler/cluster/mend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/cluster/core_plan.h"
#include "shm/record/core_record.h"
#include "tests/unit/spans.h"

namespace pulse {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kMendNowS = 1'000'000;
constexpr int64_t kMendNowNs = 9'000 * kSecond;
constexpr int64_t kMendBoot = 100 * kSecond;

// Three cores at rest, of which this one is 10.0.0.2 and asks the satellites. Somebody has loaded users on one, two
// minutes ago.
class MendTest : public ::testing::Test {
 protected:
  MendTest() {
    config_.role = Role::core;
    config_.core.authority = Authority::never;
    config_.satellite.peer_timeout = std::chrono::milliseconds(5000);
    config_.satellite.mend = MendMode::reload;
    for (int i = 1; i <= 3; ++i) {
      list_.cores.push_back({{address(i), 6032}, "core-" + std::to_string(i), 100 + i, i == 2});
      seen_.servers.push_back({address(i), 6032, true, true, kMendNowS, kMendNowNs, rows()});
    }
    seen_.now_s = kMendNowS;
    seen_.modules = rows();
    record_.proxysql_started_ns = kMendBoot;
    record_.standing = static_cast<uint8_t>(Standing::aside);
    reports_.leads_ns = reports_.asked_ns = kMendNowNs;
    reports_.satellites = reports_.answered = 1;
    stuck("10.0.0.7", "mysql_users", "0xTheirs");
  }

  static std::string address(int number) { return "10.0.0." + std::to_string(number); }
  static std::vector<ModuleRow> rows() {
    return {{"mysql_servers_v2", 2, kMendNowS - 700, "0xServers"},
            {"mysql_users", 3, kMendNowS - 500, "0xUsers"},
            {"mysql_query_rules", 2, kMendNowS - 700, "0xRules"},
            {"proxysql_servers", 3, kMendNowS - 50, "0xTable"}};
  }
  StuckModule& stuck(const std::string& satellite, const std::string& module, const std::string& checksum) {
    StuckModule& one = reports_.modules[reports_.count++];
    set_text(one.address, satellite);
    one.port = 6032;
    set_text(one.module, module);
    set_text(one.checksum, checksum);
    set_text(one.peers_checksum, find_module(seen_.modules, module)->checksum);
    one.epoch = kMendNowS - 120;
    one.since_ns = now_ns_ - 118 * kSecond;
    one.seen_ns = now_ns_ - 2 * kSecond;
    one.origin = static_cast<uint8_t>(ModuleOrigin::here);
    return one;
  }
  StuckModule& first() { return reports_.modules[0]; }
  ModuleRow& own(const std::string& name) { return *const_cast<ModuleRow*>(find_module(seen_.modules, name)); }
  ModuleRow& theirs(int core, const std::string& name) {
    return *const_cast<ModuleRow*>(find_module(seen_.servers[static_cast<size_t>(core - 1)].modules, name));
  }

  CorePlan made() {
    return plan_core({seen_,
                      list_,
                      config_,
                      record_,
                      kMendBoot,
                      now_ns_,
                      kNothingApplied,
                      {},
                      nullptr,
                      false,
                      false,
                      asks_ ? &reports_ : nullptr,
                      mends_});
  }
  std::vector<std::string> statements() {
    std::vector<std::string> all;
    for (const Step& step : made().plan.steps) {
      EXPECT_TRUE(step.as_served) << step.statement;
      EXPECT_NE("", step.needs_rows_in) << step.statement;
      all.push_back(step.statement);
    }
    return all;
  }
  std::string why() {
    const CorePlan plan = made();
    EXPECT_TRUE(plan.plan.steps.empty()) << plan.plan.steps.front().statement;
    return plan.mends.count == 0 ? "" : std::string(text(plan.mends.mends[0].why));
  }
  // The beat runs its plan, and time passes. The satellite is as before, but for its reports.
  void beat(int64_t seconds, const std::string& held = "") {
    const CorePlan plan = made();
    mends_ = plan.mends;
    Outcomes outcomes;
    for (const Step& step : plan.plan.steps) {
      ++loads_;
      if (held.empty()) {
        outcomes.loaded.push_back(step.part);
      } else {
        outcomes.held.push_back({step.part, held});
      }
    }
    settle_mends(mends_, plan.plan, outcomes);
    pass(seconds);
  }
  void pass(int64_t seconds) {
    now_ns_ += seconds * kSecond;
    seen_.now_s += seconds;
    reports_.leads_ns = now_ns_;
    for (uint32_t i = 0; i < reports_.count; ++i) reports_.modules[i].seen_ns = now_ns_;
  }

  Seen seen_;
  CoreList list_;
  Config config_;
  CoreRecord record_{};
  MendRecord mends_{};
  SatelliteReports reports_{};
  bool asks_ = true;
  int64_t now_ns_ = kMendNowNs;
  int loads_ = 0;
};

TEST_F(MendTest, OneCoreLoadsItAgainAsItServesIt) {
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME"));
  const CorePlan plan = made();
  EXPECT_THAT(plan.plan.steps[0].reason,
              AllOf(HasSubstr("10.0.0.7:6032"), HasSubstr("0xTheirs"), HasSubstr("0xUsers")));
  ASSERT_EQ(1u, plan.mends.count);
  EXPECT_EQ(1u, plan.mends.mends[0].loads);
  EXPECT_EQ(kMendNowNs, plan.mends.mends[0].loaded_ns);
  asks_ = false;
  EXPECT_EQ("", why()) << "not the one that asks";
}

TEST_F(MendTest, OfServersTheLoadIsMysqlServers) {
  reports_.count = 0;
  stuck("10.0.0.7", "mysql_servers_v2", "0xTheirs");
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL SERVERS TO RUNTIME"));
}

TEST_F(MendTest, ByDefaultItIsOnlySaid) {
  config_.satellite.mend = Config{}.satellite.mend;
  EXPECT_THAT(why(), HasSubstr("satellite.mend is \"report\""));
}

TEST_F(MendTest, NotBeforeItHasStoodForAMinute) {
  first().since_ns = now_ns_ - 59 * kSecond;
  EXPECT_THAT(why(), HasSubstr("for a minute"));
  first().since_ns = now_ns_ - 60 * kSecond;
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME"));
}

TEST_F(MendTest, AnOldReportCountsForNothing) {
  first().seen_ns = now_ns_ - 90 * kSecond;
  EXPECT_THAT(why(), HasSubstr("old"));
  first().seen_ns = now_ns_;
  reports_.leads_ns = now_ns_ - 15 * kSecond;
  EXPECT_EQ("", why()) << "another core leads by now, or this daemon has died";
}

TEST_F(MendTest, AnEmptyModuleIsNeverLoaded) {
  for (auto* rows : {&seen_.modules, &seen_.servers[0].modules, &seen_.servers[1].modules, &seen_.servers[2].modules}) {
    const_cast<ModuleRow*>(find_module(*rows, "mysql_users"))->checksum = "0x0000000000000000";
  }
  set_text(first().peers_checksum, "0x0000000000000000");
  EXPECT_THAT(why(), HasSubstr("empty on this core"));
}

TEST_F(MendTest, ACoreThatStartedWithAnOldDatabaseLoadsNothing) {
  own("mysql_users").version = 1;
  for (int core = 1; core <= 3; ++core) theirs(core, "mysql_users").version = 1;
  EXPECT_THAT(why(), HasSubstr("version 1 on all cores"));
}

TEST_F(MendTest, ACoreThatStartedWithTheSameAsTheOthersMayLoad) {
  own("mysql_users").version = 1;
  own("mysql_users").epoch = kMendNowS - 20;
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME"));
  own("mysql_users").checksum = "0xOld";
  EXPECT_THAT(why(), HasSubstr("don't agree"));
}

TEST_F(MendTest, AllLiveCoresMustAgree) {
  theirs(3, "mysql_users").checksum = "0xOther";
  EXPECT_THAT(why(), AllOf(HasSubstr("10.0.0.3:6032"), HasSubstr("don't agree")));
  seen_.servers[2].modules.clear();
  EXPECT_THAT(why(), HasSubstr("don't agree")) << "never read from it";
}

TEST_F(MendTest, ACoreThatIsDownMattersOnlyIfItHadSomethingNewer) {
  seen_.servers[2].silent = std::chrono::seconds(60);
  theirs(3, "mysql_users").checksum = "0xOther";
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME")) << "older";
  theirs(3, "mysql_users").epoch = kMendNowS - 110;
  EXPECT_THAT(why(), HasSubstr("had something newer"));
  seen_.servers[2].silent = {};
  seen_.servers[2].moved_ns = 0;
  EXPECT_THAT(why(), HasSubstr("hasn't been reached yet"));
}

TEST_F(MendTest, AnotherClustersSatelliteIsLeftAlone) {
  set_text(first().peers_checksum, "0xElsewhere");
  EXPECT_THAT(why(), HasSubstr("another cluster's"));
}

TEST_F(MendTest, WhatACoreHasLoadedSinceIsAboutToBePulled) {
  theirs(1, "mysql_users").epoch = kMendNowS - 60;
  EXPECT_THAT(why(), HasSubstr("about to pull"));
}

TEST_F(MendTest, WhatWasPulledFromACoreThatHasGoneIsForPeople) {
  first().origin = static_cast<uint8_t>(ModuleOrigin::core);
  EXPECT_THAT(why(), HasSubstr("isn't there any more"));
  first().origin = static_cast<uint8_t>(ModuleOrigin::unknown);
  EXPECT_THAT(why(), HasSubstr("no beat there has seen"));
  first().epoch = own("mysql_users").epoch;
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME")) << "as new as the cores' and never synced";
}

TEST_F(MendTest, ALoadOfATimeToComeIsWaitedFor) {
  first().epoch = kMendNowS;
  EXPECT_THAT(why(), HasSubstr("time to come"));
}

TEST_F(MendTest, ThisCoresFileComesFirst) {
  CoreModule* users = core_module(record_, "mysql_users");
  users->state = static_cast<uint8_t>(FileState::waiting);
  EXPECT_THAT(why(), HasSubstr("file is being loaded"));
  users->state = static_cast<uint8_t>(FileState::applied);
  users->pending = 1;
  EXPECT_THAT(why(), HasSubstr("file is being loaded"));
}

TEST_F(MendTest, VariablesAndTheTableOfCoresAreNoBusinessOfIts) {
  reports_.count = 0;
  seen_.modules.push_back({"mysql_variables", 2, kMendNowS - 700, "0xVariables"});
  stuck("10.0.0.7", "mysql_variables", "0xTheirs");
  stuck("10.0.0.7", "proxysql_servers", "0xTheirs");
  EXPECT_THAT(statements(), IsEmpty());
}

// It differs again after each load: something loads there all the time.
TEST_F(MendTest, AfterThreeLoadsInVainItStops) {
  for (int i = 0; i < 60; ++i) {
    beat(60);
    first().epoch = seen_.now_s - 30;
    if (i == 3) {
      EXPECT_EQ(1, loads_) << "within five minutes";
    }
  }
  EXPECT_EQ(3, loads_);
  EXPECT_THAT(why(), HasSubstr("3 times"));
  // At rest an hour after the last load, it begins anew.
  const StuckModule again = first();
  const auto comes_back = [&] {
    reports_.count = 1;
    first() = again;
    first().epoch = seen_.now_s - 30;
    pass(0);
    beat(60);
  };
  reports_.count = 0;
  beat(60);
  comes_back();
  EXPECT_EQ(3, loads_);
  reports_.count = 0;
  for (int i = 0; i < 15; ++i) beat(60);
  comes_back();
  EXPECT_EQ(4, loads_);
}

TEST_F(MendTest, OneLoadServesAllThatAreStuck) {
  for (int i = 8; i < 8 + 30; ++i) stuck("10.0.0." + std::to_string(i), "mysql_users", "0xTheirs");
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME"));
  EXPECT_EQ(kMends, made().mends.count) << "as many as there is room for";
  beat(30);
  EXPECT_EQ(1, loads_);
  reports_.count = 1;
  first().epoch = seen_.now_s - 10;
  set_text(first().address, "10.0.0.99");
  beat(31);
  EXPECT_EQ(1, loads_) << "another one, within a minute";
  beat(1);
  EXPECT_EQ(2, loads_);
}

TEST_F(MendTest, ALoadThatIsHeldBackSaysWhyAndCountsForNone) {
  beat(1, "memory isn't what this core serves: mysql_users app");
  EXPECT_EQ(0u, mends_.mends[0].loads);
  EXPECT_THAT(why(), HasSubstr("memory isn't what this core serves"));
  pass(298);
  EXPECT_THAT(why(), HasSubstr("memory isn't what this core serves"));
  pass(1);
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME")) << "five minutes later";
}

TEST_F(MendTest, TwoLeadersLoadTheSameOnce) {
  // The other one has loaded: the satellite, whose report is from before, is about to pull.
  theirs(1, "mysql_users").epoch = seen_.now_s;
  pass(2);
  EXPECT_THAT(why(), HasSubstr("about to pull"));
}

TEST_F(MendTest, NotTwiceInOneSecond) {
  own("mysql_users").epoch = theirs(1, "mysql_users").epoch = theirs(3, "mysql_users").epoch = kMendNowS;
  first().epoch = kMendNowS;
  EXPECT_THAT(statements(), IsEmpty());
}

TEST_F(MendTest, ALoadOfAnEarlierBootOfTheMachineHoldsNothingUp) {
  beat(0);
  mends_.mends[0].loaded_ns = now_ns_ + 5000 * kSecond;
  mends_.mends[0].loads = 1;
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME"));
}

}  // namespace
}  // namespace pulse
