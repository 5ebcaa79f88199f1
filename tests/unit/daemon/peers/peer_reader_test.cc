#include "daemon/peers/peer_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shm/record/applied.h"

namespace pulse {
namespace {

using ::testing::HasSubstr;

Applied applied(uint64_t content, int64_t revision) {
  Applied made{};
  enter_load(made, "mysql_users", Content{content, 1}, revision, 1000);
  return made;
}

PeerAnswer report(uint64_t content, int64_t revision) {
  return {"10.0.0.1", std::optional<Applied>(applied(content, revision))};
}
PeerAnswer silent() { return {"10.0.0.3", std::optional<Applied>()}; }
PeerAnswer away() { return {"10.0.0.2", Error{"10.0.0.2:8080: no answer"}}; }

TEST(PeerReportsTest, ARoundCountsAndBringsTogether) {
  PeerReports reports{};
  reports.boot_id = 7;
  reports = after_round(reports, {report(1, 2), silent(), report(2, 3)}, 100, 200);
  EXPECT_EQ(7u, reports.boot_id);
  EXPECT_EQ(100, reports.list_ns);
  EXPECT_EQ(200, reports.round_ns);
  EXPECT_EQ(3u, reports.cores);
  EXPECT_EQ(2u, reports.answered);
  EXPECT_EQ(1u, reports.silent);
  EXPECT_EQ(200, reports.failing_ns);
  EXPECT_THAT(text(reports.error), HasSubstr("10.0.0.3 doesn't say what has been applied: its Pulse is older"));
  const AppliedModule* users = find_applied(reports.applied, "mysql_users");
  ASSERT_NE(nullptr, users);
  EXPECT_EQ(2u, users->count);
}

TEST(PeerReportsTest, WhatWasReportedStaysWhenTheCoreIsGone) {
  PeerReports reports = after_round({}, {report(1, 2)}, 100, 200);
  reports = after_round(reports, {}, 300, 400);
  EXPECT_EQ(0u, reports.cores);
  EXPECT_EQ(0u, reports.answered);
  ASSERT_NE(nullptr, find_applied(reports.applied, "mysql_users"));
}

TEST(PeerReportsTest, FailingIsSinceTheFirstRoundThatMissedOne) {
  PeerReports reports = after_round({}, {report(1, 2), away()}, 100, 200);
  EXPECT_EQ(200, reports.failing_ns);
  EXPECT_THAT(text(reports.error), HasSubstr("10.0.0.2"));
  EXPECT_EQ(1u, reports.answered);
  reports = after_round(reports, {away(), report(1, 2)}, 100, 300);
  EXPECT_EQ(200, reports.failing_ns);
  reports = after_round(reports, {silent(), report(1, 2)}, 100, 350);
  EXPECT_EQ(200, reports.failing_ns);
  reports = after_round(reports, {report(3, 2), report(1, 2)}, 100, 400);
  EXPECT_EQ(0, reports.failing_ns);
  EXPECT_EQ("", text(reports.error));
}

TEST(PeerReportsTest, OnlyACoreWhoseFileCountsAsks) {
  Config config;
  config.role = Role::core;
  config.core.authority = Authority::always;
  EXPECT_TRUE(asks_peers(config));
  config.core.authority = Authority::newest;
  EXPECT_TRUE(asks_peers(config));
  config.core.authority = Authority::never;
  EXPECT_FALSE(asks_peers(config));
  config.core.authority = Authority::always;
  config.role = Role::satellite;
  EXPECT_FALSE(asks_peers(config));
}

}  // namespace
}  // namespace pulse
