#include "shm/status/snapshot.h"

#include <gtest/gtest.h>

#include "shm/record/job_runs.h"
#include "tests/temp_dir.h"
#include "tests/unit/spans.h"

namespace pulse {
namespace {

constexpr uint64_t kBoot = 77;

class StateViewTest : public ::testing::Test {
 protected:
  StateViewTest() : segment_(open(dir_ / "state")) {
    EXPECT_TRUE(segment_) << segment_.error().text;
    layout().boot_id = kBoot;
  }
  static Result<Segment> open(const std::string& path) {
    SegmentOptions options;
    options.path = path;
    return Segment::open(options);
  }
  Layout& layout() { return segment_->layout(); }

  test::TempDir dir_;
  Result<Segment> segment_;
};

TEST_F(StateViewTest, EachChangeOfWhatIsReadIsMarked) {
  Layout& layout = this->layout();
  uint64_t before = state_mark(*segment_);
  EXPECT_EQ(before, state_mark(*segment_));
  const auto expect_marked = [&](const char* what) {
    const uint64_t now = state_mark(*segment_);
    EXPECT_NE(before, now) << what;
    before = now;
  };
  for (auto* word :
       {&layout.boot_id, &layout.skipped_busy, &layout.skipped_backoff, &layout.resync_requested, &layout.resync_done,
        &layout.busy_in_row, &layout.busy_other_user, &layout.end_mark, &layout.phase_mark}) {
    ++*word;
    expect_marked("a word");
  }
  for (auto* stamp : {&layout.last_beat_ns, &layout.maintenance_realtime_ns, &layout.draining_since_ns,
                      &layout.busy_since_ns, &layout.ended_ns}) {
    *stamp = kSecond;
    expect_marked("a stamp");
  }
  layout.record.publish({});
  expect_marked("record");
  layout.drain.publish({});
  expect_marked("drain");
  layout.attempt.publish({});
  expect_marked("attempt");
  layout.observation.publish({});
  expect_marked("observation");
  layout.core.publish({});
  expect_marked("core");
  layout.start.publish({});
  expect_marked("start");
  layout.applied.publish({});
  EXPECT_EQ(before, state_mark(*segment_)) << "not what it reads";
}

TEST_F(StateViewTest, OfAnotherBootOfTheMachineOnlyTheCountsAreLeft) {
  Layout& layout = this->layout();
  layout.last_beat_ns = 9000 * kSecond;
  layout.draining_since_ns = 8000 * kSecond;
  BeatRecord record{};
  record.attempt = 12;
  record.ok = 7;
  record.timed_out = 5;
  record.durations[3] = 12;
  record.consecutive_timeouts = record.consecutive_failures = 5;
  record.wedged_since_ns = record.failing_since_ns = 8990 * kSecond;
  record.next_attempt_ns = 9060 * kSecond;
  record.history_count = 12;
  set_text(record.message, "timed out");
  layout.record.publish(record);
  Observation seen{};
  seen.at_ns = 8990 * kSecond;
  layout.observation.publish(seen);

  const StateView same = read_state(*segment_, kBoot, {}, 9001 * kSecond);
  EXPECT_EQ("", same.problem);
  EXPECT_EQ(9060 * kSecond, same.record.next_attempt_ns);
  EXPECT_EQ(5u, same.record.consecutive_timeouts);
  EXPECT_EQ(9000 * kSecond, same.last_beat_ns);
  EXPECT_EQ(8000 * kSecond, same.draining_since_ns);
  EXPECT_EQ(8990 * kSecond, same.observation.at_ns);

  const StateView other = read_state(*segment_, kBoot + 1, {}, 20 * kSecond);
  EXPECT_EQ("", other.problem);
  EXPECT_EQ(12u, other.record.attempt);
  EXPECT_EQ(7u, other.record.ok);
  EXPECT_EQ(5u, other.record.timed_out);
  EXPECT_EQ(12u, other.record.durations[3]);
  EXPECT_EQ(0, other.record.next_attempt_ns);
  EXPECT_EQ(0, other.record.wedged_since_ns);
  EXPECT_EQ(0, other.record.failing_since_ns);
  EXPECT_EQ(0u, other.record.consecutive_timeouts);
  EXPECT_EQ(0u, other.record.consecutive_failures);
  EXPECT_EQ(0u, other.record.history_count);
  EXPECT_EQ("", text(other.record.message));
  EXPECT_EQ(0, other.last_beat_ns);
  EXPECT_EQ(0, other.draining_since_ns);
  EXPECT_EQ(0, other.observation.at_ns);
  EXPECT_FALSE(other.attempt_open);
}

TEST_F(StateViewTest, MembersAndHostgroupsAreOfThisBoot) {
  Discovery discovery{};
  discovery.boot_id = kBoot;
  discovery.ok_ns = 5 * kSecond;
  layout().discovery.publish(discovery);
  const auto members = std::make_unique<Members>();
  members->boot_id = kBoot;
  members->count = 2;
  set_text(members->members[1].address, "10.0.0.2");
  layout().members.publish(*members);
  Hostgroups hostgroups{};
  hostgroups.count = 1;
  layout().hostgroups.publish(hostgroups);

  StateView view;
  read_members(*segment_, kBoot, view);
  read_hostgroups(*segment_, kBoot, view);
  EXPECT_EQ(5 * kSecond, view.discovery.ok_ns);
  ASSERT_NE(nullptr, view.members);
  EXPECT_EQ(2u, view.members->count);
  EXPECT_EQ("10.0.0.2", text(view.members->members[1].address));
  EXPECT_EQ(1u, view.hostgroups.count);

  StateView other;
  read_members(*segment_, kBoot + 1, other);
  read_hostgroups(*segment_, kBoot + 1, other);
  EXPECT_EQ(0, other.discovery.ok_ns);
  EXPECT_EQ(nullptr, other.members);
  EXPECT_EQ(0u, other.hostgroups.count);
}

TEST_F(StateViewTest, JobsAreThoseWithAnOwnerAndAName) {
  const auto publish = [&](size_t slot, const char* name, uint64_t boot, uint64_t owner) {
    JobState state{};
    set_text(state.name, name);
    state.boot_id = boot;
    state.run = 3;
    state.began_ns = 10 * kSecond;
    state.deadline_ns = 90 * kSecond;
    state.last_ok_ns = 9 * kSecond;
    layout().jobs[slot].owner = owner;
    layout().jobs[slot].state.publish(state);
  };
  publish(0, "upload", kBoot, job_key("upload"));
  publish(1, "check", kBoot - 1, job_key("check"));
  publish(2, "taken", kBoot, job_key("another"));
  StateView view;
  read_jobs(*segment_, kBoot, 20 * kSecond, view);
  ASSERT_EQ(2u, view.jobs.size()) << "a slot that has just become another job's isn't read";
  EXPECT_EQ("check", text(view.jobs[0].state.name));
  EXPECT_FALSE(view.jobs[0].running) << "the machine was booted since";
  EXPECT_EQ(0, view.jobs[0].state.last_ok_ns);
  EXPECT_EQ("upload", text(view.jobs[1].state.name));
  EXPECT_TRUE(view.jobs[1].running);
  EXPECT_EQ(9 * kSecond, view.jobs[1].state.last_ok_ns);
}

TEST_F(StateViewTest, MaintenanceKeepsItsBeginning) {
  switch_maintenance(layout(), true);
  const int64_t since = layout().maintenance_realtime_ns;
  EXPECT_GT(since, 0);
  switch_maintenance(layout(), true);
  EXPECT_EQ(since, layout().maintenance_realtime_ns);
  switch_maintenance(layout(), false);
  EXPECT_EQ(0, layout().maintenance_realtime_ns);
}

TEST(FindPeer, ByAddressAndPort) {
  Observation seen{};
  seen.peers_count = 1;
  set_text(seen.peers[0].hostname, "10.0.0.1");
  seen.peers[0].port = 6032;
  Member member{};
  set_text(member.address, "10.0.0.1");
  member.port = 6032;
  EXPECT_EQ(&seen.peers[0], find_peer(seen, member));
  member.port = 6033;
  EXPECT_EQ(nullptr, find_peer(seen, member));
  seen.peers_count = 4'000'000'000;
  EXPECT_EQ(nullptr, find_peer(seen, member)) << "whatever is in the segment";
}

}  // namespace
}  // namespace pulse
