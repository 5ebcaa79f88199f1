// What `doctor` says that statements on the admin interface bring about, and take away: a row for each.
#include <gtest/gtest.h>

#include "tests/integration/doctor.h"

namespace pulse::test {
namespace {

struct Change {
  const char* name;
  Ill ill;
  std::vector<const char*> make;
  std::vector<const char*> mend;
};
void PrintTo(const Change& each, std::ostream* out) { *out << each.name; }

class DoctorStatements : public ::testing::TestWithParam<Change> {};

TEST_P(DoctorStatements, WhatTheyBringAboutIsSaidUntilItIsGone) {
  Server server(healthy_node());
  wait_for_beats(server);
  const auto look = [&] { return diagnose(server); };
  EXPECT_EQ("", look().ills());
  const auto run = [&](const std::vector<const char*>& statements) {
    for (const char* statement : statements) server.query(statement);
  };
  comes_and_goes(
      GetParam().ill, look, [&] { run(GetParam().make); }, [&] { run(GetParam().mend); });
  Diagnosis last;
  EXPECT_TRUE(eventually([&] {
    last = look();
    return last.ills().empty();
  })) << last.ills();
}

std::string name_of(const ::testing::TestParamInfo<Change>& each) { return each.param.name; }

constexpr const char* kLoadScheduler = "LOAD SCHEDULER TO RUNTIME";
constexpr const char* kSaveScheduler = "SAVE SCHEDULER TO DISK";
constexpr const char* kSchedulerOfFile = "LOAD SCHEDULER FROM CONFIG";
constexpr const char* kLoadServers = "LOAD MYSQL SERVERS TO RUNTIME";
constexpr const char* kLoadUsers = "LOAD MYSQL USERS TO RUNTIME";
constexpr const char* kSaveUsers = "SAVE MYSQL USERS TO DISK";
constexpr const char* kLoadRules = "LOAD MYSQL QUERY RULES TO RUNTIME";
constexpr const char* kLoadVariables = "LOAD MYSQL VARIABLES TO RUNTIME";
constexpr const char* kLoadAdmin = "LOAD ADMIN VARIABLES TO RUNTIME";
constexpr const char* kSaveAdmin = "SAVE ADMIN VARIABLES TO DISK";

INSTANTIATE_TEST_SUITE_P(
    Scheduler, DoctorStatements,
    ::testing::Values(
        Change{"NoRowButInTheFile",
               {"critical", "scheduler", {"but the file has one", kSchedulerOfFile, kLoadScheduler, kSaveScheduler}},
               {"DELETE FROM scheduler", kLoadScheduler, kSaveScheduler},
               {kSchedulerOfFile, kLoadScheduler, kSaveScheduler}},
        Change{"TheRowIsInactive",
               {"critical", "scheduler", {"the row is inactive (id 1", "UPDATE scheduler SET active = 1 WHERE id = 1"}},
               {"UPDATE scheduler SET active = 0", kLoadScheduler},
               {"UPDATE scheduler SET active = 1 WHERE id = 1", kLoadScheduler, kSaveScheduler}},
        Change{"TheRowIsInMemoryAlone",
               {"critical", "scheduler", {"it is in memory alone (id 1"}},
               {"DELETE FROM scheduler", kLoadScheduler, kSchedulerOfFile},
               {kLoadScheduler, kSaveScheduler}},
        Change{"TwoRows",
               {"warning", "scheduler", {"2 active rows run the beat"}},
               {"INSERT INTO scheduler (id, active, interval_ms, filename, arg1, arg2, arg3) SELECT 2, active, "
                "interval_ms, filename, arg1, arg2, arg3 FROM scheduler WHERE id = 1",
                kLoadScheduler},
               {"DELETE FROM scheduler WHERE id = 2", kLoadScheduler, kSaveScheduler}},
        Change{"AnotherInterval",
               {"warning", "scheduler", {"the row's interval is 700 ms, the file's 500"}},
               {"UPDATE scheduler SET interval_ms = 700", kLoadScheduler},
               {kSchedulerOfFile, kLoadScheduler, kSaveScheduler}},
        Change{"NotOnDisk",
               {"warning", "scheduler", {"the row isn't on disk"}},
               {"DELETE FROM scheduler", kSaveScheduler, kSchedulerOfFile},
               {kSaveScheduler}},
        Change{"NoBeatForLong",
               {"critical", "beats", {"scheduler_silent: no beat for"}},
               {"DELETE FROM scheduler", kLoadScheduler},
               {kSchedulerOfFile, kLoadScheduler}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Health, DoctorStatements,
    ::testing::Values(
        // The file's first pair is the beats', too.
        Change{"TheLoginIsRefused",
               {"critical", "admin interface", {"ProxySQL runs on the admin_credentials there", kSaveAdmin}},
               {"SET admin-admin_credentials = 'other:other;radmin:radmin'", kLoadAdmin},
               {"SET admin-admin_credentials = 'admin:admin;radmin:radmin'", kLoadAdmin}},
        Change{"BeatsFail",
               {"critical", "beats", {"failing: beats have failed for"}},
               {"SET admin-admin_credentials = 'other:other;radmin:radmin'", kLoadAdmin},
               {"SET admin-admin_credentials = 'admin:admin;radmin:radmin'", kLoadAdmin}},
        Change{"NoBackendIsOnline",
               {"critical", "backends", {"none of 2 backends is online", "every statement fails"}},
               {"UPDATE mysql_servers SET status = 'OFFLINE_SOFT'", kLoadServers},
               {"UPDATE mysql_servers SET status = 'ONLINE'", kLoadServers}},
        Change{"OneBackendIsNotOnline",
               {"notice", "backends", {"1 of 2 backends online"}},
               {"UPDATE mysql_servers SET status = 'OFFLINE_SOFT' WHERE port = 3307", kLoadServers},
               {"UPDATE mysql_servers SET status = 'ONLINE'", kLoadServers}},
        Change{"Paused",
               {"critical", "mysql port", {"PROXYSQL PAUSE is in effect", "PROXYSQL RESUME"}},
               {"PROXYSQL PAUSE"},
               {"PROXYSQL RESUME"}},
        Change{"ThePortIsClosed",
               {"critical", "mysql port", {"doesn't answer: nothing listens there"}},
               {"PROXYSQL PAUSE"},
               {"PROXYSQL RESUME"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Modules, DoctorStatements,
    ::testing::Values(
        Change{
            "ServersAreNotLoaded",
            {"warning", "mysql_servers", {"memory and runtime differ in 2 rows", "weight: 7 in memory", kLoadServers}},
            {"UPDATE mysql_servers SET weight = 7"},
            {"UPDATE mysql_servers SET weight = 1"}},
        Change{"UsersAreNotLoaded",
               {"warning", "mysql_users", {"memory and runtime differ in 1 row", kLoadUsers}},
               {"UPDATE mysql_users SET max_connections = 7"},
               {"UPDATE mysql_users SET max_connections = 10000"}},
        Change{"RulesAreNotLoaded",
               {"warning", "mysql_query_rules", {"memory and runtime differ in 1 row", "in memory, not", kLoadRules}},
               {"INSERT INTO mysql_query_rules (rule_id, active, apply) VALUES (7, 1, 1)"},
               {"DELETE FROM mysql_query_rules"}},
        Change{"VariablesAreNotLoaded",
               {"warning",
                "mysql_variables",
                {"memory and runtime differ in 1 row (mysql-max_connections: 1777 in memory", kLoadVariables}},
               {"SET mysql-max_connections = 1777"},
               {"SET mysql-max_connections = 10000"}},
        Change{
            "AdminVariablesAreNotLoaded",
            {"warning", "admin_variables", {"memory and runtime differ in 1 row (admin-refresh_interval", kLoadAdmin}},
            {"SET admin-refresh_interval = 3000"},
            {"SET admin-refresh_interval = 2000"}},
        Change{"ServersAreNotSaved",
               {"notice", "mysql_servers", {"memory and disk differ in 2 rows", "SAVE MYSQL SERVERS TO DISK"}},
               {"UPDATE mysql_servers SET weight = 7", kLoadServers},
               {"UPDATE mysql_servers SET weight = 1", kLoadServers}},
        Change{"UsersAreNotSaved",
               {"notice", "mysql_users", {"memory and disk differ in 1 row", kSaveUsers}},
               {"UPDATE mysql_users SET max_connections = 7", kLoadUsers},
               {"UPDATE mysql_users SET max_connections = 10000", kLoadUsers}},
        Change{"TheFileLacksAUser",
               {"notice",
                "mysql_users",
                {"file and memory differ in 1 row (more: in memory, not in the file)", "LOAD MYSQL USERS FROM CONFIG"}},
               {"INSERT INTO mysql_users (username, password) VALUES ('more', 'hush')", kLoadUsers, kSaveUsers},
               {"DELETE FROM mysql_users WHERE username = 'more'", kLoadUsers, kSaveUsers}},
        Change{"TheFileSaysOtherwiseWhoGetsIn",
               {"warning",
                "admin_variables",
                {"file and ProxySQL say otherwise who gets in", "admin-cluster_password", "proxysql.db, which wins"}},
               {"SET admin-cluster_password = 'other'", kLoadAdmin, kSaveAdmin},
               {"SET admin-cluster_password = 'radmin'", kLoadAdmin, kSaveAdmin}},
        Change{
            "ALargeTable",
            {"notice", "mysql_query_rules", {"is large, only counted", "--diff mysql_query_rules compares all rows"}},
            {"INSERT INTO mysql_query_rules (rule_id, active) WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 "
             "FROM c WHERE x < 5001) SELECT x, 0 FROM c"},
            {"DELETE FROM mysql_query_rules"}}),
    name_of);

}  // namespace
}  // namespace pulse::test
