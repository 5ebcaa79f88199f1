#include "daemon/health/client_ports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// An interface that has answered before, or not, and now does, or not.
InterfaceVerdict one(const char* name, bool served, bool answers, int64_t at_ns = 100) {
  InterfaceVerdict verdict{name, {}, served};
  verdict.verdict.answers = answers;
  verdict.verdict.ever_answered = served || answers;
  verdict.verdict.looked_at_ns = at_ns;
  verdict.verdict.how = "socket table";
  verdict.verdict.reason = answers ? "listening" : "nothing listens on the port";
  verdict.verdict.listeners.emplace();
  if (answers) verdict.verdict.listeners->push_back(static_cast<uint32_t>(name[0]));
  return verdict;
}

TEST(ClientPorts, OneIsTheVerdictOfAll) {
  PortVerdict only = one("a", true, true).verdict;
  only.since_ns = 7;
  const PortVerdict merged = merge_verdicts({{"a", only, true}}, {});
  EXPECT_TRUE(merged.answers);
  EXPECT_EQ(7, merged.since_ns);
}

TEST(ClientPorts, EachThatHasServedMustAnswer) {
  EXPECT_TRUE(merge_verdicts({one("a", true, true), one("b", true, true)}, {}).answers);
  const PortVerdict down = merge_verdicts({one("a", true, true), one("b", true, false)}, {});
  EXPECT_FALSE(down.answers);
  EXPECT_EQ("b: nothing listens on the port", down.reason);
  EXPECT_FALSE(merge_verdicts({one("a", false, false), one("b", false, false)}, {}).answers);
}

// ProxySQL takes its interfaces from proxysql.db once there is one, whatever the file says by now.
TEST(ClientPorts, OneThatHasNeverServedIsNoFault) {
  const PortVerdict merged = merge_verdicts({one("a", true, true), one("/tmp/p.sock", false, false)}, {});
  EXPECT_TRUE(merged.answers);
  EXPECT_THAT(merged.reason, HasSubstr("; /tmp/p.sock: nothing listens on the port"));
}

TEST(ClientPorts, WhenNobodyListensAnywhereProxysqlHasEnded) {
  std::vector<InterfaceVerdict> all = {one("a", true, true), one("b", false, true)};
  note_served(all);
  EXPECT_TRUE(all[0].served && all[1].served);
  all[1].verdict.answers = false;
  note_served(all);
  EXPECT_TRUE(all[1].served) << "it has to answer";
  all[0].verdict.answers = false;
  note_served(all);
  EXPECT_FALSE(all[0].served || all[1].served);
  all[0].verdict.answers = true;
  note_served(all);
  EXPECT_TRUE(merge_verdicts(all, {}).answers) << "the next one may have other interfaces";
}

TEST(ClientPorts, TellsWhoListensAndSinceWhen) {
  PortVerdict before;
  before.answers = true;
  before.since_ns = 5;
  PortVerdict merged = merge_verdicts({one("a", true, true), one("b", true, true, 90)}, before);
  EXPECT_EQ(5, merged.since_ns);
  EXPECT_EQ(90, merged.looked_at_ns) << "as old as the oldest";
  ASSERT_TRUE(merged.listeners);
  EXPECT_THAT(*merged.listeners, ElementsAre('a', 'b'));
  merged = merge_verdicts({one("a", true, true), one("b", true, false)}, merged);
  EXPECT_EQ(100, merged.since_ns) << "it has just changed";
  InterfaceVerdict unknown = one("b", true, true);
  unknown.verdict.listeners.reset();
  EXPECT_FALSE(merge_verdicts({one("a", true, true), unknown}, {}).listeners);
}

}  // namespace
}  // namespace pulse
