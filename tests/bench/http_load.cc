#include "tests/bench/http_load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <string_view>

#include "src/base/clock.h"
#include "tests/bench/report.h"

namespace pulse::bench {

namespace {

constexpr int64_t kPatienceNs = 5'000'000'000;
constexpr uint64_t kTimer = ~uint64_t{0};

// A socket on its way to the port; the connect may not be through yet.
UniqueFd start_connect(uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) {
    fd.reset();
  }
  return fd;
}

// One connection with at most one request on its way.
struct Slot {
  UniqueFd fd;
  bool busy = false;      // a request is due on it
  bool sent = false;      // ... and sent
  bool answered = false;  // of a connection for one request: only its end is awaited
  int64_t due_ns = 0;
  std::string in;
};

class Load {
 public:
  explicit Load(const LoadOptions& options)
      : options_(options),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
        request_(std::string("GET ") + options.path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n" +
                 (keeps() ? "" : "Connection: close\r\n") + "\r\n") {
    result_.planned = static_cast<size_t>(options.rate * std::chrono::duration<double>(options.span).count());
    latencies_us_.reserve(result_.planned);
    late_us_.reserve(result_.planned);
    epoll_event event{EPOLLIN, {.u64 = kTimer}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event);
    slots_.resize(std::max<size_t>(options.kept_connections, 64));
    for (size_t i = 0; i < slots_.size(); ++i) free_.push_back(slots_.size() - 1 - i);
  }

  LoadResult run() {
    began_ns_ = monotonic_ns() + 20'000'000;
    const int64_t give_up_ns = due(result_.planned) + kPatienceNs;
    arm();
    std::array<epoll_event, 256> events;
    while (done_ < result_.planned && monotonic_ns() < give_up_ns) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i) {
        const uint64_t at = events[static_cast<size_t>(i)].data.u64;
        if (at == kTimer) {
          uint64_t expirations = 0;
          [[maybe_unused]] const ssize_t got = ::read(timer_.get(), &expirations, sizeof expirations);
        } else {
          on_event(at);
        }
      }
      start_due();
    }
    if (done_ < result_.planned) fail_all(result_.planned - done_, "no answer within 5 s");
    return finish();
  }

 private:
  bool keeps() const { return options_.kept_connections > 0; }
  int64_t due(size_t i) const { return began_ns_ + static_cast<int64_t>(static_cast<double>(i) * 1e9 / options_.rate); }

  void arm() {
    if (next_ == result_.planned) return;
    const int64_t instant = due(next_);
    const itimerspec spec{{}, {instant / 1'000'000'000, instant % 1'000'000'000}};
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
  }

  void start_due() {
    const int64_t now = monotonic_ns();
    const size_t before = next_;
    for (; next_ < result_.planned && due(next_) <= now; ++next_) waiting_.push_back(due(next_));
    while (!waiting_.empty() && (!free_.empty() || !keeps())) {
      if (free_.empty()) {
        slots_.emplace_back();
        free_.push_back(slots_.size() - 1);
      }
      const size_t at = free_.back();
      free_.pop_back();
      slots_[at].busy = true;
      slots_[at].due_ns = waiting_.front();
      waiting_.pop_front();
      late_us_.push_back(static_cast<float>(monotonic_ns() - slots_[at].due_ns) / 1e3F);
      start(at);
    }
    if (next_ != before) arm();
  }

  void start(size_t at) {
    Slot& slot = slots_[at];
    slot.sent = slot.answered = false;
    slot.in.clear();
    if (slot.fd) return transmit(at);
    slot.fd = start_connect(options_.port);
    if (!slot.fd) return fail(at, std::strerror(errno));
    watch(at, EPOLL_CTL_ADD, EPOLLOUT);
  }

  void watch(size_t at, int operation, uint32_t interest) {
    epoll_event event{interest, {.u64 = at}};
    ::epoll_ctl(epoll_.get(), operation, slots_[at].fd.get(), &event);
  }

  void transmit(size_t at) {
    Slot& slot = slots_[at];
    slot.sent = true;
    if (::send(slot.fd.get(), request_.data(), request_.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request_.size())) {
      fail(at, std::strerror(errno));
    }
  }

  void on_event(size_t at) {
    Slot& slot = slots_[at];
    if (!slot.fd) return;
    if (slot.busy && !slot.sent) {
      watch(at, EPOLL_CTL_MOD, EPOLLIN);
      return transmit(at);
    }
    char buffer[8192];
    const ssize_t got = ::recv(slot.fd.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      if (slot.busy) return fail(at, got == 0 ? "closed without an answer" : std::strerror(errno));
      slot.fd.reset();
      if (slot.answered) free_.push_back(at);
      slot.answered = false;
      return;
    }
    slot.in.append(buffer, static_cast<size_t>(got));
    if (slot.busy && is_complete(slot.in)) succeed(at);
  }

  static bool is_complete(std::string_view in) {
    constexpr std::string_view kLength = "\r\nContent-Length: ";
    const size_t body = in.find("\r\n\r\n");
    const size_t length_at = in.find(kLength);
    if (body == std::string_view::npos || length_at == std::string_view::npos || length_at > body) return false;
    size_t length = 0;
    std::from_chars(in.data() + length_at + kLength.size(), in.data() + body, length);
    return in.size() >= body + 4 + length;
  }

  void succeed(size_t at) {
    Slot& slot = slots_[at];
    if (slot.in.rfind("HTTP/1.1 200 ", 0) != 0) return fail(at, slot.in.substr(0, slot.in.find('\r')));
    last_ns_ = monotonic_ns();
    latencies_us_.push_back(static_cast<float>(last_ns_ - slot.due_ns) / 1e3F);
    ++done_;
    slot.busy = false;
    slot.answered = !keeps();  // the server closes: its side then is the one that waits in TIME_WAIT
    if (keeps()) free_.push_back(at);
  }

  void fail(size_t at, const std::string& reason) {
    fail_all(1, reason);
    ++done_;
    slots_[at].fd.reset();
    slots_[at].busy = false;
    free_.push_back(at);
  }

  void fail_all(size_t count, const std::string& reason) {
    if (result_.failed == 0) result_.reason = reason;
    result_.failed += count;
  }

  LoadResult finish() {
    result_.p50_us = percentile(latencies_us_, 0.5);
    result_.p99_us = percentile(latencies_us_, 0.99);
    result_.p999_us = percentile(latencies_us_, 0.999);
    result_.most_us = percentile(latencies_us_, 1);
    result_.late_p99_us = percentile(late_us_, 0.99);
    // The last request is due one interval before the span's end.
    const double span_ns =
        std::max(static_cast<double>(last_ns_ - began_ns_), 1e9 / options_.rate) + 1e9 / options_.rate;
    result_.rate = static_cast<double>(latencies_us_.size()) * 1e9 / span_ns;
    return result_;
  }

  const LoadOptions options_;
  const UniqueFd epoll_;
  const UniqueFd timer_;
  const std::string request_;
  std::vector<Slot> slots_;
  std::vector<size_t> free_;
  std::deque<int64_t> waiting_;  // due, and no connection to send it on yet
  std::vector<float> latencies_us_;
  std::vector<float> late_us_;
  LoadResult result_;
  int64_t began_ns_ = 0;
  int64_t last_ns_ = 0;
  size_t next_ = 0;
  size_t done_ = 0;
};

}  // namespace

LoadResult probe_load(const LoadOptions& options) { return Load(options).run(); }

Crowd::Crowd(uint16_t port, size_t half_open, size_t slow)
    : stop_(::eventfd(0, EFD_CLOEXEC)), thread_([this, port, half_open, slow] { run(port, half_open, slow); }) {}

Crowd::~Crowd() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void Crowd::run(uint16_t port, size_t half_open, size_t slow) const {
  constexpr std::string_view kRequest = "GET /healthz/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: slow\r\n\r\n";
  constexpr size_t kHalf = 12;
  const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{EPOLLIN, {.u64 = kTimer}};
  ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, stop_.get(), &event);
  struct Member {
    UniqueFd fd;
    bool connected = false;
    size_t sent = 0;
  };
  std::vector<Member> members(half_open + slow);
  const auto open = [&](size_t at) {
    members[at] = {start_connect(port)};
    epoll_event connecting{EPOLLOUT, {.u64 = at}};
    ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, members[at].fd.get(), &connecting);
  };
  const auto transmit = [&](size_t at, size_t count) {
    ::send(members[at].fd.get(), kRequest.data() + members[at].sent, count, MSG_NOSIGNAL);
    members[at].sent += count;
  };
  for (size_t at = 0; at < members.size(); ++at) open(at);
  int64_t next_byte_ns = monotonic_ns();
  std::array<epoll_event, 256> events;
  for (;;) {
    const int count = ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()),
                                   Deadline::at_monotonic_ns(next_byte_ns).poll_timeout_ms());
    for (int i = 0; i < count; ++i) {
      const uint64_t at = events[static_cast<size_t>(i)].data.u64;
      if (at == kTimer) return;
      Member& member = members[at];
      char buffer[1024];
      if (!member.connected) {
        member.connected = true;
        epoll_event reading{EPOLLIN, {.u64 = at}};
        ::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, member.fd.get(), &reading);
        if (at < half_open && at % 2 == 1) transmit(at, kHalf);
      } else if (::recv(member.fd.get(), buffer, sizeof buffer, 0) <= 0) {
        open(at);
      }
    }
    if (monotonic_ns() < next_byte_ns) continue;
    next_byte_ns += 1'000'000'000;
    for (size_t at = half_open; at < members.size(); ++at) {
      if (members[at].connected && members[at].sent < kRequest.size() - 1) transmit(at, 1);
    }
  }
}

}  // namespace pulse::bench
