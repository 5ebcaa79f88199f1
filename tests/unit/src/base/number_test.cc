#include "src/base/number.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace pulse {
namespace {

TEST(Number, IsTheWholeText) {
  EXPECT_EQ(0, to_number<int64_t>("0"));
  EXPECT_EQ(-12, to_number<int64_t>("-12"));
  EXPECT_EQ(INT64_MAX, to_number<int64_t>("9223372036854775807"));
  EXPECT_EQ(0x7Fu, to_number<uint32_t>("7f", 16));
  for (const char* bad : {"", " 1", "1 ", "+1", "1x", "x", "1.5", "9223372036854775808"}) {
    EXPECT_EQ(std::nullopt, to_number<int64_t>(bad)) << bad;
  }
  EXPECT_EQ(std::nullopt, to_number<uint32_t>("-1"));
  EXPECT_EQ(std::nullopt, to_number<uint32_t>("4294967296"));
}

TEST(Number, IsTakenOffTheFront) {
  std::string_view text = "12ms";
  EXPECT_EQ(12, take_number<int64_t>(text));
  EXPECT_EQ("ms", text);
  EXPECT_EQ(std::nullopt, take_number<int64_t>(text));
  EXPECT_EQ("ms", text);
  text = "99999999999999999999 s";
  EXPECT_EQ(std::nullopt, take_number<int64_t>(text));
  EXPECT_EQ("99999999999999999999 s", text);
}

}  // namespace
}  // namespace pulse
