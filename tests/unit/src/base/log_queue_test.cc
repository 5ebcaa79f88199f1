#include "src/base/log_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace pulse {
namespace {

TEST(LogQueue, GivesLinesInTheirOrder) {
  LogQueue queue(100);
  queue.push("one");
  queue.push("two");
  EXPECT_EQ("one", queue.next());
  EXPECT_EQ("one", queue.next()) << "until it is done";
  EXPECT_EQ(0u, queue.done());
  EXPECT_EQ("two", queue.next());
  EXPECT_FALSE(queue.wait_empty(Deadline::after(milliseconds(1)))) << "it is still being written";
  queue.done();
  EXPECT_TRUE(queue.wait_empty(Deadline::after(milliseconds(1))));
}

TEST(LogQueue, DropsWhatFindsNoRoomAndTellsOnce) {
  LogQueue queue(10);
  queue.push("12345");
  queue.push("678901");
  queue.push("67890");
  queue.push("x");
  EXPECT_EQ(2u, queue.dropped());
  queue.next();
  EXPECT_EQ(2u, queue.done());
  EXPECT_EQ("67890", queue.next());
  EXPECT_EQ(0u, queue.done());
  queue.push("room again");
  EXPECT_EQ("room again", queue.next());
  EXPECT_EQ(2u, queue.dropped());
}

}  // namespace
}  // namespace pulse
