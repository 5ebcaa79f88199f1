#include "src/config/advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kAdmin =
    "admin_variables = { admin_credentials = \"u:p;c:d\" mysql_ifaces = \"127.0.0.1:6032\" cluster_username = \"c\" "
    "cluster_password = \"d\" }\n";
constexpr const char* kRow =
    "scheduler = ( { id = 1 active = 1 interval_ms = 2000 filename = \"/bin/true\" arg1 = \"beat\" } )\n";
constexpr const char* kPulse = "pulse = { role = \"satellite\" }\n";
constexpr const char* kServers = "proxysql_servers = ( { hostname = \"10.0.0.1\" port = 6032 } )\n";

std::vector<std::string> advice(const std::string& text) {
  const auto file = parse_cnf(text, "/p.cnf");
  const auto loaded = parse_config(text, "/p.cnf", {});
  EXPECT_TRUE(file && loaded) << text;
  return file && loaded ? advise(*loaded, *file) : std::vector<std::string>{"?"};
}

std::string text(const std::string& pulse, const std::string& admin, const std::string& row) {
  return pulse + admin + row + kServers;
}

TEST(AdviceTest, NothingIsSaidOfWhatWorks) { EXPECT_THAT(advice(text(kPulse, kAdmin, kRow)), IsEmpty()); }

TEST(AdviceTest, ABeatHasToComeFromSomewhere) {
  const auto none = HasSubstr("no row of the scheduler runs");
  EXPECT_THAT(advice(text(kPulse, kAdmin, "")), ElementsAre(none));
  EXPECT_THAT(
      advice(text(kPulse, kAdmin, "scheduler = ( { id=1 interval_ms=9000 filename=\"/bin/sh\" arg1=\"x\" } )\n")),
      ElementsAre(AllOf(HasSubstr("/p.cnf:3: "), none)));
  EXPECT_THAT(advice(text("pulse = { role = \"satellite\" daemon = { beats = \"always\" } }\n", kAdmin, "")),
              IsEmpty());
  const auto row = [](const std::string& columns) {
    return text(kPulse, kAdmin, "scheduler = ( { interval_ms = 2000 arg1 = \"beat\" " + columns + " } )\n");
  };
  EXPECT_THAT(advice(row("active = 1 filename = \"/bin/true\"")), ElementsAre(HasSubstr("has no id"), none));
  EXPECT_THAT(advice(row("id = 1 active = 0 filename = \"/bin/true\"")), ElementsAre(HasSubstr("is inactive"), none));
  EXPECT_THAT(advice(row("id = 1 filename = \"proxysql-pulse\"")),
              ElementsAre(AllOf(HasSubstr("/p.cnf:3: "), HasSubstr("No such file"))));
  EXPECT_THAT(advice(row("id = 1 filename = \"/bin/true\" arg2 = \"--timeout-ms\"")), IsEmpty());
}

TEST(AdviceTest, PeersAreCheckedByAUserThatTheyKnow) {
  const auto admin = [](const std::string& more) {
    return text(kPulse, "admin_variables = { admin_credentials = \"u:p;c:d\" " + more + " }\n", kRow);
  };
  EXPECT_THAT(advice(admin("")), ElementsAre(AllOf(HasSubstr("/p.cnf:2: "), HasSubstr("cluster_username isn't set"))));
  EXPECT_THAT(advice(admin("cluster_username = \"c\" cluster_password = \"x\"")),
              ElementsAre(HasSubstr("isn't among admin_credentials")));
  EXPECT_THAT(advice(std::string(kPulse) + "admin_variables = { admin_credentials = \"u:p\" }\n" + kRow), IsEmpty())
      << "nobody to check";
}

TEST(AdviceTest, ACoreNeedsAList) {
  EXPECT_THAT(advice(text("pulse = { role = \"core\" }\n", kAdmin, kRow)), IsEmpty()) << "addresses are one";
  EXPECT_THAT(advice(text("pulse = { role = \"core\" discovery = { source = \"none\" } }\n", kAdmin, kRow)),
              ElementsAre(HasSubstr("a core without a list of the cores does nothing")));
  EXPECT_THAT(advice(text("pulse = { role = \"core\" discovery = { members = [\"10.0.0.1\"] } }\n", kAdmin, kRow)),
              IsEmpty());
}

TEST(AdviceTest, RowsThatProxySQLDoesNotStoreAreNamed) {
  const auto users = [](const std::string& rows) {
    return advice(text(kPulse, kAdmin, kRow) + "mysql_users = (\n" + rows + " )\n");
  };
  EXPECT_THAT(users("{ username = \"a\" },\n{ username = \"b\" }"), IsEmpty());
  EXPECT_THAT(users("{ username = \"a\" },\n{ password = \"b\" }"),
              ElementsAre(AllOf(HasSubstr("/p.cnf:7: a row of mysql_users has no username"),
                                HasSubstr("newer 3.x refuse all of the group"))));
  EXPECT_THAT(users("{ username = \"a\" },\n{ username = \"b\" },\n{ username = \"a\" }"),
              ElementsAre(HasSubstr("/p.cnf:6: a row of mysql_users has the same key as that of line 8")));
  EXPECT_THAT(advice(text(kPulse, kAdmin, kRow) +
                     "mysql_servers = ( { address = \"10.0.0.1\" port = 70000 hostgroup = 0 } )\n"),
              ElementsAre(HasSubstr("holds a value that the table doesn't take")));
  std::string many;
  for (int i = 0; i < 9; ++i) many += "{ password = \"b\" },\n";
  EXPECT_THAT(users(many).size(), 6U);
  EXPECT_THAT(users(many).back(), HasSubstr("4 more rows of mysql_users"));
}

TEST(AdviceTest, TimesFitTogether) {
  const auto checks = [](const std::string& interval, const std::string& pulse) {
    return advice(text("pulse = { role = \"satellite\" " + pulse + " }\n",
                       "admin_variables = { admin_credentials = \"u:p;c:d\" cluster_username = \"c\" "
                       "cluster_password = \"d\" cluster_check_interval_ms = " +
                           interval + " }\n",
                       kRow));
  };
  EXPECT_THAT(checks("8000", ""), IsEmpty());
  EXPECT_THAT(checks("8000", "satellite = { peer_timeout_ms = 10000 }"),
              ElementsAre(HasSubstr("between two checks live cores count as dead")));
  EXPECT_THAT(checks("5000", "satellite = { peer_timeout_ms = 10000 }"), IsEmpty());
  EXPECT_THAT(checks("1000", "interval_ms = 9000"),
              ElementsAre(AllOf(HasSubstr("every 2000 ms, and pulse.interval_ms is 9000"), HasSubstr("leave it out"))));
  EXPECT_THAT(checks("1000", "interval_ms = 9000 daemon = { beats = \"always\" }"), IsEmpty());
}

TEST(AdviceTest, APodGetsTheTimeThatItsDrainTakes) {
  const auto drain = [](const std::string& source, const std::string& settings) {
    return advice(text(
        "pulse = { role = \"satellite\" discovery = { source = \"" + source + "\" } drain = { " + settings + " } }\n",
        kAdmin, kRow));
  };
  EXPECT_THAT(drain("kubernetes", ""), IsEmpty());
  EXPECT_THAT(drain("kubernetes", "timeout_ms = 60000"),
              ElementsAre(AllOf(HasSubstr("up to 62 s"), HasSubstr("terminationGracePeriodSeconds"))));
  EXPECT_THAT(drain("kubernetes", "timeout_ms = 60000 grace_ms = 70000"), IsEmpty());
  EXPECT_THAT(drain("none", "timeout_ms = 60000"), IsEmpty());
}

TEST(AdviceTest, ASyncThatIsOffIsNamed) {
  const auto off = [](const std::string& role, const std::string& module) {
    return advice(text("pulse = { role = \"" + role + "\" discovery = { members = [\"10.0.0.1\"] } }\n",
                       "admin_variables = { admin_credentials = \"u:p;c:d\" cluster_username = \"c\" "
                       "cluster_password = \"d\"\n cluster_" +
                           module + "_diffs_before_sync = 0 }\n",
                       kRow));
  };
  EXPECT_THAT(off("satellite", "mysql_users"),
              ElementsAre(HasSubstr("/p.cnf:3: cluster_mysql_users_diffs_before_sync is 0: this node never pulls")));
  EXPECT_THAT(off("satellite", "mysql_variables"), ElementsAre(HasSubstr("never pulls mysql_variables")));
  EXPECT_THAT(off("core", "mysql_variables"), IsEmpty()) << "so that what a drain lowers doesn't spread";
  EXPECT_THAT(off("core", "proxysql_servers"), ElementsAre(HasSubstr("never pulls proxysql_servers")));
}

TEST(AdviceTest, WhatNobodyHasReplacedIsNamed) {
  EXPECT_THAT(advice(text(kPulse, kAdmin, kRow) + "mysql_variables = {\n monitor_password = \"${MONITOR}\" }\n"),
              ElementsAre("/p.cnf:6: monitor_password holds ${...}, which nobody has replaced: ProxySQL takes it as it "
                          "stands"));
}

TEST(AdviceTest, TheUserAdminIsOfNoUseOnAnInterfaceThatIsNotLocal) {
  const auto load = [](const std::string& credentials, const std::string& interface) {
    return *parse_config("pulse = { role = \"core\" }\nadmin_variables = { admin_credentials = \"" + credentials +
                             "\" mysql_ifaces = \"" + interface + "\" }\n",
                         "/p.cnf", {});
  };
  EXPECT_EQ("u2", load("admin:p1;u2:p2", "10.77.0.1:6032").config.admin.user);
  EXPECT_EQ("p2", load("admin:p1;u2:p2", "10.77.0.1:6032").config.admin.password);
  EXPECT_THAT(load("admin:p1;u2:p2", "10.77.0.1:6032").warnings, ElementsAre(HasSubstr("beats log in as u2")));
  EXPECT_THAT(load("admin:p1", "10.77.0.1:6032").warnings, ElementsAre(HasSubstr("beats will be refused")));
  for (const char* local : {"127.0.0.1:6032", "0.0.0.0:6032", "/tmp/admin.sock", "[::]:6032"}) {
    EXPECT_EQ("admin", load("admin:p1;u2:p2", local).config.admin.user) << local;
    EXPECT_THAT(load("admin:p1;u2:p2", local).warnings, IsEmpty()) << local;
  }
}

}  // namespace
}  // namespace pulse
