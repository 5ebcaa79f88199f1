// A server on a port of its own that does as it is told to whoever connects.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "src/base/clock.h"
#include "src/base/unique_fd.h"

namespace pulse {

// A packet of MySQL's.
inline std::string packet(const std::string& payload, char sequence = 0) {
  const size_t size = payload.size();
  return std::string{static_cast<char>(size & 0xff), static_cast<char>(size >> 8 & 0xff),
                     static_cast<char>(size >> 16 & 0xff), sequence} +
         payload;
}

// Of MySQL.
inline const std::string kGreeting = packet(std::string("\x0a", 1) + "8.0.30" + std::string(60, '\0'));

// Does the same to each client, one after the other.
class FakeServer {
 public:
  using Behaviour = std::function<void(int client, const std::atomic<bool>& stopping)>;

  explicit FakeServer(Behaviour behaviour, int family = AF_INET)
      : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)), behaviour_(std::move(behaviour)) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    address.ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET6) {
      reinterpret_cast<sockaddr_in6&>(address).sin6_addr = in6addr_loopback;
    } else {
      reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), length), 0) << std::strerror(errno);
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                     : reinterpret_cast<sockaddr_in&>(address).sin_port);
    if (!behaviour_) return;  // bound, but refusing
    EXPECT_EQ(::listen(fd_.get(), 16), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeServer() {
    stopping_ = true;
    if (behaviour_) ::shutdown(fd_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  uint16_t port() const { return port_; }
  int served() const { return served_; }
  void hold(bool on) { held_ = on; }

 private:
  void serve() {
    while (!stopping_) {
      if (held_) {
        std::this_thread::sleep_for(milliseconds(1));
        continue;
      }
      const UniqueFd client(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) return;
      behaviour_(client.get(), stopping_);
      ++served_;
    }
  }

  UniqueFd fd_;
  uint16_t port_ = 0;
  Behaviour behaviour_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> held_{false};
  std::atomic<int> served_{0};
  std::thread thread_;
};

inline FakeServer::Behaviour sends(const std::string& bytes) {
  return [bytes](int client, const std::atomic<bool>&) { ::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL); };
}

}  // namespace pulse
