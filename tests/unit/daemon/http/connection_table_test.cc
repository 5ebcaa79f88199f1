#include "daemon/http/connection_table.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>

namespace pulse {
namespace {

ConnectionTable::Spans spans() {
  ConnectionTable::Spans spans{};
  spans[kReading] = 100;
  spans[kIdle] = 1000;
  return spans;
}

class ConnectionTableTest : public ::testing::Test {
 protected:
  // The peer's end.
  UniqueFd add(int64_t now) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
    EXPECT_NE(nullptr, table_.add(UniqueFd(ends[0]), {}, now));
    return UniqueFd(ends[1]);
  }
  void enter(Connection& connection, Phase phase) {
    table_.enter(connection, phase, 0);
    table_.watch(connection);
  }
  // The data of the next event; 0 if there is none.
  uint64_t event() const {
    epoll_event event{};
    return ::epoll_wait(epoll_.get(), &event, 1, 0) == 1 ? event.data.u64 : 0;
  }

  const UniqueFd epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  ConnectionTable table_{epoll_.get(), spans()};
};

TEST_F(ConnectionTableTest, WhoWaitsLongestIsFirst) {
  const UniqueFd one = add(10), two = add(20);
  EXPECT_EQ(2u, table_.size());
  Connection* const first = table_.first(kReading);
  ASSERT_NE(nullptr, first);
  EXPECT_EQ(110, first->deadline_ns);
  EXPECT_EQ(110, table_.next_deadline(5000));
  EXPECT_EQ(50, table_.next_deadline(50));
  EXPECT_EQ(nullptr, table_.overdue(kReading, 109));
  EXPECT_EQ(first, table_.overdue(kReading, 110));
  table_.enter(*first, kIdle, 30);
  EXPECT_EQ(120, table_.next_deadline(5000));
  EXPECT_EQ(1030, table_.first(kIdle)->deadline_ns);
  table_.enter(*table_.first(kReading), kDeferred, 40);
  EXPECT_EQ(1030, table_.next_deadline(5000)) << "a phase without a span has no deadline";
  EXPECT_EQ(nullptr, table_.overdue(kDeferred, INT64_MAX));
  EXPECT_EQ(1u, table_.count(kDeferred));
}

TEST_F(ConnectionTableTest, AnEventOfAClosedConnectionIsNobodys) {
  const UniqueFd peer = add(0);
  ASSERT_EQ(1, ::send(peer.get(), "x", 1, 0));
  EXPECT_EQ(0u, event()) << "not watched yet";
  table_.watch(*table_.first(kReading));
  const uint64_t data = event();
  Connection* const connection = table_.find(data);
  ASSERT_NE(nullptr, connection);
  EXPECT_EQ(data, ConnectionTable::event_of(*connection));
  const int fd = connection->fd.get();
  table_.remove(*connection);
  EXPECT_EQ(0u, table_.size());
  EXPECT_EQ(nullptr, table_.find(data));
  const UniqueFd next = add(0);
  EXPECT_EQ(fd, table_.first(kReading)->fd.get()) << "the number is used again";
  EXPECT_EQ(nullptr, table_.find(data));
}

TEST_F(ConnectionTableTest, APhaseWatchesWhatItWaitsFor) {
  const UniqueFd peer = add(0);
  Connection& connection = *table_.first(kReading);
  table_.watch(connection);
  EXPECT_EQ(0u, event());
  enter(connection, kWriting);
  EXPECT_NE(0u, event()) << "there is room to write";
  enter(connection, kRunnable);
  ASSERT_EQ(1, ::send(peer.get(), "x", 1, 0));
  EXPECT_EQ(0u, event());
  enter(connection, kIdle);
  EXPECT_NE(0u, event());
}

TEST_F(ConnectionTableTest, OneThatIsFirstWatchedWithNothingToWaitForIsWatchedLater) {
  const UniqueFd peer = add(0);
  Connection& connection = *table_.first(kReading);
  enter(connection, kRunnable);
  ASSERT_EQ(1, ::send(peer.get(), "x", 1, 0));
  EXPECT_EQ(0u, event());
  enter(connection, kIdle);
  EXPECT_NE(0u, event());
}

}  // namespace
}  // namespace pulse
