#include "src/config/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "src/config/load.h"

namespace pulse {
namespace {

using ::testing::HasSubstr;

Result<LoadedConfig> load_sync(const std::string& sync, const std::string& more = "", const std::string& groups = "") {
  return parse_config("pulse = { role = \"core\" " + more + " sync_users = { " + sync + " } }\n" + groups, "/p.cnf",
                      {});
}

std::string sync_error(const std::string& sync) {
  const auto loaded = load_sync(sync);
  return loaded ? "" : loaded.error().text;
}

TEST(SyncUsersChecks, NothingSaidIsNothingSynced) {
  const auto loaded = load_sync("");
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_FALSE(loaded->config.sync_users.mysql.is_set());
  EXPECT_FALSE(loaded->config.sync_users.pgsql.is_set());
}

TEST(SyncUsersChecks, EitherAHostgroupOrAServerSwitchesItOn) {
  const std::string file = "credentials_file = \"/etc/login\"";
  for (const char* source : {"hostgroup = 0", "server = \"db\"", "server = \"db:3307\"", "server = \"[::1]:3306\"",
                             "server = \"/run/mysqld/mysqld.sock\""}) {
    const auto loaded = load_sync("mysql = { " + file + " " + source + " }");
    ASSERT_TRUE(loaded) << loaded.error().text;
    EXPECT_TRUE(loaded->config.sync_users.mysql.is_set());
    EXPECT_EQ(BackendTls::verified, loaded->config.sync_users.mysql.tls);
  }
  EXPECT_THAT(sync_error("mysql = { " + file + " hostgroup = 0 server = \"db\" }"),
              HasSubstr("either it or hostgroup"));
  EXPECT_THAT(sync_error("mysql = { " + file + " server = \"db:0\" }"), HasSubstr("sync_users.mysql.server"));
}

TEST(SyncUsersChecks, WhatIsMissingOrWrongIsNamed) {
  EXPECT_THAT(sync_error("mysql = { hostgroup = 0 }"), HasSubstr("sync_users.mysql.credentials_file"));
  EXPECT_THAT(sync_error("pgsql = { hostgroup = 0 credentials_file = \"login\" }"),
              HasSubstr("sync_users.pgsql.credentials_file"));
  EXPECT_THAT(sync_error("mysql = { hostgroup = 0 credentials_file = \"/l\" hostgroups = [\"a\"] }"),
              HasSubstr("PATTERN=HOSTGROUP"));
  for (const char* mark : {"", "a b", "it's", "100%"}) {
    EXPECT_THAT(sync_error("mark = \"" + std::string(mark) + "\""), HasSubstr("sync_users.mark"));
  }
  for (const char* accounts : {"", "a; DROP", "a()'--", "a -- b"}) {
    EXPECT_THAT(sync_error("pgsql = { accounts = \"" + std::string(accounts) + "\" }"),
                HasSubstr("sync_users.pgsql.accounts"));
  }
  EXPECT_THAT(sync_error("mysql = { tls = \"on\" }"), HasSubstr("\"off\" or \"required\" or \"verified\""));
}

TEST(SyncUsersChecks, AFileThatLoadsUsersTooIsWarnedOf) {
  const std::string sync = "mysql = { hostgroup = 0 credentials_file = \"/l\" }";
  const std::string users = "mysql_users = ( { username = \"a\" password = \"b\" } )\n";
  const auto warns = [&](const std::string& more, const std::string& groups) {
    const auto loaded = load_sync(sync, more, groups);
    EXPECT_TRUE(loaded) << loaded.error().text;
    const auto& list = loaded->warnings;
    return std::any_of(list.begin(), list.end(),
                       [](const std::string& one) { return one.find("sync_users") != std::string::npos; });
  };
  const std::string counts = "core = { authority = \"always\" }";
  EXPECT_TRUE(warns(counts, users));
  EXPECT_FALSE(warns(counts, ""));
  EXPECT_FALSE(warns("core = { authority = \"never\" }", users));
  EXPECT_FALSE(warns("core = { authority = \"always\" modules = [\"mysql_servers\"] }", users));
}

}  // namespace
}  // namespace pulse
