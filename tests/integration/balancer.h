// A small TCP balancer in front of some servers, which learns late that one of them isn't ready any more.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "src/base/clock.h"
#include "src/base/unique_fd.h"

namespace pulse::test {

class Balancer {
 public:
  struct Target {
    uint16_t port;
    std::function<std::optional<bool>()> ready;  // asked every 100 ms, on a thread of its own; nothing: as before
  };

  // New connections go to the targets in turn. A target gets none once it hasn't been ready for `lag`, and some again
  // as soon as it is. One at least must be ready at any time.
  Balancer(std::vector<Target> targets, milliseconds lag);
  ~Balancer();
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;

  uint16_t port() const { return port_; }
  bool sends_to(size_t target) const;

 private:
  struct Side;
  struct Route {
    Target target;
    std::atomic<int64_t> unready_since_ns{0};  // 0: it is ready
  };
  void watch(Route& route);
  void relay();
  void accept_one();
  bool pass_on(Side& from);
  bool flush(Side& to);
  void drop(Side& side, bool reset);

  const milliseconds lag_;
  std::vector<std::unique_ptr<Route>> routes_;
  size_t next_ = 0;
  UniqueFd listener_;
  UniqueFd epoll_;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<Side>> sides_;  // by descriptor
  std::vector<std::thread> threads_;
};

}  // namespace pulse::test
