// The socket that connections come in by.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace pulse {

class Listener {
 public:
  // Binds and listens. `address` is a numeric IPv4 or IPv6 address; empty or "::" means every address of both families,
  // or 0.0.0.0 where the host has no IPv6. Port 0 takes any free one. The error's code is the errno.
  static Result<Listener> open(const std::string& address, uint16_t port);

  int fd() const { return socket_.get(); }
  uint16_t port() const { return port_; }

  struct Accepted {
    enum class Kind {
      connection,     // `fd` is its socket, non-blocking
      none,           // nobody waits
      again,          // the one that came was gone already
      no_descriptor,  // somebody waits, and this process or this host has no descriptor left
      failed,         // an error that would repeat at once
    };
    Kind kind = Kind::none;
    UniqueFd fd;
    sockaddr_storage from{};
  };
  // Takes the next connection off the queue. Never waits.
  Accepted accept();

  // After no_descriptor: takes the next connection off the queue and closes it, for which the listener keeps a
  // descriptor in reserve. False if that failed, too.
  bool refuse_next();

 private:
  explicit Listener(UniqueFd socket, uint16_t port);

  UniqueFd socket_;
  UniqueFd reserve_;
  uint16_t port_;
};

}  // namespace pulse
