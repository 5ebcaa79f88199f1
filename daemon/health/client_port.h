// The daemon's own look at one of ProxySQL's ports for clients: whether those that connect to it are served.
//
// The socket table answers for nothing: who empties the accept queue, serves. Only a queue that stands still is looked
// at by connecting, since ProxySQL logs a warning for each connection that ends before its login.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/health/greeting.h"
#include "src/base/clock.h"
#include "src/config/settings.h"
#include "src/linux/listen_look.h"

namespace pulse {

// What the socket table said. Times are of boottime_ns().
struct PortSample {
  enum class Passive { unavailable, not_listening, listening };
  Passive passive = Passive::unavailable;
  uint32_t accept_queue = 0;
  int64_t at_ns = 0;
  std::vector<uint32_t> inodes = {};  // of the sockets that listen
};

struct PortVerdict {
  bool answers = false;
  bool ever_answered = false;
  int64_t since_ns = 0;      // when `answers` became what it is; 0 before the first look
  int64_t looked_at_ns = 0;  // the latest look; 0 before the first
  std::string how;           // "socket table" or "connection"; empty before the first look
  std::string reason = "not looked yet";
  // Who listens. The inodes of the sockets; where the socket table isn't read, one number that is another one each time
  // the port is open again after connections were refused. Empty: nothing listens. No value: the last look can't tell.
  std::optional<std::vector<uint32_t>> listeners;
};

struct LookState {
  PortVerdict verdict;
  int64_t window_ns = 0;        // since when the queue has not gone down, by what was seen; 0 if it is empty
  uint32_t last_queue = 0;      // in the latest sample
  bool suspicion_held = false;  // a connection in this window was not greeted: the next one waits longer
  uint32_t openings = 0;        // how often a connection was accepted after others were refused
  bool closed = true;           // the last connection that was answered at all was refused, or none was made yet
};

struct LookStep {
  LookState state;
  bool want_active = false;  // the verdict waits for after_active_look()
};

// A queue that stands for that long is a suspicion.
constexpr nanoseconds kSuspiciousQueue = std::chrono::seconds(2);
// After a suspicion was confirmed, the next connection is made after that: it adds to the queue that nobody empties.
constexpr nanoseconds kConfirmedPause = std::chrono::seconds(10);

// Takes in a sample. Not listening is final at once; a queue that is empty or went down means that the port answers;
// one that has stood for kSuspiciousQueue wants a connection. So does one that stands when it isn't known that the port
// answers, and each sample that is unavailable.
LookStep next_look(LookState state, const PortSample& sample);

// Takes in the connection that next_look() wanted. `at_ns` is when it ended.
LookState after_active_look(LookState state, const ActiveResult& result, int64_t at_ns);

// The look at one port or unix socket, kept up to date by a loop.
class ClientPort {
 public:
  // `active` connects on each tick: for a port outside of this network namespace.
  enum class Mode { passive, active };

  // `interface` has a numeric address, which is for connections; the socket table is asked about the port alone.
  // `greet` is the protocol's.
  ClientPort(MysqlInterface interface, Mode mode, Greeter greet = greet_mysql)
      : interface_(std::move(interface)), mode_(mode), greet_(greet) {}

  // Looks once. To be called from one thread, each 500 ms or so. Takes a few system calls; where it connects, a second
  // and a quarter at most.
  void tick();

  // The latest verdict. Any thread; never waits for a look.
  PortVerdict current() const;

 private:
  PortSample sample();

  const MysqlInterface interface_;
  ListenLook listen_look_{interface_};  // of the ticking thread
  const Mode mode_;
  const Greeter greet_;
  LookState state_;  // of the ticking thread
  mutable std::mutex mutex_;
  PortVerdict verdict_;  // under mutex_
};

}  // namespace pulse
