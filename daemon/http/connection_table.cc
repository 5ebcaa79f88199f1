#include "daemon/http/connection_table.h"

#include <sys/epoll.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace pulse {

namespace {

uint32_t interest_of(Phase phase) {
  switch (phase) {
    case kWriting:
      return EPOLLOUT;
    case kDeferred:  // the peer's leaving alone
      return EPOLLRDHUP;
    case kRunnable:
      return 0;
    case kReading:
    case kIdle:
    case kLingering:
    case kPhases:
      break;
  }
  return EPOLLIN;
}

}  // namespace

Connection* ConnectionTable::add(UniqueFd fd, const sockaddr_storage& from, int64_t now) {
  const auto at = static_cast<size_t>(fd.get());
  try {
    if (at >= by_fd_.size()) by_fd_.resize(at + 64);
    lists_[kReading].emplace_back();
  } catch (...) {
    return nullptr;
  }
  Connection& connection = lists_[kReading].back();
  connection.self = std::prev(lists_[kReading].end());
  connection.fd = std::move(fd);
  connection.serial = ++last_serial_;
  if (connection.serial == 0) connection.serial = ++last_serial_;  // 0 is the listener's and the wake-up's
  connection.peer = address_of(from);
  connection.deadline_ns = now + spans_[kReading];
  by_fd_[at] = &connection;
  size_.fetch_add(1, std::memory_order_relaxed);
  return &connection;
}

void ConnectionTable::remove(Connection& connection) {
  by_fd_[static_cast<size_t>(connection.fd.get())] = nullptr;
  lists_[connection.phase].erase(connection.self);
  size_.fetch_sub(1, std::memory_order_relaxed);
}

void ConnectionTable::enter(Connection& connection, Phase phase, int64_t now) {
  lists_[phase].splice(lists_[phase].end(), lists_[connection.phase], connection.self);
  connection.phase = phase;
  connection.deadline_ns = now + spans_[phase];
}

void ConnectionTable::watch(Connection& connection) const {
  const uint32_t interest = interest_of(connection.phase);
  if (connection.interest == interest) return;
  epoll_event event{interest, {.u64 = event_of(connection)}};
  const int change = connection.interest ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (::epoll_ctl(epoll_, change, connection.fd.get(), &event) == 0) connection.interest = interest;
}

uint64_t ConnectionTable::event_of(const Connection& connection) {
  return uint64_t{connection.serial} << 32 | static_cast<uint32_t>(connection.fd.get());
}

Connection* ConnectionTable::find(uint64_t event) const {
  const size_t fd = event & 0xffffffffu;
  Connection* const connection = fd < by_fd_.size() ? by_fd_[fd] : nullptr;
  return connection != nullptr && connection->serial == event >> 32 ? connection : nullptr;
}

Connection* ConnectionTable::first(Phase phase) { return lists_[phase].empty() ? nullptr : &lists_[phase].front(); }

Connection* ConnectionTable::overdue(Phase phase, int64_t now) {
  Connection* const connection = spans_[phase] == 0 ? nullptr : first(phase);
  return connection != nullptr && connection->deadline_ns <= now ? connection : nullptr;
}

int64_t ConnectionTable::next_deadline(int64_t latest) const {
  for (size_t phase = 0; phase < kPhases; ++phase) {
    if (spans_[phase] != 0 && !lists_[phase].empty()) latest = std::min(latest, lists_[phase].front().deadline_ns);
  }
  return latest;
}

}  // namespace pulse
