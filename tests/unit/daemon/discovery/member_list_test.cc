#include "daemon/discovery/member_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

namespace pulse {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Found core(const std::string& address, uint16_t port = 6032, const std::string& name = "") {
  return Found{name, address, port, true, true, 0};
}
Found satellite(const std::string& address, uint16_t port = 6032, const std::string& name = "") {
  return Found{name, address, port, false, true, 0};
}

std::vector<std::string> shown(const std::vector<Found>& members) {
  std::vector<std::string> out;
  for (const Found& member : members) {
    out.push_back((member.is_core ? "c " : "s ") + member.address + " " + std::to_string(member.port));
  }
  return out;
}

TEST(MemberListTest, CoresComeFirstEachOrderedByAddressAsANumber) {
  EXPECT_THAT(shown(in_order({satellite("10.0.0.1"), core("fd00::2"), core("10.0.0.10"), core("10.0.0.9", 6033),
                              core("10.0.0.9", 6032), core("fd00::10"), satellite("9.0.0.1")})),
              ElementsAre("c 10.0.0.9 6032", "c 10.0.0.9 6033", "c 10.0.0.10 6032", "c fd00::2 6032", "c fd00::10 6032",
                          "s 9.0.0.1 6032", "s 10.0.0.1 6032"));
}

TEST(MemberListTest, OneEntryForEachAddressAndPortAndTheCoreStays) {
  EXPECT_THAT(shown(in_order({satellite("10.0.0.1"), core("10.0.0.1"), core("fd00:0::1"), core("fd00::1"),
                              satellite("10.0.0.2"), satellite("10.0.0.2")})),
              ElementsAre("c 10.0.0.1 6032", "c fd00::1 6032", "s 10.0.0.2 6032"));
}

TEST(MemberListTest, WhatIsNoAddressGoes) {
  EXPECT_THAT(in_order({core(""), core("core.example"), core("10.0.0.256"), core("10.0.0.1:6032")}), IsEmpty());
}

TEST(MemberListTest, FindsItself) {
  const std::vector<Found> members = {core("10.0.0.1"), core("10.0.0.2"), core("10.0.0.2", 6042), core("127.0.0.1"),
                                      core("fd00::1")};
  struct Case {
    OwnAddresses own;
    std::vector<size_t> expected;
  };
  const Case cases[] = {
      {{"10.0.0.2", "127.0.0.1", 6032, {"10.0.0.1"}}, {1}},  // as configured, whatever else would fit
      {{"10.0.0.2", "127.0.0.1", 6042, {}}, {2}},
      {{"10.0.0.9", "127.0.0.1", 6032, {"10.0.0.1"}}, {}},  // configured and not among them: nobody
      {{"fd00:0:0::1", "127.0.0.1", 6032, {}}, {4}},
      {{"", "10.0.0.1", 6032, {"10.0.0.2"}}, {0}},   // where the admin interface is
      {{"", "127.0.0.1", 6032, {"10.0.0.2"}}, {3}},  // the same, a list of loopback addresses
      {{"", "127.0.0.2", 6032, {"10.0.0.2", "192.168.0.1"}}, {1}},
      {{"", "127.0.0.2", 6042, {"10.0.0.1", "10.0.0.2"}}, {2}},  // the port counts
      {{"", "localhost", 6033, {"10.0.0.1"}}, {}},
      {{"", "/run/admin.sock", 6032, {"fd00::1"}}, {4}},
  };
  for (const Case& test : cases) {
    EXPECT_EQ(test.expected, find_self(members, test.own)) << &test - cases;
  }
}

TEST(MemberListTest, FillsTheListUpToItsEnd) {
  std::vector<Found> members;
  for (int i = 0; i < 1000; ++i)
    members.push_back(core("10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250)));
  for (int i = 0; i < 30; ++i) members.push_back(satellite("10.2.0." + std::to_string(i), 6032, "s"));
  const auto list = std::make_unique<Members>();
  EXPECT_EQ(6u, fill(*list, members, {"10.1.0.7", "", 6032, {}}));
  EXPECT_EQ(kMembers, list->count);
  EXPECT_EQ(1000u, list->cores);
  EXPECT_EQ("10.1.0.7", text(list->members[7].address));
  EXPECT_EQ(1, list->members[7].is_self);
  EXPECT_EQ(0, list->members[8].is_self);
  EXPECT_EQ("s", text(list->members[1000].name));
  EXPECT_EQ(0, list->members[1000].is_core);

  EXPECT_EQ(0u, fill(*list, {core("10.0.0.1")}, {}));
  EXPECT_EQ(1u, list->count);
  EXPECT_EQ("", text(list->members[1].address)) << "nothing of the longer list is left";
}

TEST(MemberListTest, TellsWhatChanged) {
  const auto before = std::make_unique<Members>();
  const auto after = std::make_unique<Members>();
  fill(*before, {core("10.0.0.1"), core("10.0.0.2", 6032, "b"), core("fd00::1", 6042)}, {});
  fill(*after, {core("10.0.0.1"), core("10.0.0.3", 6032, "b")}, {});
  EXPECT_EQ("-b 10.0.0.2, +b 10.0.0.3, -[fd00::1]:6042", describe_change(*before, *after));
  EXPECT_EQ("-b 10.0.0.2 and 2 more", describe_change(*before, *after, 1));
  EXPECT_EQ("", describe_change(*after, *after));
  EXPECT_FALSE(same_members(*before, *after));
  EXPECT_TRUE(same_members(*after, *after));

  Found starting = core("10.0.0.1");
  starting.ready = false;
  fill(*before, {starting, core("10.0.0.3", 6032, "b")}, {});
  EXPECT_FALSE(same_members(*before, *after)) << "readiness counts";
  EXPECT_EQ("", describe_change(*before, *after)) << "and isn't worth a line";

  Found rolled_back = core("10.0.0.1");
  rolled_back.revision = 3;
  fill(*before, {rolled_back, core("10.0.0.3", 6032, "b")}, {});
  EXPECT_EQ(3, before->members[0].revision);
  EXPECT_FALSE(same_members(*before, *after)) << "so does the revision";
}

}  // namespace
}  // namespace pulse
