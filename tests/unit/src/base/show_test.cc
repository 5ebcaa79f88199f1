#include "src/base/show.h"

#include <gtest/gtest.h>

#include "tests/unit/spans.h"

namespace pulse {
namespace {

TEST(Show, SpansGetACoarserUnitAsTheyGrow) {
  EXPECT_EQ("0.0 s", show_span(-kSecond));
  EXPECT_EQ("0.0 s", show_span(0));
  EXPECT_EQ("1.5 s", show_span(kSecond * 3 / 2));
  EXPECT_EQ("119.0 s", show_span(119 * kSecond));
  EXPECT_EQ("2 min", show_span(120 * kSecond));
  EXPECT_EQ("119 min", show_span(7140 * kSecond));
  EXPECT_EQ("2 h", show_span(7200 * kSecond));
}

TEST(Show, SecondsStaySeconds) {
  EXPECT_EQ("0.1 s", show_seconds(kSecond / 10));
  EXPECT_EQ("7200.0 s", show_seconds(7200 * kSecond));
}

TEST(Show, OneIsSingular) {
  EXPECT_EQ("0 clients", counted(0, "client"));
  EXPECT_EQ("1 client", counted(1, "client"));
  EXPECT_EQ("2 processes", counted(2, "process", "processes"));
  EXPECT_EQ("1 process", counted(1, "process", "processes"));
}

}  // namespace
}  // namespace pulse
