#include "tests/integration/balancer.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>

#include "tests/loopback.h"

namespace pulse::test {

namespace {

constexpr milliseconds kAskEvery{100};

void no_delay(const UniqueFd& fd) {
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

// One of the two connections of a pair.
struct Balancer::Side {
  UniqueFd fd;
  int other = -1;
  std::string waiting;      // to be sent here
  bool ends_after = false;  // the other side has ended its sending
  bool has_ended = false;   // its own
};

Balancer::Balancer(std::vector<Target> targets, milliseconds lag)
    : lag_(lag),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  sockaddr_in address = loopback_address(free_port());
  EXPECT_EQ(0, ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  EXPECT_EQ(0, ::listen(listener_.get(), 1024));
  port_ = ntohs(address.sin_port);
  epoll_event event{EPOLLIN, {.fd = listener_.get()}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener_.get(), &event);
  for (Target& target : targets) {
    routes_.push_back(std::make_unique<Route>());
    routes_.back()->target = std::move(target);
  }
  for (const auto& route : routes_) threads_.emplace_back([this, &route] { watch(*route); });
  threads_.emplace_back([this] { relay(); });
}

Balancer::~Balancer() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
}

bool Balancer::sends_to(size_t target) const {
  const int64_t since = routes_[target]->unready_since_ns;
  return since == 0 || monotonic_ns() - since < nanoseconds(lag_).count();
}

void Balancer::watch(Route& route) {
  while (!stopping_) {
    const Deadline next = Deadline::after(kAskEvery);
    const std::optional<bool> ready = route.target.ready();
    if (ready && *ready) {
      route.unready_since_ns = 0;
    } else if (ready && route.unready_since_ns == 0) {
      route.unready_since_ns = monotonic_ns();
    }
    if (!next.passed()) std::this_thread::sleep_for(next.left());
  }
}

void Balancer::relay() {
  // A balancer isn't as slow as a thread on a busy test machine. Without the right to it, it has to be.
  const sched_param high{1};
  ::pthread_setschedparam(::pthread_self(), SCHED_RR, &high);
  std::array<epoll_event, 64> events;
  while (!stopping_) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 100);
    bool accepting = false;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      if (event.data.fd == listener_.get()) {
        accepting = true;
        continue;
      }
      const auto place = static_cast<size_t>(event.data.fd);
      if (place >= sides_.size() || !sides_[place]) continue;  // dropped in this turn
      Side& side = *sides_[place];
      if ((event.events & EPOLLERR) != 0) {
        drop(side, true);
      } else if ((event.events & EPOLLOUT) == 0 || flush(side)) {
        if ((event.events & (EPOLLIN | EPOLLHUP)) != 0) pass_on(side);
      }
    }
    if (accepting) accept_one();  // last: a number that is given again must meet none of this turn's events
  }
}

void Balancer::accept_one() {
  UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client) return;
  size_t target = next_++ % routes_.size();
  for (size_t tries = 1; tries < routes_.size() && !sends_to(target); ++tries) target = next_++ % routes_.size();
  UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_in address = loopback_address(routes_[target]->target.port);
  no_delay(client);
  no_delay(server);
  // A refusal comes back as an error event, and the client gets a reset for it.
  ::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int one = client.get(), other = server.get();
  if (sides_.size() <= static_cast<size_t>(std::max(one, other))) sides_.resize(std::max(one, other) + 64);
  for (auto& [fd, peer] : {std::pair(&client, other), std::pair(&server, one)}) {
    const int number = fd->get();
    epoll_event event{EPOLLIN, {.fd = number}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, number, &event);
    sides_[static_cast<size_t>(number)] = std::make_unique<Side>(Side{std::move(*fd), peer, "", false, false});
  }
}

// Reads what is there and gives it to the other side. False if the pair is gone.
bool Balancer::pass_on(Side& from) {
  Side& to = *sides_[static_cast<size_t>(from.other)];
  std::array<char, 16 * 1024> chunk;
  const ssize_t count = ::recv(from.fd.get(), chunk.data(), chunk.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (count < 0) {
    drop(from, true);
    return false;
  }
  if (count > 0) {
    to.waiting.append(chunk.data(), static_cast<size_t>(count));
    return flush(to);
  }
  if (from.has_ended) return true;
  from.has_ended = true;
  to.ends_after = true;
  if (to.has_ended) {
    drop(from, false);
    return false;
  }
  epoll_event event{0, {.fd = from.fd.get()}};  // it would say so for ever
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, from.fd.get(), &event);
  return flush(to);
}

bool Balancer::flush(Side& to) {
  while (!to.waiting.empty()) {
    const ssize_t sent = ::send(to.fd.get(), to.waiting.data(), to.waiting.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN)) break;
    if (sent < 0) {
      drop(to, true);
      return false;
    }
    to.waiting.erase(0, static_cast<size_t>(sent));
  }
  if (to.waiting.empty() && to.ends_after) ::shutdown(to.fd.get(), SHUT_WR);
  epoll_event event{(to.has_ended ? 0U : EPOLLIN) | (to.waiting.empty() ? 0U : EPOLLOUT), {.fd = to.fd.get()}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, to.fd.get(), &event);
  return true;
}

// Closes both connections of the pair; with a reset if one of them had an error.
void Balancer::drop(Side& side, bool reset) {
  for (const int fd : {side.other, side.fd.get()}) {
    const linger at_once{1, 0};
    if (reset) {
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    } else {
      ::shutdown(fd, SHUT_RDWR);
    }
    // By hand: a child that was just forked still has it open, and the number may be given again.
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    sides_[static_cast<size_t>(fd)].reset();
  }
}

}  // namespace pulse::test
