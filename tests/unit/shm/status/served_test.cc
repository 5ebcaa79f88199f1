#include "shm/status/served.h"

#include <gtest/gtest.h>

#include "tests/unit/spans.h"

namespace pulse {
namespace {

// A node whose file speaks of MySQL alone, until it is told otherwise.
class ServedTest : public ::testing::Test {
 protected:
  // A beat has seen this start of ProxySQL, with these protocols.
  void see(bool mysql, bool pgsql) {
    view_.observation.globals_ns = 100 * kSecond;
    view_.observation.serves_mysql = mysql;
    view_.observation.serves_pgsql = pgsql;
  }
  void look(bool answers) {
    pgsql_.known = true;
    pgsql_.answers = answers;
    pgsql_.ever_answered = pgsql_.ever_answered || answers;
  }
  // "mysql", "pgsql", "both", as ready needs them.
  std::string served() const {
    const Served served = served_protocols(view_, mysql_, pgsql_, protocols_of(config_));
    return served.mysql && served.pgsql ? "both" : served.mysql ? "mysql" : served.pgsql ? "pgsql" : "none";
  }
  void file(std::vector<std::string> groups) {
    config_.file_groups = std::move(groups);
    for (const std::string& group : config_.file_groups) {
      if (group.starts_with("pgsql_")) config_.daemon.pgsql_interfaces = {{"127.0.0.1", 6133}};
    }
  }

  StateView view_;
  PortView mysql_, pgsql_;
  Config config_;
};

TEST_F(ServedTest, APortThatNobodyUsesIsNeverNeeded) {
  EXPECT_EQ("mysql", served()) << "before the first beat";
  see(true, false);
  EXPECT_EQ("mysql", served()) << "2.7";
  see(true, true);
  EXPECT_EQ("mysql", served()) << "3.x";
  look(true);
  EXPECT_EQ("mysql", served()) << "also when something listens there";
  look(false);
  EXPECT_EQ("mysql", served());
  file({"mysql_servers", "pgsql_variables"});  // as SAVE CONFIG TO FILE writes it
  look(true);
  look(false);
  EXPECT_EQ("mysql", served()) << "variables alone serve nobody";
}

TEST_F(ServedTest, RowsInTheFileSayThatItIsServed) {
  for (const char* group : {"pgsql_servers", "pgsql_users"}) {
    file({"mysql_servers", group});
    view_.observation = {};
    pgsql_ = {};
    look(false);
    EXPECT_EQ("mysql", served()) << "nobody knows yet whether this ProxySQL has it";
    see(true, false);
    EXPECT_EQ("mysql", served()) << "2.7 with a file for both";
    see(true, true);
    EXPECT_EQ("both", served());
  }
  view_.observation = {};
  look(true);
  look(false);
  EXPECT_EQ("both", served()) << "without a beat: it has answered and must go on";
  view_.start.since_ns = 200 * kSecond;
  see(true, false);
  EXPECT_EQ("both", served()) << "what was seen of an earlier start says nothing";
}

TEST_F(ServedTest, BackendsThatCameFromACoreSayItToo) {
  see(true, true);
  view_.observation.backends.online = 3;
  view_.observation.pgsql_backends.online = 1;
  EXPECT_EQ("mysql", served()) << "nobody has looked at its port yet";
  look(false);
  EXPECT_EQ("mysql", served()) << "the file doesn't say where it is: it may be elsewhere";
  look(true);
  look(false);
  EXPECT_EQ("both", served()) << "it was there";
  pgsql_ = {};
  look(false);
  file({"mysql_variables", "pgsql_variables"});
  EXPECT_EQ("both", served()) << "the file says where it is";
}

TEST_F(ServedTest, APortThatIsSetForPulseIsServed) {
  config_.daemon.pgsql_port_set = true;
  see(true, true);
  look(false);
  EXPECT_EQ("mysql", served()) << "0: none";
  config_.daemon.pgsql_interfaces = {{"127.0.0.1", 7133}};
  EXPECT_EQ("both", served());
}

TEST_F(ServedTest, PostgresqlAlone) {
  file({"pgsql_servers", "pgsql_variables"});
  EXPECT_EQ("pgsql", served());
  look(true);
  EXPECT_EQ("pgsql", served());
  see(true, true);
  EXPECT_EQ("pgsql", served()) << "MySQL is on and has nothing";
  view_.observation.pgsql_backends.online = view_.observation.backends.online = 1;
  EXPECT_EQ("pgsql", served());
  view_.observation.backends.online = 2;
  EXPECT_EQ("both", served()) << "it has";
  config_.daemon.mysql_port_set = true;
  view_.observation.backends.online = 1;
  EXPECT_EQ("both", served()) << "it is set for Pulse";
  see(false, true);
  EXPECT_EQ("pgsql", served()) << "MySQL is off";
  see(true, false);
  EXPECT_EQ("mysql", served()) << "PostgreSQL is";
}

// A satellite's file often says nothing of what it serves.
TEST_F(ServedTest, MysqlIsOffWhereTheFileSaysNothing) {
  see(false, true);
  look(true);
  EXPECT_EQ("pgsql", served());
  pgsql_ = {};
  EXPECT_EQ("pgsql", served());
}

}  // namespace
}  // namespace pulse
