#include "src/status_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace pulse {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class StatusJsonTest : public ::testing::Test {
 protected:
  StatusJsonTest() {
    view_.discovery.source = static_cast<uint8_t>(Source::kubernetes);
    view_.discovery.ok_ns = kNow - 1'500'000'000;
    view_.discovery.failing_since_ns = kNow - 2'000'000'000;
    view_.discovery.failures = 4;
    set_text(view_.discovery.error, "list pods: \"no\"");
  }
  void add(const std::string& address, bool core, const std::string& name = "") {
    Member& member = members_->members[members_->count++];
    set_text(member.address, address);
    set_text(member.name, name);
    member.port = 6032;
    member.is_core = core;
    view_.members = members_;
  }
  json status() const { return json::parse(status_json(input_)); }

  static constexpr int64_t kNow = 100'000'000'000;
  StateView view_;
  std::shared_ptr<Members> members_ = std::make_shared<Members>();
  Verdict verdict_;
  PortView port_;
  Config config_;
  StatusInput input_{view_, verdict_, port_, config_, 0, kNow};
};

TEST_F(StatusJsonTest, Discovery) {
  const json discovery = status()["discovery"];
  EXPECT_EQ("kubernetes", discovery["source"]);
  EXPECT_EQ(1500, discovery["ok_age_ms"]);
  EXPECT_TRUE(discovery["looked_age_ms"].is_null());
  EXPECT_EQ(2000, discovery["failing_for_ms"]);
  EXPECT_EQ(4, discovery["failures"]);
  EXPECT_EQ("list pods: \"no\"", discovery["error"]);
  EXPECT_EQ(json::array(), status()["members"]);
  const std::string text = status_text(input_);
  EXPECT_THAT(text, HasSubstr("kubernetes, list right 1.5 s ago"));
  EXPECT_THAT(text, HasSubstr("FAILING for 2.0 s: list pods: \"no\""));
  view_.discovery.source = 200;
  EXPECT_EQ("none", status()["discovery"]["source"]) << "whatever is in the segment";
}

TEST_F(StatusJsonTest, Members) {
  add("10.0.0.1", true, "core \"\xff\\");
  add("10.0.0.2", true);
  add("fd00::1", false);
  members_->members[0].created_at = 1769860800;
  members_->members[0].ready = 1;
  members_->members[1].is_self = 1;
  Observation& seen = view_.observation;
  seen.peers_count = 2;
  set_text(seen.peers[0].hostname, "10.0.0.2");
  seen.peers[0].port = 6033;
  set_text(seen.peers[1].hostname, "10.0.0.1");
  seen.peers[1].port = 6032;
  seen.peers[1].updated_at = 1769860900;

  const json members = status()["members"];
  ASSERT_EQ(3u, members.size());
  EXPECT_EQ("core \"\xEF\xBF\xBD\\", members[0]["name"]);
  EXPECT_EQ("2026-01-31T12:00:00Z", members[0]["created_at"]);
  EXPECT_EQ(true, members[0]["ready"]);
  EXPECT_EQ(true, members[0]["in_proxysql_servers"]);
  EXPECT_EQ(1769860900, members[0]["last_seen_by_proxysql"]);
  EXPECT_EQ("core", members[1]["role"]);
  EXPECT_EQ(true, members[1]["self"]);
  EXPECT_EQ(false, members[1]["in_proxysql_servers"]) << "at another port";
  EXPECT_TRUE(members[1]["last_seen_by_proxysql"].is_null());
  EXPECT_TRUE(members[1]["created_at"].is_null());
  EXPECT_TRUE(members[1]["age_s"].is_null());
  EXPECT_EQ("satellite", members[2]["role"]);

  const std::string text = status_text(input_);
  EXPECT_THAT(text, HasSubstr("core 10.0.0.2:6032, this node, not ready, not in proxysql_servers\n"));
  EXPECT_THAT(text, HasSubstr("satellite [fd00::1]:6032, not ready\n"));
}

TEST_F(StatusJsonTest, TheTextShowsTwenty) {
  for (int i = 0; i < 25; ++i) add("10.0.0." + std::to_string(i), true);
  EXPECT_THAT(status_text(input_), HasSubstr("and 5 more\n"));
  members_->count = 4'000'000'000;
  EXPECT_EQ(kMembers, status()["members"].size()) << "whatever is in the segment";
}

TEST(Fit, CutsToTheScreen) {
  EXPECT_EQ("abc|de|", fit("abc\nde\n", 3, 5, "|"));
  EXPECT_EQ("ab~|", fit("abcd", 3, 5, "|"));
  EXPECT_EQ("||x|", fit("\n\nx", 3, 5, "|"));
  EXPECT_EQ("1|2|... and 2 more|", fit("1\n2\n3\n4\n", 14, 3, "|"));
  EXPECT_EQ("", fit("", 3, 5, "|"));
}

TEST(Fit, CountsCharactersAndShowsNoControlCharacters) {
  EXPECT_EQ("\u00e4\u00f6\u00fc|", fit("\u00e4\u00f6\u00fc", 3, 5, "|"));
  EXPECT_EQ("\u00e4~|", fit("\u00e4\u00f6\u00fc", 2, 5, "|"));
  EXPECT_EQ("a?[2Jb?|", fit("a\x1b[2Jb\x7f", 10, 5, "|"));
}

}  // namespace
}  // namespace pulse
