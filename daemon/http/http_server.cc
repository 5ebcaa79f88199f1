#include "daemon/http/http_server.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <utility>

#include "daemon/http/http_exchange.h"
#include "daemon/http/listener.h"
#include "src/base/clock.h"
#include "src/base/unique_fd.h"

namespace pulse {
namespace {

constexpr size_t kEventsPerTurn = 256;              // a turn is one epoll_wait and what it reported
constexpr size_t kAcceptsPerTurn = 128;             // so that a storm of connects can't starve those that are in
constexpr int64_t kLongestWaitNs = 60'000'000'000;  // with no connection there is nothing to watch
constexpr int64_t kAcceptPauseNs = 10'000'000;      // after an accept error that would repeat at once

Result<void> watch_input(int epoll, int fd) {
  epoll_event event{EPOLLIN, {.u64 = static_cast<uint64_t>(fd)}};
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) return system_error("epoll_ctl for HTTP", errno);
  return {};
}

}  // namespace

// The event loop.
struct HttpServer::Impl {
  Impl(const HttpLimits& limits, HttpHandler handler, Listener http_listener, UniqueFd epoll_fd, UniqueFd event_fd)
      : accepts_per_turn(std::clamp(limits.max_connections / 4, size_t{1}, kAcceptsPerTurn)),
        listener(std::move(http_listener)),
        epoll(std::move(epoll_fd)),
        wake_event(std::move(event_fd)),
        exchange(limits, std::move(handler), epoll.get()) {}

  void run();
  int wait_ms(int64_t now) const;
  void accept_some(int64_t now);
  void watch_listener(uint32_t interest) const;
  void pause_accepting(int64_t now);
  void wake() const;

  // Less than all there may be: what is accepted now must have a turn to send its request before it can be evicted.
  const size_t accepts_per_turn;
  Listener listener;
  const UniqueFd epoll;
  const UniqueFd wake_event;
  HttpExchange exchange;
  int64_t accept_again_ns = 0;  // while the listener is not watched; else 0
  std::atomic<bool> stopping{false};
};

void HttpServer::Impl::run() {
  std::array<epoll_event, kEventsPerTurn> events;
  while (true) {
    const int timeout = wait_ms(monotonic_ns());
    const int count = ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), timeout);
    const int64_t now = monotonic_ns();
    bool accepting = false;
    for (int i = 0; i < count; ++i) {
      const uint64_t data = events[static_cast<size_t>(i)].data.u64;
      if (data == static_cast<uint64_t>(listener.fd())) {
        accepting = true;
      } else if (data == static_cast<uint64_t>(wake_event.get())) {
        uint64_t wakes = 0;
        [[maybe_unused]] const ssize_t got = ::read(wake_event.get(), &wakes, sizeof wakes);
      } else {
        exchange.on_event(data, now);
      }
    }
    // Those that are in first: a newcomer may evict whoever has not sent its request by now.
    exchange.turn(now);
    if (stopping.load()) return;
    if (accept_again_ns != 0 && now >= accept_again_ns) accepting = true;
    if (accepting) accept_some(now);
  }
}

int HttpServer::Impl::wait_ms(int64_t now) const {
  int64_t until = exchange.idle_until(now, now + kLongestWaitNs);
  if (accept_again_ns != 0) until = std::min(until, accept_again_ns);
  return Deadline::at_monotonic_ns(until).poll_timeout_ms();
}

void HttpServer::Impl::accept_some(int64_t now) {
  if (accept_again_ns != 0) watch_listener(EPOLLIN);
  accept_again_ns = 0;
  for (size_t i = 0; i < accepts_per_turn; ++i) {
    Listener::Accepted next = listener.accept();
    switch (next.kind) {
      case Listener::Accepted::Kind::connection:
        exchange.admit(std::move(next.fd), next.from, now);
        break;
      case Listener::Accepted::Kind::none:
        return;
      case Listener::Accepted::Kind::again:
        break;
      case Listener::Accepted::Kind::no_descriptor:
        // Nothing to give up: take the newcomer off the queue all the same, or it would wake us for ever.
        if (!exchange.evict() && !listener.refuse_next()) return pause_accepting(now);
        break;
      case Listener::Accepted::Kind::failed:
        return pause_accepting(now);
    }
  }
}

void HttpServer::Impl::watch_listener(uint32_t interest) const {
  epoll_event event{interest, {.u64 = static_cast<uint64_t>(listener.fd())}};
  ::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, listener.fd(), &event);
}

void HttpServer::Impl::pause_accepting(int64_t now) {
  watch_listener(0);
  accept_again_ns = now + kAcceptPauseNs;
}

void HttpServer::Impl::wake() const {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = ::write(wake_event.get(), &one, sizeof one);
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const std::string& address, uint16_t port,
                                                       const HttpLimits& limits, HttpHandler handler) {
  auto listener = Listener::open(address, port);
  if (!listener) return listener.error();
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wake_event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !wake_event) return system_error("epoll or eventfd for HTTP", errno);
  for (const int fd : {listener->fd(), wake_event.get()}) {
    if (auto watched = watch_input(epoll.get(), fd); !watched) return watched.error();
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::make_unique<Impl>(
      limits, std::move(handler), std::move(*listener), std::move(epoll), std::move(wake_event))));
}

uint16_t HttpServer::port() const { return impl_->listener.port(); }

void HttpServer::run() { impl_->run(); }

void HttpServer::stop() {
  impl_->stopping.store(true);
  impl_->wake();
}

void HttpServer::complete(uint64_t token, HttpResponse response) {
  impl_->exchange.complete(token, std::move(response));
  impl_->wake();
}

HttpCounters HttpServer::counters() const { return impl_->exchange.counters(); }

}  // namespace pulse
