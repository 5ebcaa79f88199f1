// Statements at a fixed rate, whatever becomes of those before.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "tests/bench/sql_client.h"

namespace pulse::bench {

struct SqlLoad {
  size_t planned = 0;
  size_t failed = 0;                // refused, or no answer within 5 s after the last was due
  std::string reason;               // of the first failure
  std::vector<float> latencies_us;  // of the answers, each from the instant at which its statement was due
  std::vector<float> due_ms;        // that instant, of each, from the first one
  std::vector<float> late_us;       // of it, what passed before this program came to send it on a free connection
};

// Open loop: statement i is due at i / rate, on whichever connection is free; a client that must wait for one waits in
// its latency. A connection that fails takes no part from then on.
SqlLoad sql_load(const std::vector<SqlClient>& connections, const std::string& statement, double rate,
                 std::chrono::milliseconds span);

}  // namespace pulse::bench
