// TCP on 127.0.0.1 (or another address of 127.0.0.0/8), as tests and benchmarks use it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "src/base/unique_fd.h"

namespace pulse::test {

inline sockaddr_in loopback_address(uint16_t port, const char* host = "127.0.0.1") {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, host, &address.sin_addr);
  return address;
}

// A connection whose reads give up after `patience_s`; none if nobody listens.
inline UniqueFd connect_loopback(uint16_t port, int patience_s = 5, const char* host = "127.0.0.1") {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{patience_s, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const sockaddr_in address = loopback_address(port, host);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

// Takes a port for this process until it ends, beside other tests' processes: who has one has a socket of its name.
// False if another has it.
inline bool reserve_port(uint16_t port) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const int length =
      std::snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "proxysql-pulse.test-port.%u", unsigned{port});
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<size_t>(length));
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&name), size) == 0) return true;
  const bool taken = errno == EADDRINUSE;
  ::close(fd);
  return !taken;
}

// A port that is free, 0 if none was found. Outside of the range from which the kernel gives ports to clients, and
// reserved: so nobody takes it between here and its use, or while a server that had it starts anew.
inline uint16_t free_port() {
  static std::atomic<unsigned> next{static_cast<unsigned>(::getpid()) * 37 % 18'000};
  for (int tries = 0; tries < 2'000; ++tries) {
    const auto port = static_cast<uint16_t>(10'000 + next++ % 18'000);
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && reserve_port(port)) return port;
  }
  return 0;
}

}  // namespace pulse::test
