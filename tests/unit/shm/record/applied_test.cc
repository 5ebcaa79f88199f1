#include "shm/record/applied.h"

#include <gtest/gtest.h>

#include "shm/segment/text.h"

namespace pulse {
namespace {

constexpr Content kOld{1, 1}, kNew{2, 2}, kOther{3, 3};
constexpr int64_t kNow = 1'700'000'000;

const AppliedModule& users(const Applied& applied) {
  const AppliedModule* found = find_applied(applied, "mysql_users");
  EXPECT_NE(nullptr, found);
  return *found;
}

TEST(Applied, TheLatestIsOfTheGreatestRevision) {
  Applied applied{};
  enter_load(applied, "mysql_users", kNew, 8, kNow);
  enter_load(applied, "mysql_users", kOld, 7, kNow + 9);
  EXPECT_EQ(kNew, latest_of(users(applied), RevisionKind::revision)->content);
  EXPECT_EQ(kOld, last_loaded(users(applied))->content);
  EXPECT_EQ(nullptr, latest_of(users(applied), RevisionKind::created));
  EXPECT_EQ(nullptr, find_applied(applied, "mysql_servers"));
  EXPECT_EQ(nullptr, find_content(users(applied), kOther));
}

TEST(Applied, OfOneRevisionTheLastLoadCountsAlsoWhenTheClockWasSetBack) {
  Applied applied{};
  enter_load(applied, "mysql_users", kOld, 7, kNow);
  enter_load(applied, "mysql_users", kNew, 7, kNow - 3600);
  EXPECT_EQ(kNew, latest_of(users(applied), RevisionKind::revision)->content);
  enter_load(applied, "mysql_users", kOld, 7, kNow - 3600);
  EXPECT_EQ(kOld, latest_of(users(applied), RevisionKind::revision)->content);
}

TEST(Applied, TimesOfCreationAndRevisionsArentCompared) {
  Applied applied{};
  enter_load(applied, "mysql_users", kOld, kNow, kNow);
  enter_load(applied, "mysql_users", kNew, 7, kNow + 1);
  EXPECT_EQ(kOld, latest_of(users(applied), RevisionKind::created)->content);
  EXPECT_EQ(kNew, latest_of(users(applied), RevisionKind::revision)->content);
  note_revision(applied, "mysql_users", kOld, 6);
  EXPECT_EQ(6, find_content(users(applied), kOld)->revision) << "a revision says more than a time";
}

TEST(Applied, AMergeKnowsWhatBothKnowInWhateverOrder) {
  Applied one{}, other{};
  enter_load(one, "mysql_users", kOld, 7, kNow);
  enter_load(other, "mysql_users", kOld, 9, kNow - 50);
  enter_load(other, "mysql_users", kNew, 8, kNow + 50);
  enter_load(other, "mysql_servers", kOther, 8, kNow);
  Applied merged = one, reversed = other;
  EXPECT_TRUE(merge_applied(merged, other));
  EXPECT_TRUE(merge_applied(reversed, one));
  for (const Applied* both : {&merged, &reversed}) {
    EXPECT_EQ(kOld, latest_of(users(*both), RevisionKind::revision)->content);
    EXPECT_EQ(9, find_content(users(*both), kOld)->revision);
    EXPECT_EQ(kNew, last_loaded(users(*both))->content);
    EXPECT_EQ(2U, both->count);
  }
  const Applied once = merged;
  EXPECT_FALSE(merge_applied(merged, other));
  EXPECT_EQ(0, std::memcmp(&once, &merged, sizeof once)) << "again adds nothing";
  Applied later{}, revised{};
  enter_load(later, "mysql_users", kOld, 9, kNow + 100);
  EXPECT_TRUE(merge_applied(merged, later)) << "loaded again";
  note_revision(revised, "mysql_users", kOld, 10);
  EXPECT_TRUE(merge_applied(merged, revised));
  EXPECT_FALSE(merge_applied(merged, revised));
}

TEST(Applied, WithoutRoomTheLeastRevisionGivesWay) {
  Applied applied{};
  for (uint64_t i = 1; i <= kAppliedFiles + 2; ++i) {
    enter_load(applied, "mysql_users", {i, i}, static_cast<int64_t>(i), kNow);
  }
  EXPECT_EQ(nullptr, find_content(users(applied), {2, 2}));
  EXPECT_NE(nullptr, find_content(users(applied), {3, 3}));
  enter_load(applied, "mysql_users", {1, 1}, 1, kNow);
  EXPECT_EQ(nullptr, find_content(users(applied), {1, 1}));
  Applied least{}, greatest{};
  note_revision(least, "mysql_users", {1, 1}, 1);
  EXPECT_FALSE(merge_applied(applied, least)) << "there is no room for it";
  note_revision(greatest, "mysql_users", {99, 99}, 99);
  EXPECT_TRUE(merge_applied(applied, greatest));
}

TEST(Applied, GarbageIsBounded) {
  Applied garbage;
  std::memset(&garbage, 0xFF, sizeof garbage);
  Applied applied{};
  merge_applied(applied, garbage);
  merge_applied(garbage, applied);
  enter_load(garbage, "mysql_users", kNew, 7, kNow);
  note_revision(garbage, "mysql_users", kNew, 8);
  EXPECT_EQ(nullptr, find_applied(garbage, "no such module"));
}

}  // namespace
}  // namespace pulse
