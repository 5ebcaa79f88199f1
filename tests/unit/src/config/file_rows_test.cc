#include "src/config/file_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse {
namespace {

using ::testing::HasSubstr;

const FileModule& module_of(const char* name) { return *find_file_module(name); }

FileRows rows_of(const std::string& text) {
  auto rows = parse_file_rows(text, "/x/test.cnf");
  EXPECT_TRUE(rows) << rows.error().text;
  return rows ? *rows : FileRows{};
}

ContentHash hash(const std::string& text, const char* module, const std::string& key = "key") {
  return content_hash(rows_of(text), module_of(module), key);
}

constexpr const char* kUsers = "mysql_users=( { username=\"a\", password=\"x\" }, { username=\"b\", active=true } )";

TEST(FileRows, TheSameRowsHaveTheSameHashHoweverTheyAreWritten) {
  const ContentHash one = hash(kUsers, "mysql_users");
  EXPECT_NE(ContentHash{}, one);
  EXPECT_EQ(one, hash("# comment\nmysql_users:( {active=1;username=\"b\";}, {password=\"x\",username=\"a\",}, );"
                      "mysql_servers=( { address=\"h\", hostgroup=0 } )",
                      "mysql_users"));
  EXPECT_NE(one,
            hash("mysql_users=( { username=\"a\", password=\"y\" }, { username=\"b\", active=true } )", "mysql_users"));
  EXPECT_NE(one, hash("mysql_users=( { username=\"a\", password=\"x\" } )", "mysql_users"));
  EXPECT_EQ(ContentHash{}, hash(kUsers, "mysql_servers")) << "no rows";
  EXPECT_EQ(ContentHash{}, hash("mysql_users=()", "mysql_users"));
  EXPECT_EQ(hash("mysql_servers=( { address=\"h\", hostgroup=1 } )", "mysql_servers"),
            hash("mysql_servers=( { hostname=\"h\", hostgroup_id=1, port=3306 } )", "mysql_servers"));
  EXPECT_EQ(hash("mysql_variables={ max_connections=4, have_ssl=true }", "mysql_variables"),
            hash("mysql_variables={ have_ssl=\"true\"; max_connections=\"4\"; }", "mysql_variables"));
  EXPECT_EQ(hash("mysql_variables={ have_ssl=true, threads=2, interfaces=\"10.0.0.1:6033\" }", "mysql_variables"),
            hash("mysql_variables={ have_ssl=true, threads=4, interfaces=\"10.0.0.2:6033\" }", "mysql_variables"))
      << "each node has its own";
}

TEST(FileRows, APasswordIsComparedAsItIs) {
  EXPECT_NE(hash("mysql_users=( { username=\"a\", password=\"007\" } )", "mysql_users"),
            hash("mysql_users=( { username=\"a\", password=\"7\" } )", "mysql_users"));
}

TEST(FileRows, TheHashIsKeyedByWhatTheClusterShares) {
  const std::string users = kUsers;
  EXPECT_NE(hash(users, "mysql_users", "one"), hash(users, "mysql_users", "other"));
  const std::string cluster = users + " admin_variables={ cluster_username=\"c\", cluster_password=\"s\" }";
  EXPECT_EQ(hash(cluster, "mysql_users", "one"), hash(cluster, "mysql_users", "other"));
  EXPECT_NE(hash(cluster, "mysql_users"),
            hash(users + " admin_variables={ cluster_username=\"c\", cluster_password=\"t\" }", "mysql_users"));
}

TEST(FileRows, RowsAreAsProxySqlReadsThem) {
  const FileRows rows = rows_of(
      "mysql_users=( { username=\"a\", default_hostgroup=1 }, { password=\"nobody\" }, "
      "{ username=\"a\", default_hostgroup=2 }, { username=\"b\", attributes=[1] } )");
  const FileTable* users = rows.find("mysql_users");
  ASSERT_NE(nullptr, users);
  ASSERT_EQ(2U, users->rows.size());
  EXPECT_EQ("2", users->rows[0].at("default_hostgroup")) << "the last row of a user replaces the others";
}

TEST(FileRows, AnErrorNamesFileAndLine) {
  const auto rows = parse_file_rows("\nmysql_users=( {", "/x/test.cnf");
  ASSERT_FALSE(rows);
  EXPECT_THAT(rows.error().text, HasSubstr("/x/test.cnf:2"));
}

class DifferenceTest : public ::testing::Test {
 protected:
  std::string of(std::vector<std::vector<std::string>> memory) {
    const FileRows rows = rows_of("mysql_users=( { username=\"a\", password=\"x\", default_hostgroup=1 } )");
    return difference(*rows.find("mysql_users"), {"username", "password", "default_hostgroup", "comment"}, memory);
  }
};

TEST_F(DifferenceTest, NoneWhereMemoryIsTheFile) {
  EXPECT_EQ("", of({{"a", "x", "1", "whatever the file doesn't say"}}));
}

TEST_F(DifferenceTest, ARowTooManyIsOneThatTheFileHasRevoked) {
  EXPECT_EQ("mysql_users holds revoked, which the file lacks", of({{"a", "x", "1", ""}, {"revoked", "x", "1", ""}}));
  EXPECT_EQ("mysql_users holds a twice", of({{"a", "x", "1", ""}, {"a", "x", "1", ""}}));
}

TEST_F(DifferenceTest, ARowTooFewAndAnotherValue) {
  EXPECT_EQ("mysql_users lacks a, which the file has", of({}));
  EXPECT_EQ("mysql_users: default_hostgroup of a isn't as in the file", of({{"a", "x", "2", ""}}));
  EXPECT_EQ("mysql_users: password of a isn't as in the file", of({{"a", "secret", "1", ""}}));
}

TEST(Difference, FastRoutingAndHostgroupAttributes) {
  const FileRows rows = rows_of(
      "mysql_query_rules_fast_routing=( { username=\"a\", schemaname=\"s\", destination_hostgroup=3, comment=\"c\" }, "
      "{ username=\"b\" } )\n"
      "mysql_hostgroup_attributes=( { hostgroup_id=1, multiplex=0 }, { multiplex=1 }, "
      "{ hostgroup_id=2, init_connect=\"SET @a='b'\" } )");
  const std::vector<std::string> columns = {"username", "schemaname", "flagIN", "destination_hostgroup", "comment"};
  const FileTable& routing = *rows.find("mysql_query_rules_fast_routing");
  EXPECT_EQ("", difference(routing, columns, {{"a", "s", "0", "3", "c"}, {"b", "", "0", "0", ""}}));
  EXPECT_EQ(
      "mysql_query_rules_fast_routing holds x s 0, which the file lacks",
      difference(routing, columns, {{"a", "s", "0", "3", "c"}, {"b", "", "0", "0", ""}, {"x", "s", "0", "3", ""}}));
  const FileTable& attributes = *rows.find("mysql_hostgroup_attributes");
  EXPECT_EQ("", difference(attributes, {"hostgroup_id", "multiplex", "init_connect"},
                           {{"1", "0", ""}, {"2", "1", "SET @a='b'"}}))
      << "a row without its key is skipped";
}

TEST(Difference, ServersVariablesAndSpellings) {
  const FileRows rows = rows_of(
      "mysql_servers=( { address=\"h\", hostgroup=0, status=\"online\", use_ssl=1, new_column=1 }, "
      "{ address=\"h\", hostgroup=0, port=3307, weight=10 } ) mysql_variables={ threads=4 }");
  const std::vector<std::string> columns = {"hostgroup_id", "hostname", "port", "status", "weight", "use_ssl"};
  const FileTable& servers = *rows.find("mysql_servers");
  EXPECT_EQ("", difference(servers, columns,
                           {{"0", "h", "3306", "ONLINE", "1", "1"}, {"0", "h", "3307", "ONLINE", "10", "0"}}));
  EXPECT_EQ(
      "mysql_servers: use_ssl of 0 h 3306 isn't as in the file",
      difference(servers, columns, {{"0", "h", "3306", "ONLINE", "1", "0"}, {"0", "h", "3307", "ONLINE", "10", "0"}}));
  const FileTable& variables = *rows.find("mysql_variables");
  const std::vector<std::string> names = {"variable_name", "variable_value"};
  EXPECT_EQ("", difference(variables, names, {{"mysql-threads", "4"}, {"mysql-other", "9"}}));
  EXPECT_EQ("mysql_variables: variable_value of mysql-threads isn't as in the file",
            difference(variables, names, {{"mysql-threads", "2"}}));
}

// Tried on 2.7.1.
TEST(Difference, WhatStandsThereAsAnotherTypeIsProxySqlsDefault) {
  const FileRows rows = rows_of(
      "mysql_servers=( { address=\"h\", hostgroup=0, weight=\"7\", use_ssl=true, status=\"bogus\", comment=5 }, "
      "{ address=\"i\", hostgroup=\"1\" } )");
  const FileTable& servers = *rows.find("mysql_servers");
  EXPECT_EQ(1U, servers.rows.size()) << "a row without a host group is skipped";
  EXPECT_EQ("", difference(servers, {"hostgroup_id", "hostname", "port", "status", "weight", "use_ssl", "comment"},
                           {{"0", "h", "3306", "ONLINE", "1", "0", ""}}));
}

// Tried on 2.7.1: LOAD MYSQL VARIABLES FROM CONFIG puts the prefix before each name, and stores "" for 7L and 1.5,
// which no variable is for long.
TEST(FileRows, VariablesAreAsProxySqlStoresThem) {
  const FileRows rows = rows_of(
      "mysql_variables={ a=\"5\", b=true, c=\"true\", d=7L, e=1.5, mysql-f=1, g=\"x\" \"y\", h=\"one \\\" lost\", "
      "i=010 }");
  std::string all;
  for (const FileRow& row : rows.find("mysql_variables")->rows) {
    all += row.at("variable_name") + "=" + row.at("variable_value") + " ";
  }
  EXPECT_EQ("mysql-a=5 mysql-b=true mysql-c=true mysql-g=xy mysql-i=8 mysql-mysql-f=1 ", all);
  EXPECT_EQ(nullptr, rows_of("mysql_variables=5").find("mysql_variables"));
  EXPECT_TRUE(rows_of("mysql_variables=( { a=1 } )").find("mysql_variables")->rows.empty());
}

}  // namespace
}  // namespace pulse
