#include "scheduler/status/status_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "shm/record/core_record.h"
#include "tests/unit/shm/status/status_fixture.h"

namespace pulse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using Lines = std::vector<std::string>;

class StatusTextTest : public StatusFixture {
 protected:
  void add_ready(const std::string& address, bool core, const std::string& name = "") {
    add_member(address, core, name, true);
  }
  void add_core(const std::string& hostname, bool live) {
    Peer& peer = view_.observation.peers[view_.observation.peers_count++];
    set_text(peer.hostname, hostname);
    peer.port = 6032;
    peer.live = live;
    peer.checked = peer.in_memory = peer.in_runtime = 1;
  }
  void add_job(const std::string& name, uint32_t failures) {
    JobView job{};
    set_text(job.state.name, name);
    job.state.consecutive_failures = failures;
    view_.jobs.push_back(job);
  }
  Lines screen(size_t columns, size_t rows) const {
    std::stringstream text(status_screen(input_, columns, rows, "\n"));
    Lines lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }
};

TEST_F(StatusTextTest, Discovery) {
  view_.discovery.source = static_cast<uint8_t>(Source::kubernetes);
  view_.discovery.ok_ns = kNow - 1'500'000'000;
  view_.discovery.failing_since_ns = kNow - 2'000'000'000;
  set_text(view_.discovery.error, "list pods: \"no\"");
  const std::string text = status_text(input_);
  EXPECT_THAT(text, HasSubstr("discovery     kubernetes, list right 1.5 s ago\n"));
  EXPECT_THAT(text, HasSubstr("              FAILING for 2.0 s: list pods: \"no\"\n"));
}

TEST_F(StatusTextTest, FilesThatWaitAndModulesThatStayAtVersionOne) {
  config_.role = Role::core;
  CoreModule* users = core_module(view_.core, "mysql_users");
  users->content = {1, 1};
  users->state = static_cast<uint8_t>(FileState::waiting);
  set_text(users->why, "the other cores are asked");
  EXPECT_THAT(status_text(input_), HasSubstr("mysql_users waiting: the other cores are asked"));
  users->loaded = users->content;
  users->state = static_cast<uint8_t>(FileState::applied);
  EXPECT_THAT(status_text(input_), Not(HasSubstr("files")));
  set_text(users->kept, "mysql_users is empty");
  EXPECT_THAT(status_text(input_), HasSubstr("NOT UNLOCKED: mysql_users is empty"));
  set_text(users->refused, "1 rejected of 9 variables");
  users->state = static_cast<uint8_t>(FileState::applied);
  users->loaded = users->content;
  EXPECT_THAT(status_text(input_), HasSubstr("NOT ALL TAKEN of mysql_users: 1 rejected of 9 variables"));
  users->loaded.low ^= 1;
  EXPECT_THAT(status_text(input_), Not(HasSubstr("NOT ALL TAKEN"))) << "of another file";
}

TEST_F(StatusTextTest, WhatDiffersHasACauseAndWhatEndsIt) {
  Module& users = view_.observation.modules[0];
  view_.observation.modules_count = 1;
  set_text(users.name, "mysql_users");
  users.differs_since_ns = kNow - 2'000'000'000;
  users.differing_peers = 2;
  users.version = 2;
  const auto says = [this](const std::string& cause) {
    EXPECT_THAT(status_text(input_), HasSubstr("differs       mysql_users from 2 cores for 2.0 s, " + cause));
  };
  says("because theirs is newer: ProxySQL pulls it within some checks, or its log says why it can't\n");
  users.equal_epochs = 1;
  says("at equal epochs: ProxySQL doesn't sync over that; LOAD MYSQL USERS TO RUNTIME on the core whose");
  users.equal_epochs = 0;
  users.older_peers = 2;
  says("because this node's own load is newer, as after a drain: it pulls again once a core runs LOAD MYSQL USERS TO");
  config_.role = Role::core;
  says("because this node's is newer and they haven't pulled it: see status there\n");
  users.unloaded_peers = 2;
  says("because they are at version 1, and pull this node's themselves if they check it\n");
  users.version = 1;
  says("because all are at version 1, which nobody pulls: LOAD MYSQL USERS TO RUNTIME on the core whose content is");
}

TEST_F(StatusTextTest, ACoreThatIsNeverCheckedSaysWhy) {
  add_core("10.0.0.1", false);
  view_.observation.peers[0].checked = 0;
  EXPECT_THAT(status_text(input_), HasSubstr("10.0.0.1:6032 not reached yet\n"));
  view_.observation.no_cluster_user = 1;
  EXPECT_THAT(status_text(input_), HasSubstr("10.0.0.1:6032 never checked: admin-cluster_username isn't set\n"));
}

TEST_F(StatusTextTest, Members) {
  add_ready("10.0.0.1", true, "core-0");
  add_member("10.0.0.2", true, "");
  add_ready("fd00::1", false);
  members_->members[1].is_self = 1;
  add_core("10.0.0.1", true);
  const std::string text = status_text(input_);
  EXPECT_THAT(text, HasSubstr("cores         10.0.0.1:6032 live\n"));
  EXPECT_THAT(text, HasSubstr("members       2 cores, 1 satellite; 1 not ready\n"
                              "              core 10.0.0.1:6032 core-0\n"
                              "              core 10.0.0.2:6032, this node, not ready, not in proxysql_servers\n"
                              "              satellite [fd00::1]:6032\n"));
}

TEST_F(StatusTextTest, ShowsTwentyOfAList) {
  for (int i = 0; i < 25; ++i) add_ready("10.0.0." + std::to_string(i), true);
  EXPECT_THAT(status_text(input_), HasSubstr("25 cores, 0 satellites\n"));
  EXPECT_THAT(status_text(input_), HasSubstr("and 5 more\n"));
  members_->count = 4'000'000'000;
  EXPECT_THAT(status_text(input_), HasSubstr("more\n")) << "whatever is in the segment";
}

TEST_F(StatusTextTest, Drain) {
  EXPECT_THAT(status_text(input_), HasSubstr("drain         none\n"));
  DrainRecord& drain = view_.drain;
  drain.number = 3;
  drain.began_ns = kNow - 4'000'000'000;
  drain.phase = static_cast<uint8_t>(DrainPhase::settle);
  EXPECT_THAT(status_text(input_), HasSubstr("drain         settle, outcome none, began 4.0 s ago\n"));
  set_text(drain.message, "stopped");
  EXPECT_THAT(status_text(input_), HasSubstr("began 4.0 s ago\n              stopped\n"));
}

TEST_F(StatusTextTest, AScreenHoldsAllThatFits) {
  verdict_.message = "a word and a word and another one, until the end of the line is far behind what fits";
  for (int i = 0; i < 3; ++i) add_core("10.0.0." + std::to_string(i), true);
  const Lines lines = screen(40, 100);
  for (const std::string& line : lines) EXPECT_LE(line.size(), 40u) << line;
  EXPECT_THAT(lines, ::testing::Contains("              a word and a word and"));
  EXPECT_THAT(lines, ::testing::Contains("              another one, until the end"));
  EXPECT_THAT(lines, ::testing::Contains("              10.0.0.2:6032 live"));
  EXPECT_THAT(screen(40, lines.size()), lines);
  EXPECT_LT(screen(400, 100).size(), lines.size()) << "a wider one needs fewer";
}

TEST_F(StatusTextTest, ListsGiveWayAndWhatIsWellGoesFirst) {
  for (int i = 1; i <= 12; ++i) add_core("10.0.0." + std::to_string(i), i != 11);
  for (int i = 1; i <= 300; ++i) {
    add_member("10.0." + std::to_string(i / 100) + "." + std::to_string(i % 100 + 1), false, "", i != 299);
  }
  for (int i = 1; i <= 16; ++i) add_job("job-" + std::to_string(i), i == 16 ? 2 : 0);
  const Lines lines = screen(80, 23);
  ASSERT_EQ(23u, lines.size());
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  for (const char* label : {"state ", "probes ", "drain ", "heartbeat ", "attempts ", "mysql port ", "backends ",
                            "proxysql ", "cores ", "jobs ", "members "}) {
    EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return line.find(label) == 0; }))
        << label << text;
  }
  EXPECT_THAT(text, HasSubstr("cores         10.0.0.11:6032 DEAD\n"));
  EXPECT_THAT(text, HasSubstr("jobs          job-16: "));
  EXPECT_THAT(text, HasSubstr("members       0 cores, 300 satellites; 1 not ready\n"
                              "              satellite 10.0.2.100:6032, not ready\n"));
  EXPECT_THAT(text, Not(HasSubstr("more lines")));
  size_t said = 0;
  for (size_t at = 0; (at = text.find("and ", at)) != std::string::npos; ++at) ++said;
  EXPECT_EQ(3u, said) << "each list says what it leaves out" << text;
}

TEST_F(StatusTextTest, AScreenThatIsTooSmallSaysSo) {
  const Lines lines = screen(80, 5);
  ASSERT_EQ(5u, lines.size());
  EXPECT_EQ("... and " + std::to_string(screen(80, 100).size() - 4) + " more lines: status without --watch shows all",
            lines.back());
  EXPECT_THAT(screen(20, 5).back(), ::testing::MatchesRegex("... and [0-9]+ more")) << "no longer than the screen";
  EXPECT_EQ(1u, screen(1, 1).size());
}

TEST(Wrap, BreaksAtSpaces) {
  EXPECT_THAT(wrap("", 5), ElementsAre(""));
  EXPECT_THAT(wrap("abcde", 5), ElementsAre("abcde"));
  EXPECT_THAT(wrap("ab cd ef", 5), ElementsAre("ab cd", "ef"));
  EXPECT_THAT(wrap("ab cdef g", 5), ElementsAre("ab", "cdef", "g"));
  EXPECT_THAT(wrap("abcdefgh", 3), ElementsAre("abc", "def", "gh"));
  EXPECT_THAT(wrap("ab", 1), ElementsAre("a", "b"));
}

TEST(Wrap, CountsCharactersAndShowsNoControlCharacters) {
  EXPECT_THAT(wrap("\u00e4\u00f6\u00fc", 3), ElementsAre("\u00e4\u00f6\u00fc"));
  EXPECT_THAT(wrap("\u00e4 \u00f6\u00fc", 3), ElementsAre("\u00e4", "\u00f6\u00fc"));
  EXPECT_THAT(wrap("a\x1b[2Jb\x7f\xff", 20), ElementsAre("a?[2Jb??"));
}

}  // namespace
}  // namespace pulse
