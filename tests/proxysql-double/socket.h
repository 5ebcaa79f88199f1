// Owned file descriptors and the few socket calls that the double makes.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/result.h"

namespace proxysql_double {

// Owns one descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { close(); }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void close();

 private:
  int fd_ = -1;
};

struct Address {
  std::string host;
  int port = 0;
};

// "host:port;host:port". Pieces without a port are left out.
std::vector<Address> parse_interfaces(const std::string& text);

// A listening, non-blocking, close-on-exec TCP socket. The error names the address.
pulse::Result<Fd> listen_on(const Address& address);

// Resolves the name and connects; the error is the system's or the resolver's reason.
pulse::Result<Fd> connect_to(const Address& address, std::chrono::milliseconds timeout);

// "127.0.0.1" and the port of the other side.
Address peer_of(int fd);

// False when the other side is gone.
bool send_all(int fd, std::string_view bytes);

// The coming close sends a RST instead of a FIN.
void reset_on_close(int fd);

// True when the other side has closed or reset within `wait`. Unread input doesn't count.
bool peer_closed_within(int fd, std::chrono::milliseconds wait);

}  // namespace proxysql_double
