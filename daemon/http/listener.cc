#include "daemon/http/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <cerrno>
#include <utility>

#include "src/base/host_port.h"

namespace pulse {

namespace {

constexpr int kListenBacklog = 4096;  // the kernel caps it at net.core.somaxconn

UniqueFd open_reserve() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

// 0, or the errno with `failed_call` set.
int bind_and_listen(int family, const sockaddr* address, socklen_t length, bool dual_stack, UniqueFd& listener,
                    const char*& failed_call) {
  const auto failed = [&](const char* call) {
    failed_call = call;
    return errno;
  };
  listener = UniqueFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (listener.get() < 0) return failed("socket");
  const int on = 1;
  const int only_v6 = dual_stack ? 0 : 1;
  if (::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return failed("SO_REUSEADDR");
  // Accepted sockets inherit it, which saves a call for each.
  if (::setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) return failed("TCP_NODELAY");
  if (family == AF_INET6 && ::setsockopt(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6) != 0) {
    return failed("IPV6_V6ONLY");
  }
  if (::bind(listener.get(), address, length) != 0) return failed("bind");
  if (::listen(listener.get(), kListenBacklog) != 0) return failed("listen");
  return 0;
}

// The errors of accept(2) that are the new connection's own.
bool is_of_the_connection(int error) {
  return error == EINTR || error == ECONNABORTED || error == EPROTO || error == ENETDOWN || error == ENOPROTOOPT ||
         error == EHOSTDOWN || error == EHOSTUNREACH || error == EOPNOTSUPP || error == ENETUNREACH;
}

}  // namespace

Listener::Listener(UniqueFd socket, uint16_t port)
    : socket_(std::move(socket)), reserve_(open_reserve()), port_(port) {}

Result<Listener> Listener::open(const std::string& address, uint16_t port) {
  const bool everywhere = address.empty() || address == "::";
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  const bool is_v6 = everywhere || ::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1;
  if (!is_v6 && ::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) != 1) {
    return Error{"listen on " + address + ": not a numeric IPv4 or IPv6 address", EINVAL};
  }

  const auto* const v6_address = reinterpret_cast<const sockaddr*>(&v6);
  const auto* const v4_address = reinterpret_cast<const sockaddr*>(&v4);
  UniqueFd socket;
  const char* call = "";
  int failure = EAFNOSUPPORT;
  if (is_v6) failure = bind_and_listen(AF_INET6, v6_address, sizeof v6, everywhere, socket, call);
  if (!is_v6 || (everywhere && (failure == EAFNOSUPPORT || failure == EADDRNOTAVAIL))) {
    failure = bind_and_listen(AF_INET, v4_address, sizeof v4, false, socket, call);
  }
  if (failure != 0) {
    return system_error("listen on " + host_port_text(everywhere ? "::" : address, port) + ": " + call, failure);
  }

  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
    return system_error("getsockname of the HTTP listener", errno);
  }
  const uint16_t chosen = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                                            : reinterpret_cast<sockaddr_in&>(bound).sin_port);
  return Listener(std::move(socket), chosen);
}

Listener::Accepted Listener::accept() {
  using Kind = Accepted::Kind;
  Accepted next;
  socklen_t length = sizeof next.from;
  next.fd = UniqueFd(
      ::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&next.from), &length, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (next.fd) {
    next.kind = Kind::connection;
  } else if (errno == EAGAIN) {
    next.kind = Kind::none;
  } else if (errno == EMFILE || errno == ENFILE) {
    // accept(2) looks for a descriptor before it looks for a connection.
    pollfd pending{socket_.get(), POLLIN, 0};
    next.kind = ::poll(&pending, 1, 0) == 1 ? Kind::no_descriptor : Kind::none;
  } else {
    next.kind = is_of_the_connection(errno) ? Kind::again : Kind::failed;
  }
  return next;
}

bool Listener::refuse_next() {
  reserve_.reset();
  const bool refused = static_cast<bool>(UniqueFd(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  reserve_ = open_reserve();
  return refused;
}

}  // namespace pulse
