#include "scheduler/doctor/module_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Rows = std::vector<std::vector<std::string>>;

const FileModule& module(const char* name) { return *find_file_module(name); }

std::vector<std::string> lines(const std::vector<RowDifference>& rows) {
  std::vector<std::string> list;
  for (const RowDifference& row : rows) list.push_back(row.key + ": " + row.text);
  return list;
}

// Servers as "HOSTNAME WEIGHT STATUS" of hostgroup 0 and port 3306.
PlaceRows servers(Place place, const Rows& rows) {
  Rows cells;
  for (const auto& row : rows) cells.push_back({"0", row[0], "3306", row[1], row[2]});
  return rows_of_proxysql(module("mysql_servers"), "mysql_servers", place,
                          {"hostgroup_id", "hostname", "port", "weight", "status"}, cells);
}

TablePlaces same_everywhere() {
  TablePlaces table{"mysql_servers"};
  for (const Place place : {Place::memory, Place::runtime, Place::disk}) {
    table.at(place) = servers(place, {{"10.0.0.1", "1", "ONLINE"}});
  }
  return table;
}

TEST(ModulePlacesTest, WhatIsTheSameIsNotTold) {
  EXPECT_THAT(all_differences(same_everywhere()), IsEmpty());
  EXPECT_EQ("1 row in memory, 1 at runtime, 1 on disk", counts_text(same_everywhere()));
}

TEST(ModulePlacesTest, ARowIsMissingOrHasAnotherValue) {
  TablePlaces table = same_everywhere();
  table.at(Place::memory) = servers(Place::memory, {{"10.0.0.1", "7", "ONLINE"}, {"10.0.0.2", "1", "ONLINE"}});
  EXPECT_THAT(
      lines(differences(table, Place::memory, Place::runtime)),
      ElementsAre("0 10.0.0.1 3306: weight: 7 in memory, 1 at runtime", "0 10.0.0.2 3306: in memory, not at runtime"));
  EXPECT_THAT(lines(all_differences(table)),
              ElementsAre("0 10.0.0.1 3306: weight: 7 in memory, 1 at runtime and on disk",
                          "0 10.0.0.2 3306: in memory, not at runtime and on disk"));
  EXPECT_THAT(differences(table, Place::runtime, Place::disk), IsEmpty());
  EXPECT_THAT(differences(table, Place::file, Place::memory), IsEmpty()) << "the file has no such group";
}

TEST(ModulePlacesTest, RuntimeIsReadAsMemoryWouldHaveIt) {
  TablePlaces table = same_everywhere();
  table.at(Place::runtime) = servers(Place::runtime, {{"10.0.0.1", "1", "SHUNNED"}, {"10.0.0.9", "1", "OFFLINE_HARD"}});
  EXPECT_THAT(all_differences(table), IsEmpty());
  table.at(Place::runtime) = servers(Place::runtime, {{"10.0.0.1", "1", "OFFLINE_SOFT"}});
  EXPECT_THAT(lines(differences(table, Place::memory, Place::runtime)),
              ElementsAre("0 10.0.0.1 3306: status: ONLINE in memory, OFFLINE_SOFT at runtime"));
}

TEST(ModulePlacesTest, AUserStandsTwiceAtRuntimeAndItsPasswordIsNeverShown) {
  const std::vector<std::string> columns = {"username", "password", "backend", "frontend"};
  const auto users = [&](Place place, const Rows& rows) {
    return rows_of_proxysql(module("mysql_users"), "mysql_users", place, columns, rows);
  };
  TablePlaces table{"mysql_users"};
  table.at(Place::memory) = users(Place::memory, {{"app", "secret", "1", "1"}});
  table.at(Place::runtime) = users(Place::runtime, {{"app", "secret", "0", "1"}, {"app", "secret", "1", "0"}});
  EXPECT_THAT(all_differences(table), IsEmpty());
  EXPECT_EQ(1U, table.at(Place::runtime).count);
  table.at(Place::disk) = users(Place::disk, {{"app", "other", "1", "1"}});
  EXPECT_THAT(lines(differences(table, Place::memory, Place::disk)),
              ElementsAre("app: password: not the same in memory and on disk"));
  table.at(Place::disk) = users(Place::disk, {{"app", "*" + std::string(40, 'A'), "1", "1"}});
  EXPECT_THAT(differences(table, Place::memory, Place::disk), IsEmpty()) << "a hash of it, maybe";
}

TEST(ModulePlacesTest, ARuleThatIsNotActiveIsNotMissedAtRuntime) {
  const auto rules = [](Place place, const Rows& rows) {
    return rows_of_proxysql(module("mysql_query_rules"), "mysql_query_rules", place, {"rule_id", "active"}, rows);
  };
  TablePlaces table{"mysql_query_rules"};
  table.at(Place::memory) = rules(Place::memory, {{"1", "1"}, {"2", "0"}});
  table.at(Place::runtime) = rules(Place::runtime, {{"1", "1"}});
  EXPECT_THAT(all_differences(table), IsEmpty());
  table.at(Place::runtime) = rules(Place::runtime, {});
  EXPECT_THAT(lines(all_differences(table)), ElementsAre("1: in memory, not at runtime"));
}

TEST(ModulePlacesTest, OfVariablesOnlyTheModulesOwnCountAndOfTheFileWhatItGives) {
  const auto variables = [](Place place, const Rows& rows) {
    return rows_of_proxysql(module("mysql_variables"), "mysql_variables", place, {"variable_name", "variable_value"},
                            rows);
  };
  const auto file =
      parse_file_rows("mysql_variables = { threads = 2 monitor_password = \"x\" wait_timeout = 7 }", "/f");
  ASSERT_TRUE(file);
  TablePlaces table{"mysql_variables"};
  table.at(Place::file) = rows_of_file(file->find("mysql_variables"));
  table.at(Place::memory) = variables(Place::memory, {{"mysql-threads", "4"},
                                                      {"mysql-monitor_password", "y"},
                                                      {"mysql-wait_timeout", "7"},
                                                      {"mysql-other", "1"},
                                                      {"admin-mysql_ifaces", "0"}});
  EXPECT_THAT(lines(all_differences(table)),
              ElementsAre("mysql-monitor_password: not the same in the file and in memory",
                          "mysql-threads: 2 in the file, 4 in memory"));
}

TEST(ModulePlacesTest, TheFilesRowsAreComparedByTheColumnsThatItGives) {
  const auto file =
      parse_file_rows("mysql_servers = ( { address = \"10.0.0.1\" hostgroup = 0 weight = \"1\" } )", "/f");
  ASSERT_TRUE(file);
  TablePlaces table = same_everywhere();
  table.at(Place::file) = rows_of_file(file->find("mysql_servers"));
  EXPECT_THAT(all_differences(table), IsEmpty());
}

TEST(ModulePlacesTest, WhatIsOnlyCountedIsNotCompared) {
  TablePlaces table = same_everywhere();
  table.at(Place::memory) = servers(Place::memory, {});
  table.compared = false;
  EXPECT_THAT(all_differences(table), IsEmpty());
}

}  // namespace
}  // namespace pulse
