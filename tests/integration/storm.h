// Applications of four kinds, all at once, through one port. They notice everything that goes wrong for them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "src/base/clock.h"
#include "tests/integration/storm_connection.h"

namespace pulse::test {

class Storm {
 public:
  enum Kind {
    short_lived,   // a connection for each query
    pooled,        // keeps its connection over gaps of 0.2 to 3 s
    busy,          // the same over gaps of 5 to 50 ms
    transactions,  // of 1 to 3 s, several statements each, with gaps as for pooled
    kKinds
  };
  static const char* name(Kind kind);

  // All but the short-lived check a connection before they use it, as pools do: one that the server has ended is given
  // up, and another is made.
  struct Clients {
    int short_lived = 4;
    int pooled = 16;
    int busy = 6;
    int transactions = 8;
  };

  struct Failure {
    Kind kind;
    int64_t at_ns;     // CLOCK_MONOTONIC
    std::string what;  // what the client was about to do, and the error
    bool just_begun;   // in a transaction, a quarter of a second after its BEGIN at most
    bool first_use;  // the first statement on a kept connection that looked alive: closing it may have met the request
  };

  struct Counts {
    uint64_t connects = 0;
    uint64_t statements = 0;
    uint64_t transactions = 0;
    uint64_t closed = 0;  // kept connections found to have been ended by the server
  };

  Storm(uint16_t port, const Clients& clients, Protocol protocol = Protocol::mysql);
  ~Storm() { stop(); }
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;

  void stop();
  Counts counts(Kind kind) const;
  std::vector<Failure> failures() const;

 private:
  struct Tally {
    std::atomic<uint64_t> connects{0}, statements{0}, transactions{0}, closed{0};
  };
  class Application;

  const uint16_t port_;
  const Protocol protocol_;
  std::atomic<bool> stopping_{false};
  std::array<Tally, kKinds> tallies_;
  mutable std::mutex mutex_;
  std::vector<Failure> failures_;
  std::vector<std::thread> threads_;
};

}  // namespace pulse::test
