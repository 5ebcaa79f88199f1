#include "src/config/advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/config/drain_steps.h"

namespace pulse {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

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
  EXPECT_THAT(advice(row("active = 1 filename = \"/bin/true\"")), UnorderedElementsAre(HasSubstr("has no id"), none));
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

// Nothing is to be said of this file, by line.
constexpr const char* kHealthy =
    "pulse = { role = \"satellite\" }\n"
    "admin_variables = {\n"
    "admin_credentials = \"u:p;c:d\"\n"
    "mysql_ifaces = \"127.0.0.1:6032\"\n"
    "cluster_username = \"c\"\n"
    "cluster_password = \"d\"\n"
    "cluster_mysql_users_diffs_before_sync = 3\n"
    "}\n"
    "mysql_variables = { monitor_password = \"m\" }\n"
    "scheduler = (\n"
    "{ id = 1 active = 1 interval_ms = 2000 filename = \"/bin/true\" arg1 = \"beat\" }\n"
    ")\n"
    "proxysql_servers = (\n"
    "{ hostname = \"10.0.0.1\" port = 6032 }\n"
    ")\n"
    "mysql_users = (\n"
    "{ username = \"a\" },\n"
    "{ username = \"b\" max_connections = 1 }\n"
    ")\n";

// One cause: what of the healthy file is replaced by what, and the warning with its line; 0: of the whole file.
struct Cause {
  const char* name;
  std::vector<std::pair<std::string, std::string>> replaced;
  int line;
  std::string words;
};
void PrintTo(const Cause& each, std::ostream* out) { *out << each.name; }

// All that check-config and doctor say of the file.
std::vector<std::string> warnings(const std::string& text) {
  const auto file = parse_cnf(text, "/p.cnf");
  const auto loaded = parse_config(text, "/p.cnf", {});
  if (!file || !loaded) {
    ADD_FAILURE() << (file ? loaded.error().text : file.error().text) << "\n" << text;
    return {};
  }
  std::vector<std::string> all = loaded->warnings;
  for (std::string& one : advise(*loaded, *file)) all.push_back(std::move(one));
  return all;
}

class WarningTest : public ::testing::TestWithParam<Cause> {};

TEST_P(WarningTest, ComesWithItsCauseAndGoesWithIt) {
  std::string text = kHealthy;
  EXPECT_THAT(warnings(text), IsEmpty());
  for (const auto& [from, to] : GetParam().replaced) {
    const size_t at = text.find(from);
    ASSERT_NE(std::string::npos, at) << from;
    text.replace(at, from.size(), to);
  }
  const int line = GetParam().line;
  const std::string where = line == 0 ? "" : "/p.cnf:" + std::to_string(line) + ": ";
  EXPECT_THAT(warnings(text), Contains(AllOf(HasSubstr(where), HasSubstr(GetParam().words)))) << text;
}

const std::string kSatellite = "role = \"satellite\"";

INSTANTIATE_TEST_SUITE_P(
    Beats, WarningTest,
    ::testing::Values(
        Cause{"NoRow", {{"arg1 = \"beat\"", "arg1 = \"x\""}}, 10, "no row of the scheduler runs"},
        Cause{"NoScheduler", {{"scheduler =", "planner ="}}, 0, "/p.cnf: no row of the scheduler runs"},
        Cause{"NoId", {{"id = 1 ", ""}}, 11, "a row of scheduler has no id"},
        Cause{"IdInQuotes", {{"id = 1 ", "id = \"1\" "}}, 11, "a row of scheduler has no id, or of the wrong type"},
        Cause{"IdInQuotesRunsNothing", {{"id = 1 ", "id = \"1\" "}}, 10, "no row of the scheduler runs"},
        Cause{"Inactive", {{"active = 1", "active = 0"}}, 11, "the scheduler's row is inactive"},
        Cause{"ReplacedByAnother",
              {{"arg1 = \"beat\" }", "arg1 = \"beat\" },\n{ id = 1 interval_ms = 500 filename = \"/bin/true\" }"}},
              10,
              "no row of the scheduler runs"},
        Cause{"NotThere", {{"/bin/true", "/bin/nothing-there"}}, 11, "No such file or directory; ProxySQL has no PATH"},
        Cause{"NotExecutable", {{"/bin/true", "/etc/passwd"}}, 11, "Permission denied; ProxySQL has no PATH"},
        Cause{"NoPath", {{"/bin/true", "true"}}, 11, "the whole path of an executable file is needed"},
        Cause{"AnotherInterval",
              {{kSatellite, kSatellite + " interval_ms = 9000"}},
              11,
              "every 2000 ms, and pulse.interval_ms is 9000"},
        Cause{"TimeoutOfAnInterval",
              {{kSatellite, kSatellite + " timeout_ms = 2000"}},
              0,
              "pulse.timeout_ms is not below pulse.interval_ms"}),
    [](const auto& each) { return each.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Cluster, WarningTest,
    ::testing::Values(
        Cause{"NoUser", {{"cluster_username = \"c\"\n", "\n"}}, 2, "cluster_username isn't set"},
        Cause{"UnknownUser", {{"u:p;c:d", "u:p"}}, 2, "isn't among admin_credentials"},
        Cause{"OtherPassword", {{"password = \"d\"", "password = \"e\""}}, 2, "isn't among admin_credentials"},
        Cause{"UserIsAdmin",
              {{"u:p;c:d", "u:p;admin:d"}, {"username = \"c\"", "username = \"admin\""}},
              2,
              "cluster_username is \"admin\", which ProxySQL lets in from its own host alone"},
        Cause{"AdminNotLocal", {{"u:p;c:d", "admin:p;c:d"}, {"127.0.0.1", "10.7.0.1"}}, 3, "beats log in as c"},
        Cause{"AdminNotLocalAndAlone", {{"u:p;c:d", "admin:p"}, {"127.0.0.1", "10.7.0.1"}}, 3, "beats will be refused"},
        Cause{"PasswordIsAHash",
              {{"u:p;", "u:*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29;"}},
              3,
              "the password of u is a hash"},
        Cause{"AdminIsAClientToo", {{"\"a\" }", "\"u\" }"}}, 17, "ProxySQL refuses u there then, beats among it"},
        Cause{"ClusterUserIsAClientToo",
              {{"\"a\" }", "\"c\" }"}},
              17,
              "ProxySQL refuses c there then, other nodes among it"},
        Cause{"NoList",
              {{kSatellite, "role = \"core\" discovery = { source = \"none\" }"}},
              0,
              "a core without a list of the cores does nothing"},
        Cause{"NoEntries",
              {{"{ hostname = \"10.0.0.1\" port = 6032 }", ""}},
              0,
              "a satellite that has lost its cores can't find them again"},
        Cause{"EntryWithoutAPort", {{"port = 6032 }", "port = 0 }"}}, 14, "no ProxySQL is there"},
        Cause{"StandaloneWithEntries",
              {{kSatellite, "role = \"standalone\""}},
              0,
              "ProxySQL syncs with them all the same"},
        Cause{"ChecksTooRare",
              {{kSatellite, kSatellite + " satellite = { peer_timeout_ms = 1500 }"}},
              2,
              "between two checks live cores count as dead"},
        Cause{"NoSync", {{"sync = 3", "sync = 0"}}, 7, "this node never pulls mysql_users from a core"}),
    [](const auto& each) { return each.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Rest, WarningTest,
    ::testing::Values(
        Cause{"GraceNotSaid",
              {{kSatellite, kSatellite + " discovery = { source = \"kubernetes\" } drain = { timeout_ms = 60000 }"}},
              0,
              "terminationGracePeriodSeconds"},
        Cause{"PlaceholderOfPulse",
              {{kSatellite, kSatellite + " leader = { identity = \"${POD}\" }"}},
              1,
              "identity holds ${...}"},
        Cause{"PlaceholderOfAdmin", {{"u:p;c:d", "u:p;c:d;${MORE}"}}, 3, "admin_credentials holds ${...}"},
        Cause{"PlaceholderOfMysql", {{"\"m\"", "\"${MONITOR}\""}}, 9, "monitor_password holds ${...}"},
        Cause{"Prefix", {{"monitor_password", "mysql-monitor_password"}}, 9, "write monitor_password"},
        Cause{"RowWithoutAKey", {{"{ username = \"a\" }", "{ password = \"a\" }"}}, 17, "has no username"},
        Cause{"RowThatIsRefused",
              {{"max_connections = 1 ", "max_connections = -1 "}},
              18,
              "a value that the table doesn't take"},
        Cause{"RowThatIsReplaced", {{"username = \"b\"", "username = \"a\""}}, 17, "the same key as that of line 18"},
        Cause{"LeaderOnlyWithoutALeader",
              {{kSatellite, kSatellite + " jobs = ( { name = \"j\" command = [\"/bin/true\"] leader_only = true } )"}},
              1,
              "has leader_only, but pulse.leader.mode is \"none\""},
        Cause{"JobsThatCannotBeRead",
              {{kSatellite, kSatellite + " jobs = ( { command = 1 } )"}},
              1,
              "no job of the file is run"}),
    [](const auto& each) { return each.param.name; });

TEST(AdviceTest, ANameOfTheAdminInterfaceIsNoClientsWhereItsRowRests) {
  std::string text = kHealthy;
  text.replace(text.find("\"a\" }"), 5, "\"u\" active = 0 }");
  EXPECT_THAT(warnings(text), IsEmpty());
  text = kHealthy;
  text.replace(text.find("u:p;c:d"), 7, "u:p;c:*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29");
  EXPECT_THAT(warnings(text), IsEmpty()) << "a hash may be of any password";
}

TEST(AdviceTest, AGraceThatIsTooShortIsSaidUntilItIsLongEnough) {
  const auto problem = [](const char* drain) {
    return grace_problem(
        parse_config("pulse = { role = \"satellite\" drain = { " + std::string(drain) + " } }\n", "/p.cnf", {})
            ->config);
  };
  EXPECT_THAT(problem("timeout_ms = 60000 grace_ms = 30000"), HasSubstr("pulse.drain.grace_ms = 30000 is too short"));
  EXPECT_EQ("", problem("timeout_ms = 60000 grace_ms = 70000"));
  EXPECT_EQ("", problem("timeout_ms = 20000 grace_ms = 30000"));
}

}  // namespace
}  // namespace pulse
