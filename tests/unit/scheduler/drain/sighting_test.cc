#include "scheduler/drain/sighting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Rows = std::vector<std::vector<std::string>>;

const Rows kMysql = {{"mysql", "ProxySQL_Uptime", "77"},
                     {"mysql", "Client_Connections_connected", "3"},
                     {"mysql", "Client_Connections_created", "10"},
                     {"mysql", "Questions", "100"},
                     {"mysql", "mysql_listener_paused", "false"},
                     {"variable", "mysql-poll_timeout", "2000"},
                     {"variable", "mysql-wait_timeout", "28800000"},
                     {"variable", "mysql-threads", "2"}};
const Rows kPgsql = {{"pgsql", "ProxySQL_Uptime", "77"},
                     {"pgsql", "Client_Connections_connected", "4"},
                     {"pgsql", "Client_Connections_created", "20"},
                     {"pgsql", "pgsql_listener_paused", "true"},
                     {"variable", "pgsql-poll_timeout", "1000"},
                     {"variable", "pgsql-wait_timeout", "3600000"},
                     {"variable", "pgsql-threads", "8"}};

Rows both() {
  Rows rows = kMysql;
  rows.insert(rows.end(), kPgsql.begin(), kPgsql.end());
  return rows;
}

Result<Sighting> read(Rows rows) {
  AdminResult answer;
  answer.rows = std::move(rows);
  return sighting_of(answer);
}

TEST(Sighting, OnlyAVersionThatHasPostgresqlIsAskedForIt) {
  EXPECT_THAT(look_statement(false), Not(HasSubstr("pgsql")));
  EXPECT_THAT(look_statement(true), HasSubstr("FROM stats_pgsql_global"));
  EXPECT_THAT(look_statement(true), HasSubstr("FROM stats_mysql_global"));
  EXPECT_THAT(look_statement(true), HasSubstr("'pgsql-wait_timeout'"));
}

TEST(Sighting, OfMysqlAlone) {
  const auto seen = read(kMysql);
  ASSERT_TRUE(seen) << seen.error().text;
  EXPECT_EQ(77, seen->uptime_s);
  EXPECT_EQ(3, seen->clients);
  EXPECT_EQ(10, seen->created);
  EXPECT_EQ(100, seen->questions);
  EXPECT_EQ(28'800'000, seen->mysql.wait_timeout_ms);
  EXPECT_EQ(2000, seen->mysql.poll_timeout_ms);
  EXPECT_EQ(2, seen->mysql.threads);
  EXPECT_FALSE(seen->pgsql.is_served());
  EXPECT_EQ(0, seen->pgsql.threads);
  EXPECT_FALSE(seen->is_paused());
}

TEST(Sighting, OfBothTheClientsAreOneSum) {
  const auto seen = read(both());
  ASSERT_TRUE(seen) << seen.error().text;
  EXPECT_EQ(7, seen->clients);
  EXPECT_EQ(30, seen->created);
  EXPECT_EQ(120, seen->questions) << "who came to the PostgreSQL port and went shows in its connections";
  EXPECT_EQ(3'600'000, seen->pgsql.wait_timeout_ms);
  EXPECT_EQ(8, seen->pgsql.threads);
  EXPECT_TRUE(seen->is_paused());
  EXPECT_FALSE(seen->refuses_all());
}

TEST(Sighting, EitherProtocolMayBeOffButNotBoth) {
  const auto seen = read(kPgsql);
  ASSERT_TRUE(seen) << seen.error().text;
  EXPECT_EQ(4, seen->clients);
  EXPECT_FALSE(seen->mysql.is_served());
  EXPECT_TRUE(seen->refuses_all());
  EXPECT_FALSE(read({kMysql[0], kMysql[5], kMysql[6]})) << "an uptime and variables serve nobody";
  EXPECT_FALSE(read({}));
  Rows no_uptime(kMysql.begin() + 1, kMysql.end());
  EXPECT_FALSE(read(no_uptime));
}

TEST(Sighting, ThreadsThatArentToldAreTheDefault) {
  Rows rows = both();
  std::erase_if(rows, [](const auto& row) { return row[1].ends_with("-threads"); });
  const auto seen = read(rows);
  ASSERT_TRUE(seen);
  EXPECT_EQ(4, seen->mysql.threads);
  EXPECT_EQ(4, seen->pgsql.threads);
}

}  // namespace
}  // namespace pulse
