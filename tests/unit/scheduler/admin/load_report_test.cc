#include "scheduler/admin/load_report.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(LoadReport, CountsWhatWasNotTaken) {
  EXPECT_EQ("2 rejected and 1 unknown of 14 variables",
            refused_variables("Records: 14 Updated: 11 Rejected: 2 Unknown: 1"));
  EXPECT_EQ("3 rejected of 300 variables", refused_variables("Records: 300 Updated: 297 Rejected: 3 Unknown: 0"));
  EXPECT_EQ("1 unknown of 2 variables", refused_variables("Records: 2 Updated: 1 Rejected: 0 Unknown: 1"));
}

TEST(LoadReport, SaysNothingWhereAllWasTakenOrNothingIsSaid) {
  for (const char* info : {"Records: 14 Updated: 14 Rejected: 0 Unknown: 0", "", "Rows matched: 1", "Rejected: ",
                           "Rejected: many", "Rejected: -1 Unknown: 99999999999999999999", "Records: 7"}) {
    EXPECT_EQ("", refused_variables(info)) << info;
  }
}

}  // namespace
}  // namespace pulse
