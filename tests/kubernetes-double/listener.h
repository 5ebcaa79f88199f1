// The port: accepts connections, and on request doesn't.
#pragma once

#include <sys/socket.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace kubernetes_double {

class Listener {
 public:
  using Serve = std::function<void(pulse::UniqueFd)>;

  // Listens on a numeric address and serves each connection in a thread of its own.
  pulse::Result<void> start(const std::string& address, uint16_t port, Serve serve);
  uint16_t port() const { return port_; }

  enum class State {
    open,
    not_accepting,  // connections stay in the kernel's queue
    closed,         // connections are refused
  };
  // Thread-safe; it is so when this returns. The error: another program has taken the port meanwhile.
  pulse::Result<void> set(State state);

 private:
  [[noreturn]] void run(const Serve& serve);
  void apply();

  sockaddr_storage address_{};
  socklen_t address_size_ = 0;
  uint16_t port_ = 0;
  std::string name_;
  pulse::UniqueFd socket_;
  pulse::UniqueFd wakeup_;
  std::mutex mutex_;
  std::condition_variable applied_;
  State wanted_ = State::open;
  State state_ = State::open;
  pulse::Result<void> outcome_;
};

}  // namespace kubernetes_double
