#include "tests/proxysql-double/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <sstream>

namespace proxysql_double {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

pulse::Result<AddressList> resolve(const Address& address, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (failure != 0) return pulse::Error{"resolve " + address.host + ": " + ::gai_strerror(failure), 0};
  return AddressList(found, &::freeaddrinfo);
}

void set_blocking(int fd, bool blocking) {
  const int flags = ::fcntl(fd, F_GETFL);
  ::fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Fd::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::vector<Address> parse_interfaces(const std::string& text) {
  std::vector<Address> addresses;
  std::istringstream pieces(text);
  for (std::string piece; std::getline(pieces, piece, ';');) {
    if (piece.starts_with('/')) addresses.push_back({piece, 0});
    const size_t colon = piece.rfind(':');
    if (colon == std::string::npos) continue;
    addresses.push_back({piece.substr(0, colon), std::atoi(piece.c_str() + colon + 1)});
  }
  return addresses;
}

namespace {

pulse::Result<Fd> listen_on_path(const std::string& path) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlink(path.c_str());
  if (!fd.open() || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 1024) != 0) {
    return pulse::system_error("listen on " + path, errno);
  }
  return fd;
}

}  // namespace

pulse::Result<Fd> listen_on(const Address& address) {
  if (address.host.starts_with('/')) return listen_on_path(address.host);
  const std::string what = "listen on " + address.host + ":" + std::to_string(address.port);
  auto list = resolve(address, AI_PASSIVE | AI_NUMERICSERV);
  if (!list) return list.error();
  const addrinfo* first = list->get();
  Fd fd(::socket(first->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.open()) return pulse::system_error(what, errno);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd.get(), first->ai_addr, first->ai_addrlen) != 0) return pulse::system_error(what, errno);
  if (::listen(fd.get(), 1024) != 0) return pulse::system_error(what, errno);
  return fd;
}

pulse::Result<Fd> connect_to(const Address& address, std::chrono::milliseconds timeout) {
  auto list = resolve(address, AI_NUMERICSERV);
  if (!list) return list.error();
  const std::string what = "connect to " + address.host + ":" + std::to_string(address.port);
  const addrinfo* first = list->get();
  Fd fd(::socket(first->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.open()) return pulse::system_error(what, errno);
  if (::connect(fd.get(), first->ai_addr, first->ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return pulse::system_error(what, errno);
    pollfd wait{fd.get(), POLLOUT, 0};
    if (::poll(&wait, 1, static_cast<int>(timeout.count())) != 1) return pulse::system_error(what, ETIMEDOUT);
    int failure = 0;
    socklen_t size = sizeof(failure);
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
    if (failure != 0) return pulse::system_error(what, failure);
  }
  set_blocking(fd.get(), true);
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

Address peer_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {"unknown", 0};
  if (storage.ss_family == AF_UNIX) return {"localhost", 0};
  char host[NI_MAXHOST] = "";
  char port[NI_MAXSERV] = "";
  ::getnameinfo(reinterpret_cast<sockaddr*>(&storage), size, host, sizeof(host), port, sizeof(port),
                NI_NUMERICHOST | NI_NUMERICSERV);
  return {host, std::atoi(port)};
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void reset_on_close(int fd) {
  const linger at_once{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

bool peer_closed_within(int fd, std::chrono::milliseconds wait) {
  pollfd poll_fd{fd, POLLRDHUP, 0};
  return ::poll(&poll_fd, 1, static_cast<int>(wait.count())) == 1;
}

}  // namespace proxysql_double
