#include "scheduler/users/users_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/users/users_statements.h"

namespace pulse {
namespace {

using ::testing::HasSubstr;
using Names = std::set<std::string>;

constexpr const char* kMark = "pulse";
const std::string kOld = "*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B";
const std::string kNew = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";

UserRow row(const std::string& name, const std::string& comment, const std::string& password = kOld) {
  UserRow one;
  one.name = name;
  one.password = password;
  one.comment = comment;
  one.rest = rest_of_new_row(kMysqlUsers, 0);
  return one;
}

// A table in memory, at runtime, and what is wanted.
struct Case {
  UserRows memory;
  UserRows runtime;
  Selection selection;
  std::vector<HostgroupRule> hostgroups = {};
  int64_t percent = 20;
  bool force = false;

  Case& wants(const std::string& name, const std::string& hash = kOld) {
    selection.wanted.push_back({name, hash});
    return *this;
  }
  Case& serves(const UserRow& one) {
    memory.push_back(one);
    sort(memory);
    runtime = as_served(memory);
    return *this;
  }
  UsersPlan plan() {
    sort(memory);
    sort(runtime);
    return plan_users({kMysqlUsers, selection, memory, runtime, hostgroups, kMark, percent, force});
  }
};

TEST(UsersPlan, NothingToDoIsNothingDone) {
  const UsersPlan plan = Case().wants("app").serves(row("app", kMark)).plan();
  EXPECT_EQ("", plan.refusal);
  EXPECT_TRUE(plan.does_nothing());
}

TEST(UsersPlan, ANewAccountGetsARowWithTheMark) {
  Case one;
  one.wants("app", kNew).serves(row("hand", ""));
  one.hostgroups = {{"a*", 7}};
  const UsersPlan plan = one.plan();
  EXPECT_EQ("", plan.refusal);
  EXPECT_EQ((Names{"app"}), plan.added);
  ASSERT_EQ(1u, plan.writes.size());
  EXPECT_EQ(kMark, plan.writes[0].comment);
  EXPECT_EQ(kNew, plan.writes[0].password);
  EXPECT_EQ(7, plan.writes[0].hostgroup);
  EXPECT_TRUE(plan.loads);
  EXPECT_EQ(4u, plan.served.size()) << "both users, both sides";
}

TEST(UsersPlan, AChangedPasswordIsAllThatChanges) {
  UserRow mine = row("app", std::string(kMark) + " of team a");
  mine.rest = 12345;  // somebody has set its max_connections
  mine.hostgroup = 3;
  Case one;
  one.wants("app", kNew).serves(mine);
  one.hostgroups = {{"*", 7}};
  const UsersPlan plan = one.plan();
  EXPECT_EQ("", plan.refusal);
  EXPECT_EQ((Names{"app"}), plan.changed);
  mine.password = kNew;
  EXPECT_EQ(UserRows{mine}, plan.writes);
  EXPECT_TRUE(plan.loads);
}

TEST(UsersPlan, ARowMadeByHandIsNeverChanged) {
  for (const char* comment : {"", "by hand", "pulses", "a pulse"}) {
    const UsersPlan plan = Case().wants("app", kNew).wants("b").serves(row("app", comment)).plan();
    EXPECT_EQ((Names{"b"}), plan.added) << comment;
    EXPECT_EQ((Names{"app"}), plan.by_hand);
    EXPECT_EQ(1u, plan.writes.size());
  }
}

TEST(UsersPlan, ARowMadeByHandIsNeverRemoved) {
  const UsersPlan plan = Case().wants("b").serves(row("app", "by hand")).plan();
  EXPECT_TRUE(plan.removed.empty());
  EXPECT_EQ(4u, plan.served.size());
}

TEST(UsersPlan, AnAccountThatIsGoneIsSwitchedOffByTheSameStatementThatAddsOthers) {
  Case one;
  one.wants("new").serves(row("gone", kMark));
  const UsersPlan plan = one.plan();
  EXPECT_EQ("", plan.refusal);
  EXPECT_EQ((Names{"gone"}), plan.removed);
  ASSERT_EQ(2u, plan.writes.size());
  EXPECT_EQ("gone", plan.writes[0].name);
  EXPECT_FALSE(plan.writes[0].active);
  EXPECT_EQ(removed_comment(kMark), plan.writes[0].comment);
  EXPECT_TRUE(plan.sweeps);
  for (const UserRow& served : plan.served) EXPECT_EQ("new", served.name);
}

TEST(UsersPlan, AnEmptySourceRemovesNobodyWhateverIsForced) {
  Case one;
  one.serves(row("app", kMark));
  one.force = true;
  one.percent = 100;
  EXPECT_THAT(one.plan().refusal, HasSubstr("nobody is removed"));
}

Case with_own(size_t own, size_t gone) {
  Case one;
  for (size_t i = 0; i < own; ++i) {
    const std::string name = "u" + std::to_string(100 + i);
    one.memory.push_back(row(name, kMark));
    if (i >= gone) one.wants(name);
  }
  one.runtime = as_served(one.memory);
  return one;
}

TEST(UsersPlan, NoMoreThanAFifthGoesAtOnce) {
  EXPECT_EQ("", with_own(10, 2).plan().refusal);
  EXPECT_THAT(with_own(10, 3).plan().refusal, HasSubstr("3 users of 10 would go, and 2 may at once"));
  Case forced = with_own(10, 9);
  forced.force = true;
  EXPECT_EQ("", forced.plan().refusal);
}

TEST(UsersPlan, OneOfAFewMayAlwaysGoUnlessNoneMay) {
  EXPECT_EQ("", with_own(2, 1).plan().refusal);
  Case none = with_own(2, 1);
  none.percent = 0;
  EXPECT_NE("", none.plan().refusal);
  EXPECT_EQ(1u, most_removals(4, 20));
  EXPECT_EQ(0u, most_removals(1000, 0));
  EXPECT_EQ(200u, most_removals(1000, 20));
}

TEST(UsersPlan, HandMadeRowsDontMakeTheFifthLarger) {
  Case one = with_own(4, 2);
  for (int i = 0; i < 50; ++i) one.serves(row("hand" + std::to_string(i), ""));
  EXPECT_NE("", one.plan().refusal);
}

TEST(UsersPlan, NewAccountsDontMakeItLargerEither) {
  Case one = with_own(4, 2);
  for (int i = 0; i < 50; ++i) one.wants("v" + std::to_string(100 + i));
  EXPECT_THAT(one.plan().refusal, HasSubstr("2 users of 4 would go"));
}

TEST(UsersPlan, WhatSomebodyHasNotLoadedYetIsNotLoadedByUs) {
  struct Edit {
    const char* what;
    std::function<void(UserRows&)> make;
  };
  for (const Edit& edit : std::vector<Edit>{
           {"a new row", [](UserRows& rows) { rows.push_back(row("draft", "")); }},
           {"a deleted row",
            [](UserRows& rows) { std::erase_if(rows, [](const UserRow& r) { return r.name == "hand"; }); }},
           {"a column", [](UserRows& rows) { rows.back().rest = 1; }},
           {"a comment", [](UserRows& rows) { rows.back().comment = "y"; }},
           {"a password", [](UserRows& rows) { rows.back().password = kNew; }},
           {"one switched off", [](UserRows& rows) { rows.back().active = false; }},
           {"a column of ours", [](UserRows& rows) { rows.front().rest = 1; }},
           {"ours switched off", [](UserRows& rows) { rows.front().active = false; }},
           {"ours taken over", [](UserRows& rows) { rows.front().comment = "mine now"; }},
       }) {
    Case one;
    one.wants("app").wants("new").serves(row("app", kMark)).serves(row("hand", "x"));
    edit.make(one.memory);
    EXPECT_THAT(one.plan().refusal, HasSubstr("isn't what serves")) << edit.what;
  }
}

TEST(UsersPlan, AClearPasswordAndItsHashAreTakenForTheSame) {
  Case one;
  one.wants("app").serves(row("hand", "", "secret"));
  for (UserRow& served : one.runtime) served.password = kNew;
  EXPECT_EQ("", one.plan().refusal);
}

// Killed after its statement, before its load: what is in memory is its own.
TEST(UsersPlan, ARunThatWasKilledBeforeItsLoadIsGoneOnWith) {
  Case one;
  one.wants("app", kNew).wants("new").serves(row("app", kMark)).serves(row("gone", kMark)).serves(row("hand", ""));
  one.memory = one.plan().memory;
  const UsersPlan second = one.plan();
  EXPECT_EQ("", second.refusal);
  EXPECT_TRUE(second.writes.empty());
  EXPECT_TRUE(second.loads);
  EXPECT_TRUE(second.sweeps);
}

TEST(UsersPlan, ARunThatWasKilledAfterItsLoadSweeps) {
  Case one;
  one.wants("app").serves(row("app", kMark)).serves(row("gone", kMark));
  one.memory = one.plan().memory;
  one.runtime = as_served(one.memory);
  const UsersPlan second = one.plan();
  EXPECT_FALSE(second.loads);
  EXPECT_TRUE(second.sweeps);
  EXPECT_TRUE(second.removed.empty());
}

TEST(UsersPlan, AnAccountThatComesBackBeforeItsRowIsGoneIsSwitchedOnAgain) {
  Case one;
  one.wants("app").wants("back").serves(row("app", kMark));
  UserRow off = row("back", removed_comment(kMark));
  off.active = false;
  one.memory.push_back(off);
  const UsersPlan plan = one.plan();
  EXPECT_EQ("", plan.refusal);
  ASSERT_EQ(1u, plan.writes.size());
  EXPECT_TRUE(plan.writes[0].active);
  EXPECT_EQ(kMark, plan.writes[0].comment);
  EXPECT_FALSE(plan.sweeps);
}

TEST(UsersPlan, OneThatSomebodyHasSwitchedOffStaysOff) {
  UserRow off = row("off", kMark);
  off.active = false;
  const UsersPlan plan = Case().wants("app").wants("off", kNew).serves(row("app", kMark)).serves(off).plan();
  ASSERT_EQ(1u, plan.writes.size());
  EXPECT_FALSE(plan.writes[0].active);
  EXPECT_EQ(kNew, plan.writes[0].password);
}

// What a pull from a peer, or SAVE MYSQL USERS FROM RUNTIME, makes of them.
TEST(UsersPlan, ThePairOfRowsThatRuntimeHasIsOurs) {
  Case one;
  one.wants("app", kNew).wants("b");
  one.memory = one.runtime = as_served({row("app", kMark), row("b", kMark), row("gone", kMark)});
  const UsersPlan plan = one.plan();
  EXPECT_EQ("", plan.refusal);
  EXPECT_EQ(4u, plan.writes.size()) << "both rows of app, both of gone";
  EXPECT_EQ(4u, plan.served.size());
}

TEST(UsersPlan, AUserWhoseHostsDifferStaysAsItIs) {
  Case one;
  one.wants("b").serves(row("app", kMark)).serves(row("b", kMark));
  one.selection.kept = {"app"};
  EXPECT_TRUE(one.plan().does_nothing());
}

TEST(UsersPlan, ARowThatSomebodyDeletedAndLoadedComesBack) {
  const UsersPlan plan = Case().wants("app").wants("b").serves(row("b", kMark)).plan();
  EXPECT_EQ((Names{"app"}), plan.added);
}

TEST(UsersStatements, OnlyPlainTextsAreQuotedAsTheyAre) {
  EXPECT_EQ("'app1'", sql_text("app1"));
  EXPECT_EQ("'" + kNew + "'", sql_text(kNew));
  EXPECT_EQ("CAST(x'6F276E65696C' AS TEXT)", sql_text("o'neil"));
  EXPECT_EQ("CAST(x'0A01C3A4' AS TEXT)", sql_text("\n\x01\xc3\xa4"));
  // The name of a table that ProxySQL refreshes when a statement has it, or never answers again.
  EXPECT_EQ(std::string::npos, sql_text("stats_proxysql_servers_metrics").find("stats"));
}

}  // namespace
}  // namespace pulse
