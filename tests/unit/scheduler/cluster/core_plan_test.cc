#include "scheduler/cluster/core_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/cluster/file_load.h"
#include "scheduler/cluster/unlock_and_divergence.h"
#include "shm/record/core_record.h"
#include "tests/unit/spans.h"

namespace pulse {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int64_t kNowS = 1'000'000;
constexpr int64_t kNowNs = 900'000'000'000;
constexpr int64_t kBoot = 800'000'000'000;

// Three cores, of which this one is 10.0.0.2; the table is right, the others are live and at version 2.
class CorePlanTest : public ::testing::Test {
 protected:
  CorePlanTest() {
    config_.role = Role::core;
    config_.core.authority = Authority::revision;
    config_.core.apply = Apply::on_boot;
    config_.core.modules = {"mysql_servers", "mysql_users", "mysql_query_rules", "mysql_variables"};
    config_.file_groups = {"mysql_users"};
    config_.satellite.peer_timeout = std::chrono::milliseconds(5000);
    list_.cores = {core(1, 100), core(2, 300), core(3, 200)};
    list_.cores[1].is_self = true;
    seen_.now_s = kNowS;
    seen_.modules = {{"mysql_users", 1, kNowS - 60, "0xOwn"}, {"proxysql_servers", 3, kNowS - 50, "0xTable"}};
    seen_.servers = {row(1), row(2), row(3)};
  }

  static Core core(int number, int64_t created_at) {
    return {{"10.0.0." + std::to_string(number), 6032}, "core-" + std::to_string(number), created_at, false};
  }
  static ServerRow row(int number) {
    return {"10.0.0." + std::to_string(number),
            6032,
            true,
            true,
            kNowS,
            kNowNs,
            {{"mysql_users", 2, kNowS - 70, "0xPeer"}, {"proxysql_servers", 3, kNowS - 50, "0xTable"}}};
  }
  ModuleRow& own(const std::string& name) {
    for (ModuleRow& module : seen_.modules) {
      if (module.name == name) return module;
    }
    return seen_.modules.emplace_back(ModuleRow{name, 1, kNowS - 60, "0xOwn"});
  }
  ModuleRow& theirs(int number, const std::string& name) {
    for (ModuleRow& module : seen_.servers[static_cast<size_t>(number - 1)].modules) {
      if (module.name == name) return module;
    }
    return seen_.servers[static_cast<size_t>(number - 1)].modules.emplace_back(ModuleRow{name, 1, 0, ""});
  }

  CorePlan made() { return plan_core({seen_, list_, config_, record_, started_ns_, now_ns_}); }
  std::vector<std::string> statements() {
    std::vector<std::string> all;
    for (const Step& step : made().plan.steps) {
      EXPECT_FALSE(step.reason.empty()) << step.statement;
      all.push_back(step.statement);
    }
    return all;
  }
  Standing standing() { return static_cast<Standing>(made().record.standing); }
  // Runs the plan as a beat does: afterwards the modules that it loads have this second's epoch.
  void beat() {
    CorePlan plan = made();
    const Seen before = seen_;
    std::vector<std::string> loaded;
    for (const Step& step : plan.plan.steps) {
      if (!step.loads) continue;
      loaded.push_back(step.part);
      own(step.part).epoch = seen_.now_s;
      ++own(step.part).version;
    }
    settle_core(plan.record, plan.applied, plan.plan, {loaded, {}}, before, seen_, now_ns_);
    record_ = plan.record;
  }
  void pass(int64_t seconds) {
    now_ns_ += seconds * kSecond;
    seen_.now_s += seconds;
    for (ServerRow& server : seen_.servers) server.updated_at = seen_.now_s;
  }
  // So that nothing is left to be loaded from the file.
  void settled() {
    record_.proxysql_started_ns = kBoot;
    record_.standing = static_cast<uint8_t>(Standing::aside);
    for (ModuleRow& module : seen_.modules) module.version = 2;
  }

  Seen seen_;
  CoreList list_;
  Config config_;
  CoreRecord record_{};
  int64_t started_ns_ = kBoot;
  int64_t now_ns_ = kNowNs;
};

const std::vector<std::string> kStampOfUsers = {"LOAD MYSQL USERS FROM CONFIG", "DELETE FROM mysql_users",
                                                "LOAD MYSQL USERS FROM CONFIG", "LOAD MYSQL USERS TO RUNTIME"};

TEST_F(CorePlanTest, AllIsWell) {
  settled();
  EXPECT_THAT(statements(), IsEmpty());
  EXPECT_EQ("", made().plan.situation);
}

TEST_F(CorePlanTest, TheTableHoldsExactlyTheCores) {
  settled();
  seen_.servers = {row(1), row(3)};
  seen_.servers[1].hostname = "proxysql-core";
  EXPECT_THAT(statements(),
              ElementsAre(HasSubstr("VALUES ('10.0.0.2', 6032, 0, 'core-2')"), HasSubstr("VALUES ('10.0.0.3'"),
                          "DELETE FROM proxysql_servers WHERE hostname = 'proxysql-core' AND port = 6032",
                          "LOAD PROXYSQL SERVERS TO RUNTIME"));
  EXPECT_THAT(made().plan.steps.back().reason, HasSubstr("+10.0.0.2:6032 +10.0.0.3:6032 -proxysql-core:6032"));
  EXPECT_EQ("proxysql_servers", made().plan.steps.back().needs_rows_in);
}

TEST_F(CorePlanTest, ATableRightInMemoryAloneIsLoaded) {
  settled();
  seen_.servers[2].in_runtime = false;
  EXPECT_THAT(statements(), ElementsAre("LOAD PROXYSQL SERVERS TO RUNTIME"));
  seen_.servers[2].in_runtime = true;
  seen_.servers[2].in_memory = false;
  EXPECT_THAT(statements(), ElementsAre(HasSubstr("INSERT"))) << "runtime is right already";
}

TEST_F(CorePlanTest, AnEmptiedTableIsFilledAgain) {
  settled();
  seen_.servers.clear();
  EXPECT_THAT(statements(), ElementsAre(HasSubstr("10.0.0.1"), HasSubstr("10.0.0.2"), HasSubstr("10.0.0.3"),
                                        "LOAD PROXYSQL SERVERS TO RUNTIME"));
}

TEST_F(CorePlanTest, TheTableIsNeverLoadedTwiceWithinOneSecond) {
  settled();
  seen_.servers.pop_back();
  own("proxysql_servers").epoch = kNowS;
  EXPECT_THAT(statements(), ElementsAre(HasSubstr("INSERT")));
  EXPECT_TRUE(made().plan.deferred);
  pass(1);
  EXPECT_THAT(statements(), ElementsAre(HasSubstr("INSERT"), "LOAD PROXYSQL SERVERS TO RUNTIME"));
}

TEST_F(CorePlanTest, NoMemberIsTouchedOnAListThatIsNotUsable) {
  settled();
  seen_.servers.clear();
  list_.unusable = "the list of members is 99000 ms old";
  EXPECT_THAT(statements(), IsEmpty());
  EXPECT_EQ(list_.unusable, made().plan.situation);
  list_.unusable.clear();
  list_.cores[1].is_self = false;
  EXPECT_THAT(statements(), IsEmpty());
  EXPECT_THAT(made().plan.situation, HasSubstr("this core is not among the members"));
}

TEST_F(CorePlanTest, TheNewestCoresFileIsTheAuthorityOncePerBoot) {
  EXPECT_EQ(kStampOfUsers, statements());
  EXPECT_EQ(Standing::authority, standing());
  EXPECT_EQ(1, made().record.waiting);
  EXPECT_THAT(made().plan.steps[0].undo, IsEmpty()) << "nothing is lost yet";
  EXPECT_EQ("SAVE MYSQL USERS TO MEMORY", made().plan.steps[1].undo);
  EXPECT_EQ("SAVE MYSQL USERS TO MEMORY", made().plan.steps[2].undo);
  EXPECT_EQ("SAVE MYSQL USERS TO MEMORY", made().plan.steps[3].undo);
  EXPECT_EQ("mysql_users", made().plan.steps[3].needs_rows_in);
  beat();
  EXPECT_EQ(0, record_.waiting);
  for (int i = 0; i < 20; ++i) {
    pass(1);
    EXPECT_THAT(statements(), IsEmpty()) << i;
    beat();
  }
  EXPECT_EQ(1, record_.stamps[0].settled);
  started_ns_ += 30 * kSecond;
  EXPECT_EQ(kStampOfUsers, statements()) << "another boot of ProxySQL";
}

TEST_F(CorePlanTest, ARestartRightAfterTheStampIsSeenByTheVersion) {
  beat();
  pass(2);
  own("mysql_users").version = 1;
  started_ns_ += kSecond;
  EXPECT_EQ(kStampOfUsers, statements());
  record_.stamps[0].loads = kMostLoads;
  EXPECT_THAT(statements(), IsEmpty()) << "not for ever, should a load not count versions";
}

TEST_F(CorePlanTest, OnlyTablesThatTheFileContainsAreEmptied) {
  config_.file_groups = {"mysql_servers", "mysql_replication_hostgroups", "mysql_variables", "mysql_users"};
  config_.core.modules = {"mysql_servers", "mysql_variables"};
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL SERVERS FROM CONFIG", "DELETE FROM mysql_servers",
                                        "DELETE FROM mysql_replication_hostgroups", "LOAD MYSQL SERVERS FROM CONFIG",
                                        "LOAD MYSQL SERVERS TO RUNTIME", "LOAD MYSQL VARIABLES FROM CONFIG",
                                        "LOAD MYSQL VARIABLES TO RUNTIME"));
}

TEST_F(CorePlanTest, AnOlderCoreStandsAsideForThisBoot) {
  list_.cores[2].created_at = 301;
  EXPECT_EQ(Standing::aside, standing());
  EXPECT_THAT(std::string(text(made().record.reason)), HasSubstr("created 1 s later"));
  EXPECT_THAT(statements(), IsEmpty()) << "a peer has version 2: it will be pulled";
  beat();
  list_.cores.pop_back();
  seen_.servers.pop_back();
  EXPECT_EQ(Standing::aside, standing()) << "also when the newer one is gone";
  started_ns_ += 30 * kSecond;
  EXPECT_EQ(Standing::aside, standing()) << "and after a restart of ProxySQL: a newer one has been seen";
}

TEST_F(CorePlanTest, ANewerCoreTakesOverBeforeThisOnesStampHasSettled) {
  beat();
  list_.cores[2].created_at = 301;
  own("mysql_users").checksum = "0xOld";
  own("mysql_users").epoch = kNowS - 100;
  pass(1);
  EXPECT_THAT(statements(), IsEmpty());
  EXPECT_EQ(Standing::aside, standing());
}

TEST_F(CorePlanTest, OfCoresMadeInTheSameSecondOneIsTheAuthority) {
  list_.cores[0].created_at = 300;
  EXPECT_EQ(Standing::aside, standing());
  EXPECT_THAT(std::string(text(made().record.reason)), HasSubstr("10.0.0.1:6032 was created in the same second"));
  list_.cores[0].created_at = 200;
  list_.cores[2].created_at = 300;
  EXPECT_EQ(Standing::authority, standing());
}

TEST_F(CorePlanTest, WithoutAListTheNewestIsUndecided) {
  list_.unusable = "no list";
  EXPECT_EQ(Standing::undecided, standing());
  EXPECT_THAT(statements(), IsEmpty());
  config_.core.authority = Authority::always;
  EXPECT_EQ(kStampOfUsers, statements());
  config_.core.authority = Authority::never;
  EXPECT_EQ(Standing::aside, standing());
}

TEST_F(CorePlanTest, ACoreThatIsNotAmongTheMembersSaysSoWhateverItsAuthority) {
  for (Core& core : list_.cores) core.is_self = false;
  for (const Authority authority : {Authority::never, Authority::always, Authority::revision}) {
    config_.core.authority = authority;
    EXPECT_THAT(std::string(text(made().record.reason)), HasSubstr("this core is not among the members"));
  }
}

TEST_F(CorePlanTest, ACoreWithoutASourceOfListsSaysWhatItLeavesUndone) {
  config_.discovery.source = Source::none;
  list_ = CoreList{};
  list_.unusable = "no list of members yet";
  config_.core.authority = Authority::never;
  EXPECT_THAT(std::string(text(made().record.reason)), HasSubstr("it has no list of the cores"));
  config_.discovery.source = Source::fixed;
  EXPECT_EQ("core.authority is \"never\"", text(made().record.reason));
}

TEST_F(CorePlanTest, WhileDiscoveryFailsNobodyIsTheNewest) {
  list_.age = std::chrono::nanoseconds(kNowNs - kBoot - kSecond + 1);
  EXPECT_EQ(Standing::undecided, standing());
  EXPECT_THAT(statements(), IsEmpty());
  list_.cores[2].created_at = 301;
  EXPECT_EQ(Standing::aside, standing()) << "that much is certain";
  list_.cores[2].created_at = 200;
  list_.age = std::chrono::nanoseconds(kNowNs - kBoot - kSecond);
  EXPECT_EQ(Standing::authority, standing()) << "looked after ProxySQL's start";
}

TEST_F(CorePlanTest, WithoutCreationTimesNobodyIsTheNewest) {
  for (Core& core : list_.cores) core.created_at = 0;
  EXPECT_EQ(Standing::aside, standing());
  EXPECT_THAT(std::string(text(made().record.reason)), HasSubstr("set core.authority"));
}

TEST_F(CorePlanTest, APullThatOverwroteTheStampIsAnsweredByAnother) {
  beat();
  pass(2);
  own("mysql_users") = {"mysql_users", 3, kNowS - 70, "0xPeer"};
  EXPECT_EQ(kStampOfUsers, statements());
  EXPECT_THAT(made().plan.steps[0].reason, HasSubstr("a pull that was under way"));
  beat();
  EXPECT_EQ(2u, record_.stamps[0].loads);
  pass(2);
  EXPECT_THAT(statements(), IsEmpty());
}

TEST_F(CorePlanTest, TwoThatOverwriteEachOtherComeToRest) {
  const auto other_loads = [&](const std::string& checksum) {
    pass(2);
    own("mysql_users") = theirs(3, "mysql_users") = {"mysql_users", 9, seen_.now_s - 1, checksum};
  };
  beat();
  for (uint32_t loads = 1; loads < kMostLoads; ++loads) {
    other_loads("0xPeer" + std::to_string(loads));
    EXPECT_EQ(kStampOfUsers, statements()) << loads;
    beat();
    EXPECT_EQ(loads + 1, record_.stamps[0].loads);
  }
  other_loads("0xPeer");
  EXPECT_THAT(statements(), IsEmpty()) << "the other one means it";
}

TEST_F(CorePlanTest, AStampOverwrittenBeforeItWasSeenIsNone) {
  CorePlan plan = made();
  const Seen before = seen_;
  own("mysql_users") = {"mysql_users", 3, kNowS - 70, "0xPeer"};
  settle_core(plan.record, plan.applied, plan.plan, {{"mysql_users"}, {}}, before, seen_, now_ns_);
  record_ = plan.record;
  EXPECT_EQ(1, record_.waiting);
  pass(1);
  EXPECT_EQ(kStampOfUsers, statements());
}

TEST_F(CorePlanTest, AnEpochOfTheSecondBeforeIsTheLoadsOwn) {
  CorePlan plan = made();
  const Seen before = seen_;
  own("mysql_users") = {"mysql_users", before.modules.front().version + 1, kNowS - 1, "0xFile"};
  settle_core(plan.record, plan.applied, plan.plan, {{"mysql_users"}, {}}, before, seen_, now_ns_);
  EXPECT_EQ(1u, plan.record.stamps_count);
  EXPECT_EQ(0, plan.record.waiting);
}

TEST_F(CorePlanTest, ARefusedStampIsTriedAgain) {
  CorePlan plan = made();
  settle_core(plan.record, plan.applied, plan.plan, {{}, {"mysql_users"}}, seen_, seen_, now_ns_);
  EXPECT_EQ(1, plan.record.waiting);
  EXPECT_EQ(0u, plan.record.stamps_count);
  record_ = plan.record;
  EXPECT_THAT(statements(), IsEmpty()) << "an answer that was lost isn't a load that wasn't run";
  pass(1);
  EXPECT_EQ(kStampOfUsers, statements());
}

TEST_F(CorePlanTest, WhatADeadBeatHasTakenApartIsPutTogetherBeforeAnythingElse) {
  record_ = made().record;  // as published before the plan is run
  EXPECT_NE(0, record_.taken_apart);
  EXPECT_THAT(statements(), ElementsAre("SAVE MYSQL USERS TO MEMORY")) << "it may have loaded in this second";
  pass(1);
  std::vector<std::string> again = kStampOfUsers;
  again.insert(again.begin(), "SAVE MYSQL USERS TO MEMORY");
  EXPECT_EQ(again, statements());
  const CoreRecord died = record_;
  record_.stamps_count = 1;
  set_text(record_.stamps[0].name, "mysql_users");
  record_.stamps[0].at_ns = kNowNs - 60 * kSecond;
  EXPECT_EQ(again, statements()) << "however late it is";
  record_ = died;
  beat();
  EXPECT_EQ(0, record_.taken_apart);
  record_ = died;
  list_.cores[2].created_at = 301;
  EXPECT_THAT(statements(), ElementsAre("SAVE MYSQL USERS TO MEMORY")) << "also by a core that isn't the authority";
  CorePlan plan = made();
  settle_core(plan.record, plan.applied, plan.plan, {{}, {"mysql_users"}}, seen_, seen_, now_ns_);
  EXPECT_EQ(0, plan.record.taken_apart);
  record_ = died;
  started_ns_ += 30 * kSecond;
  EXPECT_EQ(0, made().record.taken_apart) << "a fresh ProxySQL has its memory from disk or file";
}

TEST_F(CorePlanTest, WhoeverLoadsLaterHasTheSayOnceItHasSettled) {
  beat();
  for (uint32_t i = 1; i < kMostLoads; ++i) {
    pass(3);
    own("mysql_users") = {"mysql_users", 4, seen_.now_s - 1, "0xSomebodys"};
    theirs(1, "mysql_users") = {"mysql_users", 5, seen_.now_s - 1, "0xSomebodys"};
    EXPECT_EQ(kStampOfUsers, statements()) << i;
    beat();
    own("mysql_users").checksum = "0xOwn";
    set_text(record_.stamps[0].checksum, "0xOwn");
  }
  pass(2);
  own("mysql_users") = {"mysql_users", 4, seen_.now_s - 1, "0xSomebodys"};
  EXPECT_THAT(statements(), IsEmpty()) << "enough";
  record_.stamps[0].loads = 1;
  pass(9);
  EXPECT_THAT(statements(), IsEmpty());
  EXPECT_EQ(1, made().record.stamps[0].settled);
}

// An emergency change on another core, made when that one had the file's rows already.
TEST_F(CorePlanTest, WhatAnotherCoreLoadsSecondsAfterTheStampIsMeant) {
  beat();
  const CoreRecord stamped = record_;
  for (const int64_t after : {5, 6}) {
    record_ = stamped;
    own("mysql_users") = {"mysql_users", 4, stamped.stamps[0].epoch + after, "0xAPersons"};
    theirs(1, "mysql_users") = {"mysql_users", 5, stamped.stamps[0].epoch + after, "0xAPersons"};
    if (after == 5) pass(8);
    EXPECT_EQ(after == 5 ? kStampOfUsers : std::vector<std::string>(), statements()) << after;
  }
}

TEST_F(CorePlanTest, ALoadHereSoonAfterTheStampHasTheSay) {
  beat();
  pass(3);
  own("mysql_users") = {"mysql_users", 4, seen_.now_s - 1, "0xAPersons"};
  theirs(2, "mysql_users") = own("mysql_users");  // this core's own row
  const CoreRecord stamped = record_;
  EXPECT_THAT(statements(), IsEmpty()) << "no other core has it";
  EXPECT_EQ(1, made().record.stamps[0].settled);
  record_ = stamped;
  theirs(3, "mysql_users") = {"mysql_users", 9, seen_.now_s, "0xYetAnother"};
  EXPECT_EQ(kStampOfUsers, statements()) << "pulled from there before its last load, maybe";
  own("mysql_users").epoch = record_.stamps[0].epoch;
  theirs(3, "mysql_users") = {"mysql_users", 2, kNowS - 70, "0xPeer"};
  EXPECT_EQ(kStampOfUsers, statements()) << "no later load at all";
}

TEST_F(CorePlanTest, ALoadOfTheSameContentSettlesNothingBeforeTime) {
  beat();
  pass(2);
  own("mysql_users").epoch = seen_.now_s - 1;
  EXPECT_THAT(statements(), IsEmpty());
  beat();
  EXPECT_EQ(0, record_.stamps[0].settled);
  EXPECT_EQ(seen_.now_s - 1, record_.stamps[0].epoch);
  pass(2);
  own("mysql_users") = {"mysql_users", 6, kNowS, "0xPulled"};
  EXPECT_EQ(kStampOfUsers, statements());
}

TEST_F(CorePlanTest, AModuleThatWasJustLoadedIsStampedByTheNextBeat) {
  own("mysql_users").epoch = kNowS;
  EXPECT_THAT(statements(), IsEmpty());
  EXPECT_TRUE(made().plan.deferred);
  EXPECT_EQ(1, made().record.waiting);
  pass(1);
  EXPECT_EQ(kStampOfUsers, statements());
}

TEST_F(CorePlanTest, VersionOneIsUnlockedWhenNobodyHasANewerOne) {
  config_.core.authority = Authority::never;
  for (const int number : {1, 2, 3}) theirs(number, "mysql_users") = {"mysql_users", 1, kNowS - 60, "0xOwn"};
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME"));
  EXPECT_EQ("mysql_users", made().plan.steps[0].needs_rows_in) << "never an emptiness";
  theirs(3, "mysql_users").version = 2;
  EXPECT_THAT(statements(), IsEmpty()) << "that one is pulled";
  seen_.servers[2].silent = std::chrono::seconds(6);
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME")) << "dead";
  seen_.servers[2].updated_at = 0;
  seen_.servers[2].silent = {};
  EXPECT_THAT(statements(), IsEmpty()) << "not checked yet: it may have the newer one";
  seen_.servers[2].silent = std::chrono::seconds(59);
  EXPECT_THAT(statements(), IsEmpty()) << "the network may be slow to come up";
  seen_.servers[2].silent = std::chrono::seconds(61);
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME")) << "given up";
  seen_.servers[2].silent = {};
  list_.cores[0].created_at = 301;
  EXPECT_THAT(statements(), IsEmpty()) << "the newest does it";
  list_.cores[0].created_at = 100;
  seen_.servers[2].in_runtime = false;
  EXPECT_THAT(statements(), Not(::testing::Contains("LOAD MYSQL USERS TO RUNTIME"))) << "not even asked yet";
}

TEST_F(CorePlanTest, ANewerOneOfACoreThatTheListLacksIsPulledToo) {
  config_.core.authority = Authority::never;
  for (const int number : {1, 2, 3}) theirs(number, "mysql_users") = {"mysql_users", 1, kNowS - 60, "0xOwn"};
  seen_.servers.push_back(row(4));
  EXPECT_THAT(statements(), Not(::testing::Contains("LOAD MYSQL USERS TO RUNTIME"))) << "the list may be a minute old";
  seen_.servers.back().silent = std::chrono::seconds(6);
  EXPECT_THAT(statements(), ::testing::Contains("LOAD MYSQL USERS TO RUNTIME")) << "dead";
}

TEST_F(CorePlanTest, ACoreThatHasNothingKeepsNoOtherFromUnlocking) {
  config_.core.authority = Authority::never;
  for (const int number : {1, 2, 3}) theirs(number, "mysql_users") = {"mysql_users", 1, kNowS - 60, "0xOwn"};
  list_.cores[0].created_at = 301;
  EXPECT_THAT(statements(), IsEmpty()) << "the newest does it";
  theirs(1, "mysql_users").checksum = "0x0000000000000000";
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME"));
}

TEST_F(CorePlanTest, TheNewestRevisionThatWasSeenOutlivesARestart) {
  record_.proxysql_started_ns = kBoot;
  record_.newest_revision = 6;
  started_ns_ = kBoot + 60 * kSecond;
  EXPECT_EQ(6, made().record.newest_revision);
  EXPECT_EQ(6, core_record_after_boot(record_).newest_revision);
}

// A pod has come back with an old database and without a segment, and comes first; the others have what was served.
TEST_F(CorePlanTest, WhoDoesntKnowWhatWasServedWaitsForThoseWhoMay) {
  config_.core.authority = Authority::never;
  for (const int number : {1, 2, 3}) theirs(number, "mysql_users").version = 1;
  for (int i = 1; i < kStrangersTurn; ++i) {
    EXPECT_THAT(statements(), IsEmpty()) << i;
    EXPECT_THAT(text(find_core_module(made().record, "mysql_users")->kept), HasSubstr("the others are waited for"));
    record_ = made().record;
  }
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME")) << "nobody knows";
  theirs(3, "mysql_users").version = 2;
  EXPECT_THAT(statements(), IsEmpty()) << "it is pulled";
  record_ = made().record;
  theirs(3, "mysql_users").version = 1;
  EXPECT_THAT(statements(), IsEmpty()) << "from the beginning";
}

TEST_F(CorePlanTest, WhatWasWaitedBeforeARestartCountsForNothing) {
  config_.core.authority = Authority::never;
  record_.proxysql_started_ns = kBoot;
  for (const int number : {1, 2, 3}) theirs(number, "mysql_users").version = 1;
  for (int i = 1; i < kStrangersTurn; ++i) record_ = made().record;
  started_ns_ = kBoot + 60 * kSecond;
  EXPECT_THAT(statements(), IsEmpty()) << "it has another database now";
  EXPECT_EQ(1, find_core_module(made().record, "mysql_users")->locked_beats);
}

TEST_F(CorePlanTest, ALaterCoreThatKnowsWhatWasServedTakesItsTurn) {
  config_.core.authority = Authority::never;
  list_.cores[0].created_at = 400;  // comes first
  for (const int number : {1, 2, 3}) theirs(number, "mysql_users").version = 1;
  theirs(3, "mysql_users") = {"mysql_users", 2, kNowS - 70, "0xOwn"};  // what this one serves can be pulled there
  EXPECT_THAT(statements(), IsEmpty());
  record_ = made().record;
  EXPECT_EQ("0xOwn", text(find_core_module(record_, "mysql_users")->served));
  theirs(3, "mysql_users").version = 1;
  for (int i = 1; i < kBeatsOfATurn; ++i) {
    EXPECT_THAT(statements(), IsEmpty()) << i;
    record_ = made().record;
  }
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME"));
  own("mysql_users").checksum = "0xOld";
  EXPECT_THAT(statements(), IsEmpty()) << "not what was served";
}

// However many come before it, one that knows what was served comes before one that doesn't.
TEST_F(CorePlanTest, TheLastThatKnowsWhatWasServedComesBeforeAStranger) {
  config_.core.authority = Authority::never;
  list_.cores[0].created_at = list_.cores[2].created_at = 400;
  for (int number = 4; number <= 8; ++number) {
    list_.cores.push_back(core(number, 400));
    seen_.servers.push_back(row(number));
  }
  for (int number = 1; number <= 8; ++number) theirs(number, "mysql_users") = {"mysql_users", 1, kNowS - 60, "0xOld"};
  record_ = made().record;
  set_text(core_module(record_, "mysql_users")->served, "0xOwn");
  int beats = 1;
  for (; beats < kStrangersTurn && statements().empty(); ++beats) record_ = made().record;
  EXPECT_LE(beats, kStrangersTurn - kBeatsOfATurn);
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME"));
}

TEST_F(CorePlanTest, WhatIsUnlockedIsNotLoadedAgain) {
  config_.core.authority = Authority::never;
  for (const int number : {1, 2, 3}) theirs(number, "mysql_users").version = 1;
  own("mysql_users").version = 2;
  EXPECT_THAT(statements(), IsEmpty()) << "also while the others haven't pulled it yet";
}

TEST_F(CorePlanTest, UnlockingNeedsAModuleOfTheFileAndAList) {
  config_.core.authority = Authority::never;
  for (const int number : {1, 2, 3}) theirs(number, "mysql_users").version = 1;
  config_.file_groups.clear();
  EXPECT_THAT(statements(), IsEmpty());
  config_.file_groups = {"mysql_users"};
  list_.unusable = "no list";
  EXPECT_THAT(statements(), IsEmpty());
}

TEST_F(CorePlanTest, OneCoreEndsADivergenceAndItIsTheNewest) {
  settled();
  theirs(1, "mysql_users") = {"mysql_users", 5, kNowS - 60, "0xOther"};
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME"));
  EXPECT_THAT(made().plan.steps[0].reason, HasSubstr("differs from 10.0.0.1:6032 at the same epoch"));
  EXPECT_EQ("mysql_users", made().plan.steps[0].needs_rows_in) << "never an emptiness";
  list_.cores[0].created_at = 301;
  EXPECT_THAT(statements(), IsEmpty()) << "that one loads";
  for (Core& core : list_.cores) core.created_at = 0;
  EXPECT_THAT(statements(), IsEmpty()) << "the lowest address, where nobody says who is the newest";
  list_.cores[1].is_self = false;
  list_.cores[0].is_self = true;
  theirs(2, "mysql_users") = {"mysql_users", 5, kNowS - 60, "0xOther"};
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME"));
}

TEST_F(CorePlanTest, OnlyTheFirstOfAllThatAreAliveEndsADivergence) {
  settled();
  theirs(3, "mysql_users") = {"mysql_users", 5, kNowS - 60, "0xOther"};
  list_.cores[0].created_at = 400;
  EXPECT_THAT(statements(), IsEmpty()) << "it has an older epoch and will pull; then it shares this one";
  theirs(1, "mysql_users").epoch = kNowS - 10;
  EXPECT_THAT(statements(), IsEmpty()) << "it has a newer epoch: this core will pull";
  seen_.servers[0].silent = std::chrono::seconds(60);
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME")) << "dead";
}

TEST_F(CorePlanTest, WhatIsNoDivergence) {
  settled();
  const auto quiet = [&](const char* why, const ModuleRow& peer, int64_t updated_at) {
    theirs(1, "mysql_users") = peer;
    seen_.servers[0].updated_at = updated_at;
    seen_.servers[0].silent = std::chrono::seconds(kNowS - updated_at);
    EXPECT_THAT(statements(), IsEmpty()) << why;
  };
  quiet("another epoch: ProxySQL syncs", {"mysql_users", 5, kNowS - 61, "0xOther"}, kNowS);
  quiet("a newer epoch: this core pulls", {"mysql_users", 5, kNowS - 59, "0xOther"}, kNowS);
  quiet("version 1", {"mysql_users", 1, kNowS - 60, "0xOther"}, kNowS);
  quiet("dead", {"mysql_users", 5, kNowS - 60, "0xOther"}, kNowS - 20);
  own("mysql_users").epoch = kNowS - 1;
  quiet("read while that second lasted", {"mysql_users", 5, kNowS - 1, "0xOther"}, kNowS - 1);
  own("mysql_users").epoch = kNowS;
  quiet("that second still lasts", {"mysql_users", 5, kNowS, "0xOther"}, kNowS + 1);
}

TEST_F(CorePlanTest, AClockThatStepsBackAnHourDoesNotPutADivergenceOffForAnHour) {
  settled();
  own("mysql_users").epoch = kNowS + 3600;
  theirs(1, "mysql_users") = {"mysql_users", 5, kNowS + 3600, "0xOther"};
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL USERS TO RUNTIME"));
}

TEST_F(CorePlanTest, ADivergentTableOfCoresIsLoadedAgainToo) {
  settled();
  theirs(3, "proxysql_servers").checksum = "0xOther";
  EXPECT_THAT(statements(), ElementsAre("LOAD PROXYSQL SERVERS TO RUNTIME"));
}

TEST_F(CorePlanTest, ServersAreComparedAsLoadedNotAsTheMonitorLeftThem) {
  settled();
  seen_.modules.push_back({"mysql_servers", 2, kNowS - 60, "0xShunned"});
  seen_.modules.push_back({"mysql_servers_v2", 2, kNowS - 60, "0xAsLoaded"});
  theirs(1, "mysql_servers") = {"mysql_servers", 2, kNowS - 60, "0xOnline"};
  theirs(1, "mysql_servers_v2") = {"mysql_servers_v2", 2, kNowS - 60, "0xAsLoaded"};
  EXPECT_THAT(statements(), IsEmpty());
  theirs(1, "mysql_servers_v2").checksum = "0xOther";
  EXPECT_THAT(statements(), ElementsAre("LOAD MYSQL SERVERS TO RUNTIME"));
}

// What ProxySQL doesn't read from its file, FROM CONFIG wouldn't bring back.
TEST_F(CorePlanTest, RowsOfLaterTablesGoOnlyWhereTheyComeBack) {
  config_.file_groups.emplace_back("mysql_query_rules");
  config_.file_groups.emplace_back("mysql_query_rules_fast_routing");
  config_.core.modules = {"mysql_query_rules"};
  own("mysql_query_rules") = {"mysql_query_rules", 2, kNowS - 60, "0xOwn"};
  for (const bool reads : {false, true}) {
    CoreInput input{seen_, list_, config_, record_, started_ns_, now_ns_};
    input.reads_later_tables = reads;
    std::vector<std::string> all;
    for (const Step& step : plan_core(input).plan.steps) all.push_back(step.statement);
    EXPECT_THAT(all, ::testing::Contains("DELETE FROM mysql_query_rules"));
    EXPECT_EQ(reads ? 1 : 0, std::count(all.begin(), all.end(), "DELETE FROM mysql_query_rules_fast_routing"));
  }
}

TEST_F(CorePlanTest, GarbageInTheRecordIsBounded) {
  record_.proxysql_started_ns = kBoot;
  record_.stamps_count = 4'000'000'000;
  record_.standing = 200;
  EXPECT_THAT(statements(), Each(Not(IsEmpty())));
}

// PostgreSQL's modules: what peers hold of them is in no answer.
class PgsqlPlanTest : public CorePlanTest {
 protected:
  PgsqlPlanTest() {
    config_.core.modules = {"pgsql_servers", "pgsql_users", "pgsql_query_rules", "pgsql_variables"};
    config_.file_groups = {"pgsql_users", "pgsql_variables"};
    seen_.modules.push_back({"pgsql_users", 1, kNowS - 60, "0xOwn"});
    seen_.modules.push_back({"pgsql_variables", 1, kNowS - 60, "0xOwn"});
    seen_.modules.push_back({"pgsql_servers", 1, kNowS - 60, "0xOwn"});
  }
  CorePlan plan(bool syncs) {
    return plan_core({seen_, list_, config_, record_, started_ns_, now_ns_, {}, {}, nullptr, false, syncs});
  }
  std::vector<std::string> statements_of(bool syncs) {
    std::vector<std::string> all;
    for (const Step& step : plan(syncs).plan.steps) all.push_back(step.statement);
    return all;
  }
  std::string why(const CorePlan& plan, const char* module) {
    const CoreModule* found = find_core_module(plan.record, module);
    return found == nullptr ? "" : std::string(text(found->why));
  }
};

TEST_F(PgsqlPlanTest, TheNewestCoresFileIsLoadedAsOfMysql) {
  EXPECT_THAT(statements_of(true), ElementsAre("LOAD PGSQL USERS FROM CONFIG", "DELETE FROM pgsql_users",
                                               "LOAD PGSQL USERS FROM CONFIG", "LOAD PGSQL USERS TO RUNTIME",
                                               "LOAD PGSQL VARIABLES FROM CONFIG", "LOAD PGSQL VARIABLES TO RUNTIME"));
  for (const Step& step : plan(true).plan.steps) {
    EXPECT_EQ(step.loads, step.from_file) << "read back before it is loaded";
    const bool table = step.statement == "LOAD PGSQL USERS TO RUNTIME";
    EXPECT_EQ(table ? "pgsql_users" : "", step.needs_rows_in);
  }
}

TEST_F(PgsqlPlanTest, WhatNobodyPullsStaysAsItIs) {
  EXPECT_THAT(statements_of(false), IsEmpty());
  EXPECT_THAT(why(plan(false), "pgsql_users"), HasSubstr("syncs it since 3.0.7"));
}

TEST_F(PgsqlPlanTest, WhatKeepsNoVersionIsntLoaded) {
  own("pgsql_variables") = {"pgsql_variables", 0, 0, ""};
  EXPECT_THAT(statements_of(true), Not(::testing::Contains(HasSubstr("PGSQL VARIABLES"))));
  EXPECT_THAT(why(plan(true), "pgsql_variables"), HasSubstr("keeps no version"));
}

TEST_F(PgsqlPlanTest, AVersionWithoutThemIsntAskedForThem) {
  std::erase_if(seen_.modules, [](const ModuleRow& row) { return row.name.starts_with("pgsql"); });
  record_.proxysql_started_ns = kBoot;
  record_.taken_apart = ~uint32_t{0} << 5;  // by a beat that died while there was a newer ProxySQL
  for (const bool syncs : {false, true}) EXPECT_THAT(statements_of(syncs), IsEmpty());
  EXPECT_THAT(why(plan(false), "pgsql_users"), HasSubstr("has no PostgreSQL modules"));
  config_.file_groups = {"mysql_users"};
  EXPECT_EQ(nullptr, find_core_module(plan(false).record, "pgsql_users")) << "and nothing is noted of them";
}

TEST_F(PgsqlPlanTest, NothingIsUnlockedForWhatOthersHaveIsntKnown) {
  config_.core.authority = Authority::never;
  EXPECT_THAT(statements_of(true), IsEmpty());
  const CorePlan made = plan(true);
  const CoreModule* users = find_core_module(made.record, "pgsql_users");
  ASSERT_NE(nullptr, users);
  EXPECT_THAT(std::string(text(users->kept)), HasSubstr("LOAD PGSQL USERS TO RUNTIME on one core makes it count"));
  list_.cores = {list_.cores[1]};
  seen_.servers = {row(2)};
  EXPECT_THAT(statements_of(true), IsEmpty()) << "nor by a core that is alone: it may only not know of the others";
  own("pgsql_users").version = 2;
  const CorePlan after = plan(true);
  EXPECT_EQ("", text(find_core_module(after.record, "pgsql_users")->kept));
}

TEST_F(PgsqlPlanTest, NoDivergenceIsEnded) {
  config_.core.authority = Authority::never;
  for (const char* name : {"pgsql_users", "pgsql_servers"}) own(name).version = 3;
  theirs(1, "pgsql_users") = {"pgsql_users", 5, kNowS - 60, "0xOther"};  // should a version show it one day
  EXPECT_THAT(statements_of(true), IsEmpty());
}

TEST_F(PgsqlPlanTest, APullThatOverwroteTheLoadShowsInTheEpochAndIsMadeGood) {
  const CorePlan first = plan(true);
  Seen after = seen_;
  for (ModuleRow& row : after.modules) {
    if (!row.name.starts_with("pgsql_users")) continue;
    row.version = 2;
    row.epoch = kNowS - 300;  // a peer's, which came right after the load
    row.checksum = "0xPeers";
  }
  CorePlan settled_plan = first;
  settle_core(settled_plan.record, settled_plan.applied, settled_plan.plan, {{"pgsql_users"}, {}}, seen_, after,
              now_ns_);
  record_ = settled_plan.record;
  seen_ = after;
  pass(2);
  EXPECT_THAT(statements_of(true), ::testing::Contains("LOAD PGSQL USERS TO RUNTIME"));
}

}  // namespace
}  // namespace pulse
