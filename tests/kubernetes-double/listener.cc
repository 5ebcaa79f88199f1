#include "tests/kubernetes-double/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstring>
#include <thread>

namespace kubernetes_double {
namespace {

pulse::Result<pulse::UniqueFd> listen_on(const sockaddr_storage& address, socklen_t size, const std::string& name) {
  pulse::UniqueFd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(fd.get(), 1024) != 0) {
    return pulse::system_error("listen on " + name, errno);
  }
  return fd;
}

uint16_t& port_of(sockaddr_storage& address) {
  return address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                       : reinterpret_cast<sockaddr_in&>(address).sin_port;
}

}  // namespace

pulse::Result<void> Listener::start(const std::string& address, uint16_t port, Serve serve) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int failure = ::getaddrinfo(address.c_str(), nullptr, &hints, &found); failure != 0) {
    return pulse::Error{"listen on " + address + ": " + ::gai_strerror(failure), 0};
  }
  std::memcpy(&address_, found->ai_addr, found->ai_addrlen);
  address_size_ = found->ai_addrlen;
  ::freeaddrinfo(found);
  port_of(address_) = htons(port);
  name_ = address + " port " + std::to_string(port);

  auto socket = listen_on(address_, address_size_, name_);
  if (!socket) return socket.error();
  socket_ = std::move(*socket);
  // A port that the kernel chose stays the same when it is opened again.
  socklen_t size = sizeof(address_);
  ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address_), &size);
  port_ = ntohs(port_of(address_));
  name_ = address + " port " + std::to_string(port_);
  wakeup_ = pulse::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  std::thread([this, serve = std::move(serve)] { run(serve); }).detach();
  return {};
}

pulse::Result<void> Listener::set(State state) {
  std::unique_lock lock(mutex_);
  wanted_ = state;
  ::eventfd_write(wakeup_.get(), 1);
  const bool done = applied_.wait_for(lock, std::chrono::seconds(5), [&] { return state_ == state || !outcome_; });
  if (!done) return pulse::Error{name_ + ": the listener doesn't answer", 0};
  return std::exchange(outcome_, {});
}

void Listener::apply() {
  const std::lock_guard lock(mutex_);
  if (state_ == wanted_) return;
  if (wanted_ == State::closed) {
    socket_.reset();
  } else if (!socket_) {
    auto socket = listen_on(address_, address_size_, name_);
    if (!socket) {
      outcome_ = socket.error();
      wanted_ = state_;
      applied_.notify_all();
      return;
    }
    socket_ = std::move(*socket);
  }
  state_ = wanted_;
  applied_.notify_all();
}

void Listener::run(const Serve& serve) {
  while (true) {
    apply();
    pollfd waits[] = {{wakeup_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
    ::poll(waits, state_ == State::open ? 2 : 1, -1);
    if (waits[0].revents != 0) {
      eventfd_t count = 0;
      ::eventfd_read(wakeup_.get(), &count);
      continue;
    }
    pulse::UniqueFd accepted(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (accepted) std::thread(serve, std::move(accepted)).detach();
  }
}

}  // namespace kubernetes_double
