// proxysql-agent, where it is installed, beside ProxySQL Pulse: each looks after a satellite of its own, of the same
// core.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "tests/bench/http_load.h"
#include "tests/bench/server.h"

namespace pulse::bench {

// What one of the two costs, what its probes are like before its server's admin interface hangs and while it does, and
// when it heals. Seconds and an hour's CPU are reckoned from this one run.
struct Sidecar {
  double files_mb = 0;            // its programs on disk
  std::optional<double> ready_s;  // from the start of both programs to readiness; none: not within kReadyPatience
  double memory_mb = 0;           // resident, after the probes
  double hour_cpu_s = 0;          // of what stays, without probes
  double beat_cpu_s = 0;          // of one beat, which is a process of its own; 0: what stays looks by itself
  LoadResult healthy, wedged;
  int64_t threads_before = 0;  // of ProxySQL
  int64_t threads_after = 0;   // the same after the probes of the wedge
  // Until the satellite has the entry of its configuration file again; none: not within kHealPatience.
  std::optional<double> emptied_s;  // after proxysql_servers was emptied
  std::optional<double> moved_s;    // after the only core that it knew died, while the file names another
};

struct Comparison {
  Sidecar agent, pulse;
};

// Where PATH has proxysql-agent; "" if it doesn't.
std::string find_proxysql_agent();

inline constexpr double kSidecarProbes = 100;  // per second, each over a new connection
inline constexpr double kWedgedProbes = 20;
inline constexpr std::chrono::seconds kReadyPatience{
    90};  // proxysql-agent needs a sample that ProxySQL takes each minute
inline constexpr std::chrono::seconds kHealPatience{60};  // it looks every 10 s for cores that are silent for 30

// proxysql-agent with its defaults, a beat every 500 ms. Both idle for `idle`, then probes last for `span`, twice.
// Fails if one of the two can't be started, and if the agent doesn't get ready.
Result<Comparison> compare_with_agent(const Programs& programs, const std::string& agent, const std::string& dir,
                                      std::chrono::seconds idle, std::chrono::milliseconds span);

}  // namespace pulse::bench
