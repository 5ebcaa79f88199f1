// proxysql-agent, where it is installed, beside proxysql-pulse: each looks after a server of its own.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "src/result.h"
#include "tests/bench/http_load.h"
#include "tests/bench/server.h"

namespace pulse::bench {

// One of the two: what its probes are like before its server's admin interface hangs, and while it does.
struct Sidecar {
  std::string what;
  double memory_mb = 0;  // resident, after the probes
  LoadResult healthy, wedged;
  int64_t threads_before = 0;  // of ProxySQL
  int64_t threads_after = 0;   // the same after the probes of the wedge
};

// Where PATH has proxysql-agent; "" if it doesn't.
std::string find_proxysql_agent();

inline constexpr double kSidecarProbes = 100;  // per second, each over a new connection
inline constexpr double kWedgedProbes = 20;

// proxysql-agent as a satellite's with its default interval, proxysql-pulsed with a beat every 500 ms. Probes last for
// `span`, twice. Both servers hang at the same time.
Result<std::vector<Sidecar>> compare_with_agent(const Programs& programs, const std::string& agent,
                                                const std::string& dir, std::chrono::milliseconds span);

}  // namespace pulse::bench
