#include "daemon/health/prometheus_text.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

std::string digits(Digits number) { return std::string(number.text()); }

TEST(PrometheusText, SecondsAreExact) {
  EXPECT_EQ("0", digits(Digits(Seconds(-5))));
  EXPECT_EQ("12", digits(Digits(Seconds(12'000'000'000))));
  EXPECT_EQ("0.5", digits(Digits(Seconds(500'000'000))));
  EXPECT_EQ("1.000000001", digits(Digits(Seconds(1'000'000'001))));
  EXPECT_EQ("9223372036.854775807", digits(Digits(Seconds(INT64_MAX))));
  EXPECT_EQ("1", digits(Digits(true)));
}

TEST(PrometheusText, AFamilyHasOneHeadAndItsSamples) {
  Exposition out;
  out.family("x", "gauge", "What x is.");
  out.sample({}, 7);
  out.sample({{"a", "1"}, {"b", "q\"\\\n\xFFz"}}, uint64_t{8}, "_sum");
  EXPECT_EQ("# HELP x What x is.\n# TYPE x gauge\nx 7\nx_sum{a=\"1\",b=\"q\\\"\\\\\\n\xEF\xBF\xBDz\"} 8\n", out.take());
}

TEST(PrometheusText, NeverHasNoAge) {
  Exposition out;
  out.age("x", "Since x.", 0, 10);
  EXPECT_EQ("", out.take());
}

}  // namespace
}  // namespace pulse
