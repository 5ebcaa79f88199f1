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

}  // namespace
}  // namespace pulse
