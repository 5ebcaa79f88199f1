// All connections of the HTTP server by what they wait for, and until when; and what epoll watches of each.
#pragma once

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <vector>

#include "daemon/http/connection.h"
#include "src/base/unique_fd.h"

namespace pulse {

// Each phase has one list of its connections; within a list every deadline is the entry time plus the same span, so the
// front is always the next to expire and the one that has waited longest. One thread, but for size().
class ConnectionTable {
 public:
  using Spans = std::array<int64_t, kPhases>;  // in nanoseconds; 0: no deadline

  // `epoll` must outlive the table.
  ConnectionTable(int epoll, const Spans& spans) : epoll_(epoll), spans_(spans) {}

  // Takes in a connection, which begins with kReading and isn't watched yet. Without memory it is closed, and null.
  Connection* add(UniqueFd fd, const sockaddr_storage& from, int64_t now);
  // Closes it; it must not be touched afterwards.
  void remove(Connection& connection);
  // Puts it at the end of that phase's list, with a new deadline.
  void enter(Connection& connection, Phase phase, int64_t now);
  // Has epoll watch what its phase waits for. Where epoll refuses, the deadline is the connection's end.
  void watch(Connection& connection) const;

  // The data of its events.
  static uint64_t event_of(const Connection& connection);
  // Whose event it is; null if that connection was closed earlier.
  Connection* find(uint64_t event) const;
  // The one that has waited longest in that phase; null if there is none.
  Connection* first(Phase phase);
  // The same if its deadline has passed.
  Connection* overdue(Phase phase, int64_t now);
  size_t count(Phase phase) const { return lists_[phase].size(); }
  // The earliest deadline of all, `latest` at most.
  int64_t next_deadline(int64_t latest) const;
  // How many are open. Any thread.
  size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  const int epoll_;
  const Spans spans_;
  std::array<std::list<Connection>, kPhases> lists_;
  std::vector<Connection*> by_fd_;
  uint32_t last_serial_ = 0;
  std::atomic<size_t> size_{0};
};

}  // namespace pulse
