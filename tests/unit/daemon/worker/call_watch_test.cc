#include "daemon/worker/call_watch.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

namespace pulse {
namespace {

using std::chrono::seconds;

class CallWatchTest : public ::testing::Test {
 protected:
  CallWatchTest() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    mine_ = UniqueFd(ends[0]);
    peer_ = UniqueFd(ends[1]);
  }
  std::string stuck_in(seconds span) {
    const auto stuck = calls_.look(boottime_ns() + nanoseconds(span).count());
    return stuck ? stuck->error : "";
  }
  // Whether the socket was shut down. `flags`: 0 waits for it.
  bool is_shut(int flags = MSG_DONTWAIT) const {
    char byte = 0;
    return ::recv(mine_.get(), &byte, 1, flags) == 0;
  }

  CallWatch calls_;
  UniqueFd mine_, peer_;
};

TEST_F(CallWatchTest, AnOverdueAnswerIsCutAndShows) {
  calls_.expect("no answer", seconds(5));
  calls_.expect_on(mine_.get());
  EXPECT_EQ("", stuck_in(seconds(4)));
  EXPECT_FALSE(calls_.was_cut());
  EXPECT_FALSE(is_shut());
  EXPECT_EQ("", stuck_in(seconds(5))) << "who was cut says so himself";
  EXPECT_TRUE(calls_.was_cut());
  EXPECT_TRUE(is_shut());
  EXPECT_EQ("no answer", stuck_in(seconds(7)));
  calls_.nothing_due();
  EXPECT_EQ("", stuck_in(seconds(9)));
  EXPECT_TRUE(calls_.was_cut()) << "until the next call";
  calls_.expect("no answer", seconds(5));
  EXPECT_FALSE(calls_.was_cut());
}

TEST_F(CallWatchTest, AStopWakesAndCuts) {
  calls_.expect("no answer", seconds(60));
  calls_.expect_on(mine_.get());
  EXPECT_TRUE(calls_.pause(nanoseconds(0)));
  std::thread thread([&] {
    EXPECT_TRUE(is_shut(0));
    EXPECT_FALSE(calls_.pause(seconds(60)));
    calls_.ended();
  });
  EXPECT_FALSE(calls_.wait_ended(milliseconds(10)));
  calls_.stop();
  EXPECT_TRUE(calls_.wait_ended(seconds(10)));
  thread.join();
}

TEST_F(CallWatchTest, AfterAStopWhatBeginsIsCutToo) {
  calls_.stop();
  calls_.expect("no answer", seconds(60));
  calls_.expect_on(mine_.get());
  EXPECT_TRUE(is_shut());
  EXPECT_TRUE(calls_.was_cut());
}

TEST_F(CallWatchTest, WhoIsAskedToEndMayFinishItsCalls) {
  calls_.expect("no answer", seconds(60));
  calls_.expect_on(mine_.get());
  calls_.ask_to_end();
  EXPECT_TRUE(calls_.stopping());
  EXPECT_FALSE(calls_.pause(seconds(60)));
  calls_.expect_on(mine_.get());
  EXPECT_FALSE(is_shut());
  EXPECT_FALSE(calls_.was_cut());
  EXPECT_FALSE(calls_.wait_ended(nanoseconds(0)));
  calls_.ended();
  EXPECT_TRUE(calls_.wait_ended(nanoseconds(0)));
}

}  // namespace
}  // namespace pulse
