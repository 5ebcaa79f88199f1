#include "tests/bench/sql_load.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>

#include "src/base/clock.h"

namespace pulse::bench {

namespace {

constexpr int64_t kPatienceNs = 5'000'000'000;
constexpr uint64_t kTimer = ~uint64_t{0};

class Clients {
 public:
  Clients(const std::vector<SqlClient>& connections, const std::string& statement, double rate,
          std::chrono::milliseconds span)
      : connections_(connections),
        statement_(statement),
        rate_(rate),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
        requests_(connections.size()) {
    load_.planned = static_cast<size_t>(rate * std::chrono::duration<double>(span).count());
    load_.latencies_us.reserve(load_.planned);
    load_.due_ms.reserve(load_.planned);
    load_.late_us.reserve(load_.planned);
    watch(timer_.get(), kTimer);
    for (size_t i = 0; i < connections_.size(); ++i) {
      watch(connections_[i].fd(), i);
      free_.push_back(i);
    }
  }

  SqlLoad run() {
    began_ns_ = monotonic_ns() + 20'000'000;
    const int64_t give_up_ns = due(load_.planned) + kPatienceNs;
    arm();
    std::array<epoll_event, 64> events;
    while (load_.latencies_us.size() + load_.failed < load_.planned && monotonic_ns() < give_up_ns) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i) {
        const uint64_t at = events[static_cast<size_t>(i)].data.u64;
        if (at != kTimer) {
          on_bytes(at);
          continue;
        }
        uint64_t expirations = 0;
        [[maybe_unused]] const ssize_t got = ::read(timer_.get(), &expirations, sizeof expirations);
      }
      send_due();
    }
    const size_t ended = load_.latencies_us.size() + load_.failed;
    if (ended < load_.planned) fail("no answer within 5 s", load_.planned - ended);
    return std::move(load_);
  }

 private:
  struct Request {
    bool busy = false;
    int64_t due_ns = 0;
    AnswerReader answer;
  };

  int64_t due(size_t i) const { return began_ns_ + static_cast<int64_t>(static_cast<double>(i) * 1e9 / rate_); }

  void watch(int fd, uint64_t at) const {
    epoll_event event{EPOLLIN, {.u64 = at}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }

  void arm() const {
    if (next_ == load_.planned) return;
    const int64_t instant = due(next_);
    const itimerspec spec{{}, {instant / 1'000'000'000, instant % 1'000'000'000}};
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
  }

  void send_due() {
    const int64_t now = monotonic_ns();
    const size_t before = next_;
    for (; next_ < load_.planned && due(next_) <= now; ++next_) waiting_.push_back(due(next_));
    while (!waiting_.empty() && !free_.empty()) {
      const size_t at = free_.front();
      free_.pop_front();
      requests_[at] = {true, waiting_.front(), {}};
      waiting_.pop_front();
      load_.late_us.push_back(static_cast<float>(monotonic_ns() - requests_[at].due_ns) / 1e3F);
      if (!connections_[at].transmit(statement_)) drop(at, std::strerror(errno));
    }
    if (next_ != before) arm();
  }

  void on_bytes(size_t at) {
    char buffer[4096];
    const ssize_t got = ::recv(connections_[at].fd(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return drop(at, got == 0 ? "connection closed" : std::strerror(errno));
    Request& request = requests_[at];
    if (!request.busy || !request.answer.take(buffer, static_cast<size_t>(got))) return;
    request.busy = false;
    free_.push_back(at);
    if (!request.answer.error().empty()) return fail(request.answer.error(), 1);
    load_.latencies_us.push_back(static_cast<float>(monotonic_ns() - request.due_ns) / 1e3F);
    load_.due_ms.push_back(static_cast<float>(request.due_ns - began_ns_) / 1e6F);
  }

  // It is in no list any more, so it gets no other statement.
  void drop(size_t at, const std::string& reason) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connections_[at].fd(), nullptr);
    std::erase(free_, at);
    if (requests_[at].busy) fail(reason, 1);
    requests_[at].busy = false;
  }

  void fail(const std::string& reason, size_t count) {
    if (load_.failed == 0) load_.reason = reason;
    load_.failed += count;
  }

  const std::vector<SqlClient>& connections_;
  const std::string statement_;
  const double rate_;
  const UniqueFd epoll_;
  const UniqueFd timer_;
  std::vector<Request> requests_;  // one for each connection
  std::deque<size_t> free_;        // connections
  std::deque<int64_t> waiting_;    // due, and no connection to send it on yet
  SqlLoad load_;
  int64_t began_ns_ = 0;
  size_t next_ = 0;
};

}  // namespace

SqlLoad sql_load(const std::vector<SqlClient>& connections, const std::string& statement, double rate,
                 std::chrono::milliseconds span) {
  return Clients(connections, statement, rate, span).run();
}

}  // namespace pulse::bench
