// The measurements, a file each. main.cc lists them in the report's order.
#pragma once

#include <chrono>
#include <string>

#include "src/base/result.h"
#include "tests/bench/report.h"
#include "tests/bench/server.h"
#include "tests/temp_dir.h"

namespace pulse::bench {

inline constexpr int kPatientTimeoutMs = 5000;  // so that a busy machine costs time and not the measurement

// How much of everything.
struct Effort {
  int beat_pairs = 300;
  int cli_pairs = 60;
  int busy_pairs = 500;
  int dump_pairs = 3;
  std::chrono::milliseconds load_span{10'000};
  std::chrono::milliseconds many_span{50'000};
  std::chrono::seconds pile_span{60};
  std::chrono::seconds idle_span{60};
  bool quick = false;
  bool shipped = false;  // of the traffic: what is recommended, beside nothing
};

// What a measurement works with, and the report that it adds to. Whoever makes it owns what it names.
struct Bench {
  const test::TempDir& dir;
  const Programs& programs;
  const Effort& effort;
  Report& report;
  std::string& plot;  // of the pile-up or of the traffic, as SVG
};

// The machine, the server and the programs; no measurement.
void describe_machine(Bench& bench);

// Each fails only if it can't be taken: a bar that is missed is in the report.
Result<void> measure_beats(Bench& bench);
Result<void> measure_busy_beats(Bench& bench);
Result<void> measure_members(Bench& bench);
Result<void> measure_dump(Bench& bench);
Result<void> measure_users(Bench& bench);
Result<void> measure_daemon(Bench& bench);
Result<void> measure_peer(Bench& bench);
Result<void> measure_pile_up(Bench& bench);

// What beats cost the traffic. A report of its own: it needs a real ProxySQL, MariaDB, memory and up to 25 minutes.
Result<void> measure_traffic(Bench& bench);

}  // namespace pulse::bench
