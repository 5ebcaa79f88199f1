#include "daemon/one_shot/drain_runner.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <condition_variable>
#include <mutex>
#include <vector>

#include "tests/temp_dir.h"

namespace pulse {
namespace {

using std::chrono::seconds;

class DrainJobTest : public ::testing::Test {
 protected:
  void script(const std::string& text) {
    config_.daemon.program = dir_.write("program", "#!/bin/sh\n" + text + "\n");
    ASSERT_EQ(0, ::chmod(config_.daemon.program.c_str(), 0700));
  }
  std::function<void(const OneShotEnd&)> note() {
    return [this](const OneShotEnd& end) {
      const std::lock_guard<std::mutex> hold(mutex_);
      ends_.push_back(end);
      changed_.notify_all();
    };
  }
  bool has_ended(size_t times) {
    std::unique_lock<std::mutex> hold(mutex_);
    return changed_.wait_for(hold, seconds(10), [&] { return ends_.size() >= times; });
  }

  test::TempDir dir_;
  Config config_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<OneShotEnd> ends_;
};

TEST_F(DrainJobTest, TellsEachEndOnce) {
  script("[ \"$1\" = drain ] || exit 1; exit 69");
  DrainJob job(config_, note());
  for (size_t times = 1; times <= 3; ++times) {
    ASSERT_TRUE(job.start());
    ASSERT_TRUE(has_ended(times));
  }
  EXPECT_EQ(3u, ends_.size());
  for (const OneShotEnd& end : ends_) EXPECT_EQ(69, end.exit_code);
}

TEST_F(DrainJobTest, GivesItItsTimeoutAndALittleMore) {
  script("exec sleep 60");
  config_.drain.timeout = milliseconds(1);
  DrainJob job(config_, note());
  ASSERT_TRUE(job.start());
  ASSERT_TRUE(has_ended(1));
  EXPECT_EQ("drain: it didn't end by its own deadline and was killed", ends_.front().error);
}

TEST_F(DrainJobTest, EndsWithoutWaitingForTheDrain) {
  script("exec sleep 1");
  const int64_t began = monotonic_ns();
  {
    DrainJob job(config_, note());
    ASSERT_TRUE(job.start());
  }
  EXPECT_LT(nanoseconds(monotonic_ns() - began), seconds(1));
  EXPECT_TRUE(ends_.empty()) << "nobody is there to be told";
}

}  // namespace
}  // namespace pulse
