#include "shm/record/ownership.h"

#include <gtest/gtest.h>

#include "tests/temp_dir.h"

namespace pulse {
namespace {

Owner of(const char* file, uint64_t hash, const char* host, int64_t port, int64_t mysql_port = 6033) {
  return make_owner(file, hash, host, port, mysql_port);
}

TEST(Ownership, IsTheFilesOrTheAdminInterfaces) {
  const Owner one = of("/etc/proxysql.cnf", 11, "127.0.0.1", 6032);
  EXPECT_EQ(Ownership::unclaimed, judge_owner(Owner{}, one));
  EXPECT_EQ(Ownership::ours, judge_owner(one, one));
  EXPECT_EQ(Ownership::moved, judge_owner(one, of("/etc/proxysql.cnf", 11, "127.0.0.1", 7032)));
  EXPECT_EQ(Ownership::moved, judge_owner(one, of("/etc/proxysql.cnf", 11, "127.0.0.1", 6032, 7033)));
  EXPECT_EQ(Ownership::ours, judge_owner(one, of("/etc/pulse.cnf", 12, "127.0.0.1", 6032)))
      << "another file for the same ProxySQL";
  EXPECT_EQ(Ownership::another, judge_owner(one, of("/etc/b.cnf", 12, "127.0.0.1", 7032)));
  EXPECT_EQ(Ownership::another, judge_owner(one, of("/etc/b.cnf", 12, "127.0.0.2", 6032)));
}

TEST(Ownership, ByTheFileAloneSaysWhenToLookCloser) {
  const Owner one = of("/etc/proxysql.cnf", 11, "127.0.0.1", 6032);
  EXPECT_EQ(Ownership::unclaimed, judge_owner_by_file(Owner{}, 11));
  EXPECT_EQ(Ownership::ours, judge_owner_by_file(one, 11));
  EXPECT_EQ(Ownership::another, judge_owner_by_file(one, 12));
}

TEST(Ownership, EndsAfterThreeIntervalsAndAMinute) {
  EXPECT_EQ(60'000'000'000, abandoned_after_ns(0));
  EXPECT_EQ(60'000'000'000, abandoned_after_ns(20'000));
  EXPECT_EQ(90'000'000'000, abandoned_after_ns(30'000));
  EXPECT_EQ(12'884'901'885'000'000, abandoned_after_ns(UINT32_MAX)) << "whatever lies in the segment";
}

TEST(Ownership, IsSaidToAPerson) {
  const Owner one = of("/etc/proxysql.cnf", 11, "127.0.0.1", 6032);
  const Owner socket = of("/etc/b.cnf", 12, "/run/admin.sock", 6032);
  EXPECT_EQ("127.0.0.1:6032 (/etc/proxysql.cnf)", show_owner(one));
  EXPECT_EQ("/run/admin.sock (/etc/b.cnf)", show_owner(socket));
  EXPECT_EQ("[::1]:6032 (/c)", show_owner(of("/c", 13, "::1", 6032)));
  EXPECT_EQ(
      "the state segment /dev/shm/x is of ProxySQL at 127.0.0.1:6032 (/etc/proxysql.cnf); that of /etc/b.cnf is at "
      "/run/admin.sock: set pulse.state in one of the two files",
      another_owner_text("/dev/shm/x", one, socket));
}

TEST(Ownership, ASpareSegmentIsOneProxySQLs) {
  const Owner one = of("/etc/proxysql.cnf", 11, "127.0.0.1", 6032);
  EXPECT_EQ(spare_path("/x", one), spare_path("/x", of("/etc/other.cnf", 12, "127.0.0.1", 6032)));
  EXPECT_NE(spare_path("/x", one), spare_path("/x", of("/etc/proxysql.cnf", 11, "127.0.0.1", 7032)));
  EXPECT_EQ(std::string("/x.").size() + 16, spare_path("/x", one).size());
}

TEST(Ownership, IsInTheFileFromItsFirstInstant) {
  const test::TempDir dir;
  SegmentOptions options;
  options.path = dir / "state";
  options.owner = of("/etc/proxysql.cnf", 11, "127.0.0.1", 6032);
  auto segment = Segment::open(options);
  ASSERT_TRUE(segment) << segment.error().text;
  Owner owner{};
  ASSERT_TRUE(segment->layout().owner.read(owner));
  EXPECT_EQ(*options.owner, owner);
  EXPECT_TRUE(check_owner(*segment, options.path, *options.owner));
  const auto other = check_owner(*segment, options.path, of("/etc/b.cnf", 12, "127.0.0.1", 7032));
  ASSERT_FALSE(other);
  EXPECT_NE(std::string::npos, other.error().text.find("is of ProxySQL at 127.0.0.1:6032 (/etc/proxysql.cnf)"));
}

}  // namespace
}  // namespace pulse
