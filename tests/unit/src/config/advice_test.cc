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
