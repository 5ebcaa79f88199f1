// Faults that tests plant into the two ports.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/proxysql-double/answer.h"

namespace proxysql_double {

enum class Port { admin, mysql };

// The answer that a fault hits: the connection itself, the greeting, the answer to the login, to a statement, or the
// second half of a result.
enum class Phase { accept, greeting, login, query, result };

enum class FaultKind {
  none,
  noaccept,   // connections stay in the kernel's queue
  silence,    // nothing (more) is sent until the client leaves or the faults are cleared
  slow,       // one byte each 0.5 s
  reset,      // RST
  garbage,    // 64 bytes that are no packet, then silence
  truncated,  // a packet that stops half-way, then FIN
  endless,    // rows without end
  error,      // an error packet
};

std::optional<Phase> parse_phase(std::string_view text);
std::optional<FaultKind> parse_fault_kind(std::string_view text);

struct Fault {
  Port port = Port::admin;
  Phase phase = Phase::accept;
  FaultKind kind = FaultKind::none;
  int nth = 0;        // only the Nth statement of each session; 0 for all
  std::string match;  // only statements that contain it; empty for all
};

// Holds a matching admin statement up before it runs.
struct Hold {
  std::string match;
  std::chrono::milliseconds delay{0};
  bool locked = false;  // while holding the global mutex
};

// A peer's pull that lands right after a matching admin statement, so many times: of what runs here before the load that
// is under way, which is what a peer still has.
struct LatePull {
  std::string match;
  std::string module;  // as in runtime_checksums_values
  int times = 0;
};

constexpr std::chrono::milliseconds kSlowByteInterval{500};

// How an answer reaches the client under a fault.
struct Delivery {
  std::string at_once;
  std::string dripping;  // one byte each kSlowByteInterval
  enum class Then { go_on, silence, close, reset, endless } then = Then::go_on;
  // How an endless result goes on.
  uint8_t next_sequence = 0;
  size_t columns = 0;
};

// Pure. `inside` hits the second half only.
Delivery shape(FaultKind kind, const std::string& answer, bool inside);

// Thread-safe.
class Faults {
 public:
  // Replaces the fault of the same port and phase.
  void set(const Fault& fault);
  void set_hold(const Hold& hold);
  void set_late_pull(const LatePull& pull);
  void clear();

  // The fault for this moment, none mostly. `nth` counts a session's statements from 1; 0 before the login is over.
  FaultKind at(Port port, Phase phase, int nth = 0, std::string_view statement = {}) const;
  std::optional<Hold> hold_for(std::string_view statement) const;
  // The module whose pull is to land after this statement; counts it.
  std::optional<std::string> take_late_pull(std::string_view statement);

  // Grows with each clear(): a silent connection is dropped when it moves.
  uint64_t generation() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Fault> faults_;
  std::vector<Hold> holds_;
  LatePull late_pull_;
  uint64_t generation_ = 0;
};

}  // namespace proxysql_double
