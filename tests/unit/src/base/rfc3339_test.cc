#include "src/base/rfc3339.h"

#include <gtest/gtest.h>

#include <utility>

namespace pulse {
namespace {

constexpr std::pair<int64_t, const char*> kTimes[] = {{0, "1970-01-01T00:00:00Z"},
                                                      {951'782'399, "2000-02-28T23:59:59Z"},
                                                      {951'782'400, "2000-02-29T00:00:00Z"},
                                                      {1'749'283'750, "2025-06-07T08:09:10Z"},
                                                      {1'767'225'599, "2025-12-31T23:59:59Z"},
                                                      {4'107'542'400, "2100-03-01T00:00:00Z"},
                                                      {253'402'300'799, "9999-12-31T23:59:59Z"}};

TEST(Rfc3339, IsWrittenInUtc) {
  for (const auto& [at, expected] : kTimes) {
    std::string out = "x";
    EXPECT_TRUE(append_rfc3339(out, at));
    EXPECT_EQ(std::string("x") + expected, out);
    EXPECT_EQ(expected, rfc3339(at));
  }
  for (const int64_t at : {int64_t{-1}, int64_t{253'402'300'800}, INT64_MAX, INT64_MIN}) {
    std::string out = "x";
    EXPECT_FALSE(append_rfc3339(out, at));
    EXPECT_EQ("x", out);
    EXPECT_EQ("", rfc3339(at));
  }
}

TEST(Rfc3339, AFractionIsCut) {
  EXPECT_EQ("2026-01-31T12:00:05.000123Z", rfc3339_fraction(1'769'860'805'000'123'999, 6));
  EXPECT_EQ("2025-06-07T08:09:10.007Z", rfc3339_fraction(1'749'283'750'007'999'999, 3));
  EXPECT_EQ("1970-01-01T00:00:00.000000000Z", rfc3339_fraction(0, 9));
  EXPECT_EQ("", rfc3339_fraction(-1, 3));
}

TEST(Rfc3339, IsReadAsItIsWritten) {
  for (const auto& [expected, text] : kTimes) EXPECT_EQ(expected, parse_rfc3339(text)) << text;
  EXPECT_EQ(1'483'228'800, parse_rfc3339("2016-12-31T23:59:60Z")) << "a leap second";
  for (const char* bad :
       {"", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00:00+01:00", "2026-13-31T12:00:00Z",
        "2026-00-31T12:00:00Z", "2026-02-29T12:00:00Z", "2026-01-00T12:00:00Z", "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z", "2026-01-31T12:00:61Z", "2026-01-31T12:00:00Zz", "x026-01-31T12:00:00Z",
        " 026-01-31T12:00:00Z", "2026-01-31 12:00:00Z", "2026-01-31T12:00:0.Z"}) {
    EXPECT_EQ(std::nullopt, parse_rfc3339(bad)) << bad;
  }
}

}  // namespace
}  // namespace pulse
