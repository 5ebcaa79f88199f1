#include "daemon/peers/applied_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "shm/segment/text.h"

namespace pulse {
namespace {

using nlohmann::json;

const std::string kOne = "000102030405060708090a0b0c0d0e0f";
const std::string kTwo = "ffffffffffffffff0000000000000001";

json report(const json& modules) {
  return {{"state", "beating"}, {"modules", 3}, {"core_files", {{"revision", 4}, {"modules", modules}}}};
}

json file(const std::string& content, const json& revision, const std::string& at = "2026-01-31T12:00:00Z") {
  return {{"content", content}, {"revision", revision}, {"at", at}};
}

std::optional<Applied> read(const json& status) {
  auto parsed = parse_applied_report(status.dump());
  EXPECT_TRUE(parsed) << parsed.error().text;
  return parsed ? *parsed : std::nullopt;
}

TEST(AppliedReportTest, IsReadAsItIsWritten) {
  const auto applied = read(report(
      {{{"name", "mysql_users"}, {"content", kTwo}, {"state", "applied"}, {"applied", {file(kOne, 3), file(kTwo, 4)}}},
       {{"name", "mysql_servers"}, {"applied", {file(kOne, 1'700'000'000)}}}}));
  ASSERT_TRUE(applied);
  ASSERT_EQ(2u, applied->count);
  const AppliedModule& users = applied->modules[0];
  EXPECT_EQ("mysql_users", text(users.name));
  ASSERT_EQ(2u, users.count);
  EXPECT_EQ((Content{0x0001020304050607, 0x08090a0b0c0d0e0f}), users.files[0].content);
  EXPECT_EQ(3, users.files[0].revision);
  EXPECT_EQ(1769860800, users.files[0].at);
  EXPECT_EQ((Content{0xffffffffffffffff, 1}), users.files[1].content);
  EXPECT_EQ(1'700'000'000, applied->modules[1].files[0].revision);
}

TEST(AppliedReportTest, AnOlderPulseHasNone) {
  EXPECT_FALSE(read({{"state", "beating"}}));
  EXPECT_FALSE(read({{"inner", {{"core_files", {{"modules", json::array()}}}}}})) << "somewhere else";
  const auto empty = read(report(json::array()));
  ASSERT_TRUE(empty);
  EXPECT_EQ(0u, empty->count);
}

TEST(AppliedReportTest, WhatCantBeRightIsPassedOver) {
  const auto applied =
      read(report({{{"name", "no_such_module"}, {"applied", {file(kOne, 1)}}},
                   {{"name", "mysql_servers_v2"}, {"applied", {file(kOne, 1)}}},
                   {{"applied", {file(kOne, 1)}}},
                   {{"name", 7}, {"applied", {file(kOne, 1)}}},
                   {{"name", "mysql_servers"}, {"applied", "none"}},
                   {{"name", "mysql_users"},
                    {"applied",
                     {file("", 1), file(kOne + "0", 1), file("g" + kOne.substr(1), 1), file(std::string(32, '0'), 1),
                      file(" " + kOne.substr(1), 1), 7, nullptr, file(kOne, -5, "yesterday")}}}}));
  ASSERT_TRUE(applied);
  ASSERT_EQ(1u, applied->count);
  EXPECT_EQ("mysql_users", text(applied->modules[0].name));
  ASSERT_EQ(1u, applied->modules[0].count);
  EXPECT_EQ(0, applied->modules[0].files[0].revision);
  EXPECT_EQ(0, applied->modules[0].files[0].at);
}

TEST(AppliedReportTest, IsBounded) {
  json files = json::array(), modules = json::array();
  for (int i = 0; i < 100; ++i) files.push_back(file(kOne, i + 1));
  for (int i = 0; i < 1000; ++i) modules.push_back({{"name", "mysql_users"}, {"applied", files}});
  const auto applied = read(report(modules));
  ASSERT_TRUE(applied);
  EXPECT_EQ(kModules, applied->count);
  EXPECT_EQ(kAppliedFiles, applied->modules[0].count);
  EXPECT_FALSE(parse_applied_report(std::string(1000, '[')));
  EXPECT_FALSE(parse_applied_report("{\"core_files\":"));
  EXPECT_FALSE(parse_applied_report(""));
}

}  // namespace
}  // namespace pulse
