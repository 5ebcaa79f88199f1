#include "daemon/health/segment_watch.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "shm/segment/segment.h"
#include "tests/temp_dir.h"

namespace pulse {
namespace {

class SegmentWatchTest : public ::testing::Test {
 protected:
  std::function<void()> count() {
    return [this] {
      const std::lock_guard<std::mutex> hold(mutex_);
      ++calls_;
      changed_.notify_all();
    };
  }
  bool wait_for(int calls) {
    std::unique_lock<std::mutex> hold(mutex_);
    return changed_.wait_for(hold, std::chrono::seconds(10), [&] { return calls_ >= calls; });
  }
  int calls() {
    const std::lock_guard<std::mutex> hold(mutex_);
    return calls_;
  }

  test::TempDir dir_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int calls_ = 0;
};

TEST_F(SegmentWatchTest, SeesASegmentThatIsMadeAndOneThatReplacesIt) {
  const SegmentWatch watch(dir_ / "state", count());
  dir_.write("other", "x");
  SegmentOptions options;
  options.path = dir_ / "state";
  ASSERT_TRUE(static_cast<bool>(Segment::open(options)));
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(1, calls()) << "once, and not for another file";
  dir_.write("new", "x");
  std::filesystem::rename(dir_ / "new", dir_ / "state");
  EXPECT_TRUE(wait_for(2));
}

TEST_F(SegmentWatchTest, EndsWithoutAnEvent) { const SegmentWatch watch(dir_ / "state", count()); }

TEST_F(SegmentWatchTest, AFolderThatIsMissingIsNoHarm) { const SegmentWatch watch(dir_ / "no/state", count()); }

}  // namespace
}  // namespace pulse
