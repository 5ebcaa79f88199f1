#include "scheduler/admin/admin_errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace pulse {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(AdminErrors, WhoIsNotLetInOrFindsNobodyLearnsWhatProxySQLRunsOn) {
  EXPECT_THAT(contradiction_with_file({"Access denied", 1045}),
              AllOf(HasSubstr("admin_credentials"), HasSubstr("SAVE ADMIN VARIABLES TO DISK")));
  EXPECT_THAT(contradiction_with_file({"refused", 2002}),
              AllOf(HasSubstr("mysql_ifaces of its proxysql.db"), HasSubstr("LOAD ADMIN VARIABLES FROM CONFIG")));
  EXPECT_EQ("", contradiction_with_file({"no answer in time", ETIMEDOUT}));
  EXPECT_EQ("", contradiction_with_file({"lost", 2013}));
}

TEST(AdminErrors, ALoginThatFailsEndsWithWhatToSet) {
  Config config;
  EXPECT_EQ(contradiction_with_file({"Access denied", 1045}), login_hint({"Access denied", 1045}, config));
  EXPECT_THAT(login_hint({"Access denied for user 'a' (using password: YES). SSL is required (1045)", 1045}, config),
              HasSubstr("set pulse.admin.tls = true"));
  EXPECT_THAT(login_hint({"Authentication plugin 'caching_sha2_password' cannot be loaded", 2059}, config),
              HasSubstr("let admin_credentials have its password in clear text"));
  EXPECT_EQ("", login_hint({"SSL connection error", 2026}, config)) << "nobody asked for it";
  config.admin.tls = true;
  EXPECT_THAT(login_hint({"SSL connection error: SSL is required", 2026}, config), HasSubstr("mysql-have_ssl"));
  for (const char* hash : {"*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9", "$A$005$abcdefghijklmnopqrst"}) {
    config.admin.password = hash;
    EXPECT_THAT(login_hint({"Access denied", 1045}, config), HasSubstr("set pulse.admin.password"));
  }
  for (const char* password : {"*short", "*6BB4837EB74329105EE4568DDA7DC67ED2CA2ADX", "admin"}) {
    config.admin.password = password;
    EXPECT_EQ(contradiction_with_file({"Access denied", 1045}), login_hint({"Access denied", 1045}, config));
  }
}

}  // namespace
}  // namespace pulse
