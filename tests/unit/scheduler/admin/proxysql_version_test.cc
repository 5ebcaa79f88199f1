#include "scheduler/admin/proxysql_version.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(ProxysqlVersion, IsReadFromAdminVersion) {
  EXPECT_EQ((ProxysqlVersion{2, 7, 1}), parse_proxysql_version("2.7.1-16-g2726c27"));
  EXPECT_EQ((ProxysqlVersion{3, 0, 11}), parse_proxysql_version("3.0.11"));
  EXPECT_EQ((ProxysqlVersion{4, 0, 0}), parse_proxysql_version("4.0.0-dev"));
  for (const char* bad : {"", "3", "3.0", "3..1", "v3.0.1", "-3.0.1", "99999999999.0.0"}) {
    EXPECT_FALSE(parse_proxysql_version(bad)) << bad;
  }
}

TEST(ProxysqlVersion, PostgresqlCameWithThree) {
  EXPECT_FALSE(has_pgsql("2.7.3"));
  EXPECT_TRUE(has_pgsql("3.0.0"));
  EXPECT_TRUE(has_pgsql("10.1.2"));
  EXPECT_FALSE(has_pgsql("")) << "what isn't known isn't named";
  EXPECT_FALSE(syncs_pgsql("3.0.6"));
  EXPECT_TRUE(syncs_pgsql("3.0.7"));
  EXPECT_TRUE(syncs_pgsql("3.1.0"));
  EXPECT_FALSE(syncs_pgsql(""));
  EXPECT_FALSE(reads_later_tables("3.0.9"));
  EXPECT_TRUE(reads_later_tables("3.0.10"));
  EXPECT_TRUE(reads_later_tables("3.1.0"));
  EXPECT_FALSE(reads_later_tables(""));
}

TEST(ProxysqlVersion, ResumeStalledUntilTwoSevenTwo) {
  EXPECT_TRUE(resume_may_stall("2.7.1-16-g2726c27"));
  EXPECT_FALSE(resume_may_stall("2.7.2"));
  EXPECT_FALSE(resume_may_stall("3.0.1"));
  EXPECT_FALSE(resume_may_stall(""));
}

}  // namespace
}  // namespace pulse
