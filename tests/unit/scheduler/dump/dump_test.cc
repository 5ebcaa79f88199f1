#include "scheduler/dump/dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/spans.h"

namespace pulse {
namespace {

using ::testing::HasSubstr;

Options options(const std::vector<std::string>& arguments) {
  Options options;
  options.command = "dump";
  options.arguments = arguments;
  return options;
}

TEST(DumpOptions, TakeOneTable) {
  EXPECT_EQ("stats_mysql_query_digest", check_dump(options({}))->table.name);
  EXPECT_EQ("stats_mysql_global", check_dump(options({"stats_mysql_global"}))->table.name);
  EXPECT_FALSE(check_dump(options({"stats_mysql_global", "stats_mysql_users"})));
  EXPECT_FALSE(check_dump(options({"mysql_users"})));
}

TEST(DumpOptions, AResetIsOfTheTableOrOfTheFlag) {
  Options reset = options({"stats_mysql_query_digest"});
  EXPECT_FALSE(check_dump(reset)->table.reset);
  reset.table.reset = true;
  EXPECT_TRUE(check_dump(reset)->table.reset);
}

TEST(DumpOptions, AnEmptyOutputIsAnError) {
  Options nowhere = options({});
  nowhere.output.clear();
  const auto checked = check_dump(nowhere);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().text, HasSubstr("--output takes a directory"));
}

TEST(DumpObjection, NoneWithoutADrainOrABackoff) { EXPECT_EQ("", why_no_dump(StateView{}, 100 * kSecond)); }

TEST(DumpObjection, ARunningDrain) {
  StateView view;
  view.draining_since_ns = 90 * kSecond;
  EXPECT_THAT(why_no_dump(view, 100 * kSecond), HasSubstr("a drain is running"));
  view.drain.ended_ns = 95 * kSecond;
  EXPECT_EQ("", why_no_dump(view, 100 * kSecond)) << "one that has ended, with ProxySQL running on";
}

TEST(DumpObjection, BeatsThatBackOff) {
  StateView view;
  view.last_beat_ns = 99 * kSecond;
  view.record.next_attempt_ns = 103 * kSecond;
  EXPECT_THAT(why_no_dump(view, 100 * kSecond), HasSubstr("beats back off for another 3000 ms"));
  EXPECT_EQ("", why_no_dump(view, 103 * kSecond));
  view.last_beat_ns = 0;
  EXPECT_EQ("", why_no_dump(view, 100 * kSecond)) << "a record of another boot";
}

}  // namespace
}  // namespace pulse
